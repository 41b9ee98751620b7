/* A request's way in and out, whoever the caller is. */
#include "app/visit.h"

#include "audit/audit.h"
#include "base/log.h"
#include "base/time.h"
#include "console/console.h"
#include "gate/gate.h"
#include "http/reply.h"
#include "idempotency/idempotency.h"

/* ---- the way in ---- */

str visit_field(const struct http_req *req, struct arena *arena, str name)
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
                           visit_field(req, arena, S("forwarded")),
                           visit_field(req, arena, S("x-forwarded-for")));
}

struct visit *visit_new(struct door *door, struct arena *arena, struct http_req *req,
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
    v->form = keys_settings()->form;
    v->key_field = S("x-api-key");
    v->key = &req->api_key;
    return v;
}

enum err visit_explain(struct visit *v)
{
    const struct keys_answer *answer = &v->answer;

    v->facts.country = answer->country;
    decide_explain(&v->cx, &answer->verdict, answer->is_known ? &answer->key : NULL, &v->facts,
                   &v->form, v->key_field);
    return answer->verdict.code;
}

enum err visit_check_version(struct visit *v)
{
    enum version_fault fault = v->facts.version.fault;

    if (fault == VERSION_OK || (fault == VERSION_MISSING && !v->facts.version_is_required))
        return E_OK;
    v->answer.verdict.code = E_UNSUPPORTED_API_VERSION;
    return visit_explain(v);
}

enum err visit_check_origin(struct visit *v)
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

enum http_next visit_let_in(struct visit *v, struct http_call *call)
{
    enum err e = idempotency_read(&v->cx, v->route, v->req, &v->idempotency_key);

    if (e != E_OK)
        return visit_refuse(v, e);
    call->body_max_bytes =
        v->route->body_max_bytes ? v->route->body_max_bytes : ROUTE_BODY_MAX_BYTES;
    return v->route->is_instant ? HTTP_RUN_HERE : HTTP_RUN_WORKER;
}

/* ---- the way out ---- */

bool visit_is_enterprise(const struct http_req *req)
{
    return str_starts(req->path, S("/api/employer/"));
}

bool visit_is_management(const struct http_req *req)
{
    return str_starts(req->path, S("/api/v1/"));
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
    else if (visit_is_management(v->req))
        http_reply_errors(&v->cx, e, v->reply);
    else
        http_reply_problem(&v->cx, v->req, e, v->reply);
}

void visit_leave(struct visit *v, enum err e)
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
    if (visit_is_enterprise(v->req))
        http_reply_field(v->reply, S("x-api-version"), S(API_VERSION_NEWEST));
}

enum http_next visit_refuse(struct visit *v, enum err e)
{
    visit_leave(v, e);
    return HTTP_ANSWERED;
}

void visit_count(const struct visit *v)
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
