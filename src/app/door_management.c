/* Callers of the management dialect, under /api/v1: a key of the management API as Bearer, or a
 * person. */
#include "apis/apis.h"
#include "app/visit.h"
#include "base/time.h"

static void gather_facts(struct visit *v)
{
    unsigned bit;

    v->facts.now = (struct rate_now){v->cx.now_ms, time_mono_ns()};
    v->facts.api = API_MANAGEMENT;
    v->facts.names = &scope_names_management;
    v->facts.client = v->cx.client;
    v->facts.cost = 1;
    if (scope_names_find(&scope_names_management, str_of(v->route->access.scope), &bit))
        v->facts.wanted.bits = UINT64_C(1) << bit;
}

static enum err missing_credentials(struct visit *v)
{
    fail_hint(&v->cx,
              "Send 'Authorization: Bearer %.*s_%.*s_…' with a key of the management API, or sign "
              "in.",
              STR_ARG(v->form.prefix), STR_ARG(v->form.environment));
    return fail(&v->cx, E_MISSING_CREDENTIALS, "There is neither Authorization nor a session.");
}

enum http_next door_judge_management(struct visit *v, struct http_call *call)
{
    v->form = apis_management_form();
    v->key_field = S("Authorization");
    enum err e = visit_find_bearer(v);
    if (e != E_OK)
        return visit_refuse(v, e);
    gather_facts(v);
    if (v->credential == CREDENTIAL_KEY)
        return door_judge_key(v, call);
    if (v->credential == CREDENTIAL_NONE)
        return visit_refuse(v, missing_credentials(v));
    return door_judge_person(v);
}
