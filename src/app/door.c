/*
 * From a request to a principal, and to the handler or a refusal.
 *
 * Order: route, presence of a credential, then for an API key the one decision (decide/decide.h),
 * for a session its holder, origin and role. What the key table knows is answered on the I/O
 * thread; sessions and keys not seen before are looked up on a worker.
 */
#include "app/door.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/meta.h"
#include "audit/audit.h"
#include "auth/auth.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "cohorts/cohorts.h"
#include "console/console.h"
#include "gate/gate.h"
#include "http/reply.h"
#include "idempotency/idempotency.h"
#include "instance/instance.h"
#include "issuers/issuers.h"
#include "keys/keys.h"
#include "people/people.h"

struct door {
    const struct door_settings *_Atomic settings; /* swapped by a reload */
    struct store *store;
    struct router router;
    struct metrics *metrics;
};

enum credential {
    CREDENTIAL_NONE,
    CREDENTIAL_KEY,
    CREDENTIAL_SESSION,
    CREDENTIAL_TOKEN,        /* an issuer's, in Authorization */
    CREDENTIAL_TOKEN_COOKIE, /* the same in a cookie */
    CREDENTIAL_OPERATOR,
    CREDENTIAL_GATE,
    CREDENTIAL_GATEWAY,
};

/* One request on its way through; lives in the call's arena. */
struct visit {
    struct door *door;
    struct http_req *req;
    struct http_reply *reply;
    const struct route *route;
    enum credential credential;
    struct secret session; /* the token of a cookie, of an issuer or of the gate */
    struct cx cx;
    struct principal who;
    struct decide_facts facts;
    struct keys_answer answer;
    str idempotency_key; /* STR_NONE: none */
    int64_t began_ns;    /* monotonic */
    bool is_slow;        /* of an instant route: this one needs the store after all */
};

struct door *door_new(const struct door_settings *settings, struct store *store)
{
    struct door *door = mem_new(sizeof *door);

    atomic_init(&door->settings, settings);
    door->store = store;
    router_add(&door->router, meta_routes);
    router_add(&door->router, auth_routes);
    router_add(&door->router, key_routes);
    router_add(&door->router, cohort_routes);
    router_add(&door->router, people_routes);
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

/* ---- the way out ---- */

static bool is_enterprise(const struct http_req *req)
{
    return str_starts(req->path, S("/api/employer/"));
}

/* A key pasted into the path must not get into the log. */
static str loggable_path(const struct http_req *req)
{
    str rest = req->path;

    while (!str_is_none(rest))
        if (key_text_resembles(str_cut(&rest, S("/")), &keys_settings()->form))
            return S("(a path with a key in it)");
    return req->path;
}

static void log_refusal(const struct visit *v, enum err e)
{
    const struct err_info *info = err_info(e);
    enum log_level level = info->status >= 500 ? LOG_ERROR : LOG_INFO;

    log_event(&v->cx, level, "request.refused", F("code", info->code), F("status", info->status),
              F("method", http_method_text(v->req->method)), F("path", loggable_path(v->req)),
              F("address", net_addr_write(v->cx.arena, &v->cx.client)),
              F("caller", v->answer.is_known ? v->answer.who.id : v->who.id),
              F("detail", v->cx.failure.detail));
}

/* 403, and whatever the decision refused a known key for, or 401 of a known person: somebody was
 * not allowed something. */
static bool is_denial(const struct visit *v, enum err e)
{
    int status = err_info(e)->status;

    return status == 403 || e == E_GATEWAY_NOT_TRUSTED ||
           (v->answer.is_known && v->answer.verdict.code == e) || (status == 401 && v->who.id.n);
}

/* What is said to a key has nothing about persons in it, unlike what is said to them. */
static void note_denial(const struct visit *v, enum err e)
{
    const struct principal *who = v->answer.is_known ? &v->answer.who : &v->who;
    const struct failure none = {0};
    const struct failure *said = v->answer.is_known ? &v->cx.failure : &none;

    if (is_denial(v, e))
        audit_note_denial(&v->cx, e, v->route ? v->route->pattern : NULL, who->id.n ? who : NULL,
                          said->detail, said->hint);
}

/* The pages answer people, and gateways have each their own way; everything else is a program. */
static void refuse_in_dialect(struct visit *v, enum err e)
{
    if (console_owns(v->req->path))
        console_refuse(&v->cx, v->req, e, v->reply);
    else if (gate_owns(v->req->path))
        gate_refuse(&v->cx, v->req, e, v->reply);
    else
        http_reply_problem(&v->cx, v->req, e, v->reply);
}

static void leave(struct visit *v, enum err e)
{
    if (e >= E_CATALOGUE_END) {
        log_event(&v->cx, LOG_ERROR, "request.unmapped", F("error", (int)e));
        v->cx.failure = (struct failure){0};
    }
    if (e != E_OK) {
        metrics_count_refusal(v->door->metrics, e);
        log_refusal(v, e);
        note_denial(v, e);
        refuse_in_dialect(v, e);
    }
    if (v->answer.is_known)
        http_reply_rate(v->reply, v->cx.arena, &v->answer.verdict.rate);
    if (is_enterprise(v->req))
        http_reply_field(v->reply, S("x-api-version"), S(API_VERSION_NEWEST));
}

static enum http_next refuse_now(struct visit *v, enum err e)
{
    leave(v, e);
    return HTTP_ANSWERED;
}

/* Every request ends here, however it was answered, or not. */
static void count_request(const struct visit *v)
{
    int64_t took_ns = time_mono_ns() - v->began_ns;
    int status = v->reply->status ? v->reply->status : METRICS_STATUS_GONE;

    metrics_count_request(v->door->metrics, v->route, v->req->method, status, took_ns);
    log_event(&v->cx, LOG_DEBUG, "request.answered", F("status", status),
              F("method", http_method_text(v->req->method)), F("path", loggable_path(v->req)),
              F("address", net_addr_write(v->cx.arena, &v->cx.client)),
              F("caller", v->answer.is_known ? v->answer.who.id : v->who.id),
              F("microseconds", took_ns / 1000));
}

/* ---- the way in ---- */

/* Several fields of one name are one list (RFC 9110 section 5.3). */
static str joined_field(const struct http_req *req, struct arena *arena, str name)
{
    str all = STR_NONE;

    for (size_t i = 0; i < req->n_fields; i++) {
        if (!str_ieq(req->fields[i].name, name))
            continue;
        str value = req->fields[i].value;
        all = str_is_none(all) ? value
                               : arena_printf(arena, "%.*s, %.*s", STR_ARG(all), STR_ARG(value));
    }
    return all;
}

static struct net_addr client_of(const struct door *door, const struct http_req *req,
                                 struct arena *arena)
{
    const struct door_settings *settings = atomic_load(&door->settings);

