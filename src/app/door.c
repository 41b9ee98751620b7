/*
 * From a request to a principal, and to the handler or a refusal.
 *
 * Order: route, presence of a credential, then for an API key the one decision (decide/decide.h),
 * for a session its holder, origin and role. What the key table knows is answered on the I/O
 * thread; sessions and keys not seen before are looked up on a worker.
 */
#include "app/door.h"

#include <stdlib.h>

#include "apis/apis.h"
#include "app/meta.h"
#include "app/visit.h"
#include "audit/audit.h"
#include "auth/auth.h"
#include "base/mem.h"
#include "base/time.h"
#include "cohorts/cohorts.h"
#include "console/console.h"
#include "gate/gate.h"
#include "http/reply.h"
#include "idempotency/idempotency.h"
#include "instance/instance.h"
#include "issuers/issuers.h"
#include "people/people.h"
#include "plans/plans.h"

struct door *door_new(const struct door_settings *settings, struct store *store)
{
    struct door *door = mem_new(sizeof *door);

    atomic_init(&door->settings, settings);
    door->store = store;
    router_add(&door->router, meta_routes);
    router_add(&door->router, auth_routes);
    router_add(&door->router, key_routes);
    router_add(&door->router, api_routes);
    router_add(&door->router, key_management_routes);
    router_add(&door->router, cohort_routes);
    router_add(&door->router, people_routes);
    router_add(&door->router, people_management_routes);
    router_add(&door->router, plan_routes);
    router_add(&door->router, instance_routes);
    router_add(&door->router, audit_routes);
    router_add(&door->router, gate_routes);
    router_add(&door->router, issuer_routes);
    router_add(&door->router, console_routes);
    door->metrics = metrics_new(&door->router);
    return door;
}

void door_use(struct door *door, const struct door_settings *settings)
{
    atomic_store(&door->settings, settings);
}

void door_drop(struct door **door)
{
    if (!*door)
        return;
    metrics_drop(&(*door)->metrics);
    free(*door);
    *door = NULL;
}

const struct metrics *door_metrics(const struct door *door)
{
    return door->metrics;
}

struct store *door_store(const struct door *door)
{
    return door->store;
}

/* ---- who comes, and with what ---- */

static void gather_facts(struct visit *v)
{
    const struct http_req *req = v->req;
    const struct access *access = &v->route->access;
    enum scope scope;

    v->facts.now = (struct rate_now){v->cx.now_ms, time_mono_ns()};
    v->facts.version = version_judge(visit_field(req, v->cx.arena, S("x-api-version")),
                                     visit_field(req, v->cx.arena, S("accept")),
                                     atomic_load(&v->door->settings)->api_vendor);
    v->facts.version_is_required = v->credential == CREDENTIAL_KEY &&
                                   keys_settings()->version_is_required && visit_is_enterprise(req);
    v->facts.client = v->cx.client;
    v->facts.cost = 1;
    if (access->kind == ACCESS_SCOPE && scope_find(str_of(access->scope), &scope))
        scope_add(&v->facts.wanted, scope);
}

static enum err missing_credentials(struct visit *v)
{
    bool takes_key = v->route->access.kind == ACCESS_SCOPE;

    if (secret_is_set(&v->req->authorization))
        v->cx.failure.detail = S("Authorization was sent, which this route does not read");
    if (takes_key)
        fail_hint(
            &v->cx, "Add the header line 'x-api-key: %.*s_%.*s_…' with your API key, or sign in.",
            STR_ARG(keys_settings()->form.prefix), STR_ARG(keys_settings()->form.environment));
    else if (issuers_any())
        fail_hint(&v->cx, "Sign in with POST /api/auth/login and send the cookie it sets, or send "
                          "an issuer's session token: 'Authorization: Bearer …'.");
    else
        fail_hint(&v->cx, "Sign in with POST /api/auth/login and send the cookie it sets.");
    return E_MISSING_CREDENTIALS;
}

static enum http_next answer_options(struct visit *v, str allow)
{
    http_reply_field(v->reply, S("allow"), allow);
    http_reply_empty(v->reply);
    visit_leave(v, E_OK);
    return HTTP_ANSWERED;
}

static enum http_next open_route(struct visit *v, struct http_call *call)
{
    enum err e = str_starts(v->req->path, S("/api/")) ? visit_check_version(v) : E_OK;

    if (e == E_OK && (str_starts(v->req->path, S("/api/auth/")) || console_owns(v->req->path)))
        e = visit_check_origin(v);
    return e == E_OK ? visit_let_in(v, call) : visit_refuse(v, e);
}

static enum http_next judge_visit(struct visit *v, struct http_call *call)
{
    if (v->route->access.kind == ACCESS_GATE)
        return door_judge_gate(v, call);
    if (v->route->access.kind == ACCESS_GATEWAY)
        return door_judge_gateway(v, call);
    if (v->route->access.kind == ACCESS_MANAGEMENT)
        return door_judge_management(v, call);

