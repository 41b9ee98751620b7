/* Callers with an API key: the one decision (decide/decide.h). */
#include "app/visit.h"

/* What takes an ADMIN takes a key that an ADMIN made for it. */
static enum err check_reach(struct visit *v)
{
    const struct access *access = &v->route->access;

    if (access->kind != ACCESS_MANAGEMENT || access->role < ROLE_ADMIN || v->who.is_instance)
        return E_OK;
    fail_hint(&v->cx, "Ask an ADMIN for a key made with \"instance\": true, or to do it.");
    return fail(&v->cx, E_INSUFFICIENT_ROLE,
                "The route is for keys that manage the whole instance.");
}

static enum err after_decision(struct visit *v)
{
    v->who = v->answer.who;
    v->cx.who = &v->who;
    if (v->answer.verdict.code != E_OK)
        return visit_explain(v);
    TRY(check_reach(v));
    /* A key acts for its own employer and no other. */
    if (!str_is_none(http_req_field(v->req, S("x-employer-id"), NULL)))
        return fail(&v->cx, E_INSUFFICIENT_ROLE, "Only an ADMIN may send x-employer-id.");
    return E_OK;
}

static enum err refuse_key_on_session_route(struct visit *v)
{
    TRY(visit_check_version(v));
    return fail(&v->cx, E_SESSION_REQUIRED, "An API key was sent, and this route takes none.");
}

enum http_next door_judge_key(struct visit *v, struct http_call *call)
{
    if (v->facts.text.fault == KEY_TEXT_TWICE)
        v->reply->closes = true;
    if (v->route->access.kind == ACCESS_SESSION && v->facts.text.fault != KEY_TEXT_IN_WRONG_PLACE)
        return visit_refuse(v, refuse_key_on_session_route(v));
    if (keys_decide(&v->cx, v->key, &v->facts, &v->answer) == KEYS_ASK_STORE)
        return HTTP_ASK_STORE;
    enum err e = after_decision(v);
    return e == E_OK ? visit_let_in(v, call) : visit_refuse(v, e);
}

enum err door_admit_key(struct visit *v)
{
    TRY(keys_admit(&v->cx, v->key, &v->facts, &v->answer));
    return after_decision(v);
}