    return net_client_addr(&req->peer, settings->trusted_proxies, settings->n_trusted_proxies,
                           joined_field(req, arena, S("forwarded")),
                           joined_field(req, arena, S("x-forwarded-for")));
}

static struct visit *visit_new(struct door *door, struct arena *arena, struct http_req *req,
                               struct http_reply *reply, str request_id)
{
    struct visit *v = ARENA_NEW(arena, struct visit);

    v->door = door;
    v->req = req;
    v->reply = reply;
    v->began_ns = time_mono_ns();
    v->cx = (struct cx){.arena = arena,
                        .now_ms = time_now_ms(),
                        .store = door->store,
                        .user_agent = http_req_field(req, S("user-agent"), NULL),
                        .request_id = request_id,
                        .doing = "reading the request",
                        .client = client_of(door, req, arena),
                        .peer = req->peer};
    return v;
}

/* Is the text of Authorization one of our keys, with or without a scheme before it? */
static bool holds_key(str text, const struct key_form *form)
{
    str rest = text;
    str word = str_cut(&rest, S(" "));

    return key_text_resembles(word, form) || key_text_resembles(str_trim(rest), form);
}

static bool is_key_misplaced(const struct http_req *req, const struct key_form *form)
{
    str query = req->query;

    if (holds_key(secret_reveal(&req->authorization), form))
        return true;
    while (query.n) {
        str value = str_cut(&query, S("&"));
        str_cut(&value, S("="));
        if (key_text_resembles(value, form))
            return true;
    }
    return false;
}

static bool is_operator(const struct http_req *req)
{
    return req->is_local && (req->local_uid == 0 || req->local_uid == (int64_t)geteuid());
}

/* RFC 6750 section 2.1. STR_NONE: another scheme, or a key, which is somebody's mistake. */
static str bearer_of(const struct http_req *req, const struct key_form *form)
{
    str token = secret_reveal(&req->authorization);
    str scheme = str_cut(&token, S(" "));

    if (!str_ieq(scheme, S("Bearer")) || str_is_none(token) ||
        holds_key(secret_reveal(&req->authorization), form))
        return STR_NONE;
    return str_trim(token);
}

/* What is sent on purpose goes before what the browser adds, and our own before others'. */
static enum credential find_session(struct visit *v)
{
    str cookies = secret_reveal(&v->req->cookie);
    str bearer = issuers_any() ? bearer_of(v->req, &keys_settings()->form) : STR_NONE;
    str own = http_cookie(cookies, S(SESSION_COOKIE));
    str token = issuers_any() ? http_cookie(cookies, S(TOKEN_COOKIE)) : STR_NONE;