    visit_find_credential(v);
    gather_facts(v);
    if (v->route->access.kind == ACCESS_OPEN)
        return open_route(v, call);
    if (v->credential == CREDENTIAL_KEY)
        return door_judge_key(v, call);
    if (v->credential == CREDENTIAL_NONE)
        return visit_refuse(v, missing_credentials(v));
    return door_judge_person(v);
}

static enum err admit(struct visit *v)
{
    switch (v->credential) {
    case CREDENTIAL_KEY:
        return door_admit_key(v);
    case CREDENTIAL_GATE:
        return door_admit_gate(v);
    case CREDENTIAL_GATEWAY:
        return door_admit_gateway(v);
    case CREDENTIAL_NONE:
    case CREDENTIAL_SESSION:
    case CREDENTIAL_TOKEN:
    case CREDENTIAL_TOKEN_COOKIE:
    case CREDENTIAL_OPERATOR:
        break;
    }
    return door_admit_person(v);
}

/* ---- what the engine calls ---- */

static enum http_next on_head(void *self, struct http_call *call)
{
    struct door *door = self;
    str allow = STR_NONE;
    struct visit *v = visit_new(door, call->arena, &call->req, &call->reply, call->request_id);

    call->state = v;
    /* RFC 9110 section 9.3.7: "*" asks about the server as a whole. */
    if (call->req.method == HTTP_OPTIONS && str_eq(call->req.path, S("*")))
        return answer_options(v, S("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    if (call->req.way == HTTP_OVER_GATE && !str_starts(call->req.path, S("/gate/")))
        return visit_refuse(v, fail(&v->cx, E_NOT_FOUND, "This socket serves /gate/ alone."));
    enum err e = router_find(&door->router, call->arena, &call->req, &v->route, &allow);
    if (e == E_METHOD_NOT_ALLOWED && call->req.method == HTTP_OPTIONS)
        return answer_options(v, allow);
    if (e != E_OK) {
        visit_refuse(v, e);
        if (e == E_METHOD_NOT_ALLOWED)
            http_reply_field(&call->reply, S("allow"), allow);
        return HTTP_ANSWERED;
    }
    return judge_visit(v, call);
}

static enum http_next on_admit(void *self, struct http_call *call)
{
    struct visit *v = call->state;

    (void)self;
    v->cx.doing = "judging the credential";
    enum err e = admit(v);
    return e == E_OK ? visit_let_in(v, call) : visit_refuse(v, e);
}

static enum http_next on_handle(void *self, struct http_call *call)
{
    struct visit *v = call->state;
    enum err e;

    (void)self;
    v->cx.now_ms = time_now_ms();
    v->cx.doing = "handling the request";
    v->cx.must_not_wait = v->route->is_instant && !v->is_slow;
    if (str_is_none(v->idempotency_key))
        e = v->route->handler(&v->cx, v->req, v->reply);
    else
        e = idempotency_handle(&v->cx, v->route, v->req, v->idempotency_key, v->reply);
    if (e == E_ASK_WORKER) {
        v->is_slow = true;
        http_reply_clear(v->reply);
        return HTTP_RUN_WORKER;
    }
    visit_leave(v, e);
    return HTTP_ANSWERED;
}

static void on_refuse(void *self, struct http_call *call, enum err e, str detail)
{
    struct visit *v = call->state;
    bool is_judged = v != NULL;

    if (!is_judged)
        v = visit_new(self, call->arena, &call->req, &call->reply, call->request_id);
    v->cx.failure = (struct failure){.detail = detail};
    visit_leave(v, e);
    if (!is_judged) /* on_ended will not hear of it */
        visit_count(v);
}

static void on_ended(void *self, struct http_call *call)
{
    struct visit *v = call->state;

    (void)self;
    if (!v)
        return;
    visit_count(v);
    secret_drop(&v->session);
}

struct http_service door_service(struct door *door)
{
    return (struct http_service){.self = door,
                                 .head = on_head,
                                 .admit = on_admit,
                                 .handle = on_handle,
                                 .refuse = on_refuse,
                                 .ended = on_ended};
}

void door_run_local(struct door *door, struct arena *arena, struct http_req *req,
                    struct http_reply *reply)
{
    struct http_call call = {.arena = arena, .req = *req, .request_id = S("local")};

    http_reply_init(&call.reply);
    enum http_next next = on_head(door, &call);
    if (next == HTTP_ASK_STORE)
        next = on_admit(door, &call);
    while (next != HTTP_ANSWERED)
        next = on_handle(door, &call);
    on_ended(door, &call);
    *reply = call.reply;
}
