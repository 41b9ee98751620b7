/* The API's routes, called without a socket. */
#include "console/api.h"

#include <assert.h>

#include "audit/audit.h"
#include "auth/auth.h"
#include "base/json.h"
#include "http/reply.h"
#include "idempotency/idempotency.h"
#include "keys/keys.h"

enum { BODY_MAX_BYTES = 64 * 1024 };

/* The tables of the capabilities that have pages. */
static const struct router api = {.tables = {auth_routes, key_routes, audit_routes}, .n_tables = 3};

static int put_piece(const char *bytes, size_t n, void *out)
{
    buf_put(out, (str){bytes, n});
    return 0;
}

static void take_cookies(const struct http_reply *from, struct http_reply *to)
{
    for (size_t i = 0; to && i < from->n_fields; i++)
        if (str_eq(from->fields[i].name, S("set-cookie")))
            http_reply_field(to, from->fields[i].name, from->fields[i].value);
}

/* As the door does it (app/door.c), after the caller was let in. */
static enum err run_route(struct cx *cx, const struct route *route, const struct http_req *req,
                          struct http_reply *reply)
{
    str once;

    TRY(idempotency_read(cx, route, req, &once));
    return str_is_none(once) ? route->handler(cx, req, reply)
                             : idempotency_handle(cx, route, req, once, reply);
}

static enum err run(struct cx *cx, struct http_req *req, struct http_reply *cookies,
                    json_t **answer)
{
    const struct route *route = NULL;
    struct http_reply reply;
    str allow;

    TRY(router_find(&api, cx->arena, req, &route, &allow));
    assert(route->access.kind == ACCESS_OPEN || cx->who->role >= route->access.role);
    http_reply_init(&reply);
    enum err e = run_route(cx, route, req, &reply);
    if (e == E_OK && !str_is_none(reply.content_type))
        e = json_read(cx, buf_str(&reply.body), answer);
    if (e == E_OK)
        take_cookies(&reply, cookies);
    http_reply_drop(&reply);
    return e;
}

enum err api_run(struct cx *cx, const struct api_call *call, struct http_reply *cookies,
                 json_t **answer)
{
    const struct http_field fields[] = {
        {.name = S("content-type"), .value = S("application/json")},
        {.name = S("idempotency-key"), .value = call->once},
    };
    str query = call->target;
    struct http_req req = {
        .method = call->method,
        .target = call->target,
        .path = str_cut(&query, S("?")),
        .query = query,
        .fields = fields,
        .n_fields = str_is_none(call->once) ? 1 : 2,
        .cookie = call->of->cookie, /* a loan: it is not dropped here */
        .peer = call->of->peer,
    };
    struct buf body;

    buf_init(&body, BODY_MAX_BYTES);
    if (call->body)
        json_dump_callback(call->body, put_piece, &body, JSON_COMPACT);
    req.body = buf_str(&body);
    enum err e = body.is_full ? E_BODY_TOO_LARGE : run(cx, &req, cookies, answer);
    buf_drop(&body);
    return e;
}

enum err api_get(struct cx *cx, const struct http_req *of, str target, json_t **answer)
{
    return api_run(
        cx, &(struct api_call){.method = HTTP_GET, .target = target, .once = STR_NONE, .of = of},
        NULL, answer);
}

str api_text(const json_t *object, const char *member)
{
    return json_text(json_object_get(object, member));
}