    secret_set(&v->session, !str_is_none(bearer) ? bearer : own.n ? own : token);
    if (!str_is_none(bearer))
        return CREDENTIAL_TOKEN;
    if (own.n)
        return CREDENTIAL_SESSION;
    return token.n ? CREDENTIAL_TOKEN_COOKIE : CREDENTIAL_NONE;
}

static void find_credential(struct visit *v)
{
    const struct http_req *req = v->req;
    const struct key_form *form = &keys_settings()->form;
    enum credential session = find_session(v);
    bool prefers_session = v->route->access.kind == ACCESS_SESSION && session != CREDENTIAL_NONE;

    if (req->n_api_keys > 0 && !prefers_session) {
        v->credential = CREDENTIAL_KEY;
        v->facts.text = key_text_judge(secret_reveal(&req->api_key), form);
        if (req->n_api_keys > 1)
            v->facts.text.fault = KEY_TEXT_TWICE;
    } else if (session != CREDENTIAL_NONE) {
        v->credential = session;
    } else if (is_key_misplaced(req, form)) {
        v->credential = CREDENTIAL_KEY;
        v->facts.text.fault = KEY_TEXT_IN_WRONG_PLACE;
    } else if (is_operator(req) && !console_owns(req->path)) {
        v->credential = CREDENTIAL_OPERATOR;
    }
}

static void gather_facts(struct visit *v)
{
    const struct http_req *req = v->req;
    const struct access *access = &v->route->access;
    enum scope scope;

    v->facts.now = (struct rate_now){v->cx.now_ms, time_mono_ns()};
    v->facts.version = version_judge(joined_field(req, v->cx.arena, S("x-api-version")),
                                     joined_field(req, v->cx.arena, S("accept")),
                                     atomic_load(&v->door->settings)->api_vendor);
    v->facts.version_is_required = v->credential == CREDENTIAL_KEY &&
                                   keys_settings()->version_is_required && is_enterprise(req);
    v->facts.client = v->cx.client;
    v->facts.cost = 1;
    if (access->kind == ACCESS_SCOPE && scope_find(str_of(access->scope), &scope))
        scope_add(&v->facts.wanted, scope);
}

static enum err explain(struct visit *v)
{
    const struct keys_answer *answer = &v->answer;

    decide_explain(&v->cx, &answer->verdict, answer->is_known ? &answer->key : NULL, &v->facts,
                   &keys_settings()->form, S("x-api-key"));
    return answer->verdict.code;
}

/* An unsupported version is refused wherever one is read, not for keys alone. */
static enum err check_version(struct visit *v)
{
    enum version_fault fault = v->facts.version.fault;

    if (fault == VERSION_OK || (fault == VERSION_MISSING && !v->facts.version_is_required))
        return E_OK;
    v->answer.verdict.code = E_UNSUPPORTED_API_VERSION;
    return explain(v);
}

/* ---- sessions ---- */

/* The Origin that a browser adds must be ours: the cookie alone does not show who wrote the page.
 */
static enum err check_origin(struct visit *v)
{
    str origin = http_req_field(v->req, S("origin"), NULL);
    str host = http_req_field(v->req, S("host"), NULL);
    str own =
        arena_printf(v->cx.arena, "%s://%.*s", v->req->is_tls ? "https" : "http", STR_ARG(host));

    if (str_is_none(origin) || str_eq(origin, http_public_url()) || str_eq(origin, own))
        return E_OK;
    return fail(&v->cx, E_ORIGIN_NOT_ALLOWED, "Origin is neither %.*s nor %.*s.",
                STR_ARG(http_public_url()), STR_ARG(own));
}

static enum err check_role(struct visit *v)
{
    enum role least = v->route->access.role;

    if (v->who.role >= least)
        return E_OK;
    fail_hint(&v->cx, "Ask an %.*s to do it, or to give %.*s that role.", STR_ARG(role_text(least)),
              STR_ARG(v->who.email));
    return fail(&v->cx, E_INSUFFICIENT_ROLE, "The route needs the role %.*s; %.*s has %.*s.",
                STR_ARG(role_text(least)), STR_ARG(v->who.email), STR_ARG(role_text(v->who.role)));
}

static enum err check_employer(struct visit *v)
{
    if (v->who.employer_id.n || !is_enterprise(v->req))
        return E_OK;
    fail_hint(&v->cx, "Name one with --employer ID; 'sallyport employers list' shows them.");
    return fail(&v->cx, E_EMPLOYER_NOT_FOUND, "There is not exactly one employer to act for.");
}

static enum err find_person(struct visit *v)
{
    bool is_cookie = v->credential == CREDENTIAL_TOKEN_COOKIE;

    if (v->credential == CREDENTIAL_SESSION)
        return auth_find_session(&v->cx, &v->session, &v->who);
    return issuers_find_session(&v->cx, &v->session, is_cookie, &v->who);
}

/* Worker: a session or the operator becomes a principal. */
static enum err admit_person(struct visit *v)
{
    str acts_for = http_req_field(v->req, S("x-employer-id"), NULL);

    if (v->credential == CREDENTIAL_OPERATOR)
        v->who =
            (struct principal){.kind = PRINCIPAL_OPERATOR, .id = S("operator"), .role = ROLE_ADMIN};
    else
        TRY(find_person(v));
    v->cx.who = &v->who;
    TRY(check_role(v));
    TRY(people_act_for(&v->cx, acts_for, &v->who));
    return check_employer(v);
}

/* ---- keys ---- */

static enum err after_decision(struct visit *v)
{
    v->who = v->answer.who;
    v->cx.who = &v->who;
    if (v->answer.verdict.code != E_OK)
        return explain(v);
    /* A key acts for its own employer and no other. */
    if (!str_is_none(http_req_field(v->req, S("x-employer-id"), NULL)))
        return fail(&v->cx, E_INSUFFICIENT_ROLE, "Only an ADMIN may send x-employer-id.");
    return E_OK;
}

static enum err refuse_key_on_session_route(struct visit *v)
{
    TRY(check_version(v));
    return fail(&v->cx, E_SESSION_REQUIRED, "An API key was sent, and this route takes none.");
}

static enum http_next let_in(struct visit *v, struct http_call *call)
{
    enum err e = idempotency_read(&v->cx, v->route, v->req, &v->idempotency_key);

    if (e != E_OK)
        return refuse_now(v, e);
    call->body_max_bytes =
        v->route->body_max_bytes ? v->route->body_max_bytes : ROUTE_BODY_MAX_BYTES;
    return v->route->is_instant ? HTTP_RUN_HERE : HTTP_RUN_WORKER;
}

static enum http_next judge_key(struct visit *v, struct http_call *call)
{
    if (v->facts.text.fault == KEY_TEXT_TWICE)
        v->reply->closes = true;
    if (v->route->access.kind == ACCESS_SESSION && v->facts.text.fault != KEY_TEXT_IN_WRONG_PLACE)
        return refuse_now(v, refuse_key_on_session_route(v));
    if (keys_decide(&v->cx, &v->req->api_key, &v->facts, &v->answer) == KEYS_ASK_STORE)
        return HTTP_ASK_STORE;
    enum err e = after_decision(v);
    return e == E_OK ? let_in(v, call) : refuse_now(v, e);
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
    leave(v, E_OK);
    return HTTP_ANSWERED;
}

static enum http_next open_route(struct visit *v, struct http_call *call)
{
    enum err e = str_starts(v->req->path, S("/api/")) ? check_version(v) : E_OK;

    if (e == E_OK && (str_starts(v->req->path, S("/api/auth/")) || console_owns(v->req->path)))
        e = check_origin(v);
    return e == E_OK ? let_in(v, call) : refuse_now(v, e);
}

/* ---- the gate ---- */

static enum err missing_gate_token(struct visit *v)
{
    fail_hint(&v->cx, "Make one with 'sallyport gate-tokens create --name NAME', and send it as "
                      "'Authorization: Bearer gt_…'.");
    return fail(&v->cx, E_MISSING_CREDENTIALS, "The gate takes a gate token, and none was sent.");
}

static enum http_next judge_gate(struct visit *v, struct http_call *call)
{
    if (!secret_is_set(&v->req->authorization))
        return refuse_now(v, missing_gate_token(v));
    v->credential = CREDENTIAL_GATE;
    gate_take_token(v->cx.arena, &v->req->authorization, &v->session);
    switch (gate_judge(&v->cx, &v->session, &v->who)) {
    case GATE_ASK_STORE:
        return HTTP_ASK_STORE;
    case GATE_REFUSED:
        return refuse_now(v, E_GATE_TOKEN_INVALID);
    case GATE_KNOWN:
        break;
    }
    v->cx.who = &v->who;
    return let_in(v, call);
}

/* It must be known before the question is looked at; the guarded request's credential is a part of
 * that. */
static enum http_next judge_gateway(struct visit *v, struct http_call *call)
{
    v->credential = CREDENTIAL_GATEWAY;
    switch (gate_judge_gateway(&v->cx, v->req, &v->who)) {
    case GATE_ASK_STORE:
        return HTTP_ASK_STORE;
    case GATE_REFUSED:
        return refuse_now(v, E_GATEWAY_NOT_TRUSTED);
    case GATE_KNOWN:
        break;
    }
    v->cx.who = &v->who;
    return let_in(v, call);
}

static enum http_next judge_visit(struct visit *v, struct http_call *call)
{
    enum err e;

    if (v->route->access.kind == ACCESS_GATE)
        return judge_gate(v, call);
    if (v->route->access.kind == ACCESS_GATEWAY)
        return judge_gateway(v, call);

    find_credential(v);
    gather_facts(v);
    if (v->route->access.kind == ACCESS_OPEN)
        return open_route(v, call);
    switch (v->credential) {
    case CREDENTIAL_KEY:
        return judge_key(v, call);
    case CREDENTIAL_NONE:
        return refuse_now(v, missing_credentials(v));
    case CREDENTIAL_SESSION:
    case CREDENTIAL_TOKEN:
    case CREDENTIAL_TOKEN_COOKIE:
    case CREDENTIAL_OPERATOR:
    case CREDENTIAL_GATE:
    case CREDENTIAL_GATEWAY:
        break;
    }
    e = check_version(v);
    /* No page can make a browser send Authorization: the rule is about what is sent unasked. */
    if (e == E_OK && v->credential != CREDENTIAL_TOKEN)
        e = check_origin(v);
    return e == E_OK ? HTTP_ASK_STORE : refuse_now(v, e);
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
    enum err e = router_find(&door->router, call->arena, &call->req, &v->route, &allow);
    if (e == E_METHOD_NOT_ALLOWED && call->req.method == HTTP_OPTIONS)
        return answer_options(v, allow);
    if (e != E_OK) {
        refuse_now(v, e);
        if (e == E_METHOD_NOT_ALLOWED)
            http_reply_field(&call->reply, S("allow"), allow);
        return HTTP_ANSWERED;
    }
    return judge_visit(v, call);
}

static enum http_next on_admit(void *self, struct http_call *call)
{
    struct visit *v = call->state;
    enum err e;

    (void)self;
    v->cx.doing = "judging the credential";
    if (v->credential == CREDENTIAL_KEY) {
        e = keys_admit(&v->cx, &v->req->api_key, &v->facts, &v->answer);
        if (e == E_OK)
            e = after_decision(v);
    } else if (v->credential == CREDENTIAL_GATE) {
        e = gate_admit(&v->cx, &v->session, &v->who);
        v->cx.who = &v->who;
    } else if (v->credential == CREDENTIAL_GATEWAY) {
        e = gate_admit_gateway(&v->cx, v->req, &v->who);
        v->cx.who = &v->who;
    } else {
        e = admit_person(v);
    }
    return e == E_OK ? let_in(v, call) : refuse_now(v, e);
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
    leave(v, e);
    return HTTP_ANSWERED;
}

static void on_refuse(void *self, struct http_call *call, enum err e, str detail)
{
    struct visit *v = call->state;
    bool is_judged = v != NULL;

    if (!is_judged)
        v = visit_new(self, call->arena, &call->req, &call->reply, call->request_id);
    v->cx.failure = (struct failure){.detail = detail};
    leave(v, e);
    if (!is_judged) /* on_ended will not hear of it */
        count_request(v);
}

static void on_ended(void *self, struct http_call *call)
{
    struct visit *v = call->state;

    (void)self;
    if (!v)
        return;
    count_request(v);
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
