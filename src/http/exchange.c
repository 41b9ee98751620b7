/* One request on a connection: its head, who judges it, its body, who handles it, its reply. */
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "http/chars.h"
#include "http/tls.h"

enum { OUT_MAX_BYTES = 1024 * 1024, REQUEST_ID_MAX_BYTES = 64 };

/* ---- its memory ---- */

struct http_exchange *http_exchange_take(struct http_conn *c)
{
    struct http_loop *loop = c->loop;
    struct http_exchange *x = loop->spares;

    if (x) {
        loop->spares = x->next;
        loop->n_spares--;
    } else {
        x = mem_new(sizeof *x);
        x->loop = loop;
        x->call.arena = arena_new();
        http_reply_init(&x->call.reply);
        buf_init(&x->in, HTTP_IN_MAX_BYTES);
        buf_init(&x->ahead, HTTP_IN_MAX_BYTES);
        buf_init(&x->body, 0);
        buf_init(&x->out, OUT_MAX_BYTES);
    }
    x->conn = c;
    return x;
}

void http_exchange_free(struct http_exchange *x)
{
    http_req_drop(&x->call.req);
    http_reply_drop(&x->call.reply);
    arena_drop(&x->call.arena);
    buf_drop(&x->in);
    buf_drop(&x->ahead);
    buf_drop(&x->body);
    buf_drop(&x->out);
    free(x);
}

static void release_body(struct http_exchange *x)
{
    if (x->reserved)
        atomic_fetch_sub(&x->loop->engine->body_bytes, x->reserved);
    x->reserved = 0;
}

static void clear_or_drop(struct buf *b)
{
    if (b->cap > HTTP_KEEP_BYTES)
        buf_drop(b);
    else
        buf_clear(b);
}

/* Wiped: an idle server holds no raw key, nor anybody's data. */
static void forget_call(struct http_exchange *x)
{
    const struct http_service *service = x->loop->engine->service;

    if (x->is_judged && service->ended)
        service->ended(service->self, &x->call);
    http_req_drop(&x->call.req);
    clear_or_drop(&x->call.reply.body);
    http_reply_clear(&x->call.reply);
    arena_reset(x->call.arena);
    x->call.req = (struct http_req){0};
    x->call.request_id = STR_NONE;
    x->call.body_max_bytes = 0;
    x->call.state = NULL;
    clear_or_drop(&x->body);
    clear_or_drop(&x->out);
    release_body(x);
    x->scan = (struct http_scan){0};
    x->chunks = (struct http_chunks){0};
    x->body_left = 0;
    x->has_chunks_left = x->must_close = x->is_lingering = false;
    x->is_judged = x->is_admitting = false;
}

void http_exchange_next(struct http_exchange *x)
{
    forget_call(x);
    buf_shift(&x->in, x->in_at);
    x->in_at = 0;
    if (x->ahead.n)
        buf_put(&x->in, buf_str(&x->ahead));
    buf_drop(&x->ahead);
}

void http_exchange_give(struct http_loop *loop, struct http_exchange *x)
{
    forget_call(x);
    buf_clear(&x->in);
    x->in_at = 0;
    buf_drop(&x->ahead);
    x->conn = NULL;
    if (loop->n_spares >= HTTP_SPARES_MAX || loop->is_stopping) {
        http_exchange_free(x);
        return;
    }
    if (x->in.cap > HTTP_KEEP_BYTES)
        buf_drop(&x->in);
    x->next = loop->spares;
    loop->spares = x;
    loop->n_spares++;
}

/* ---- answering ---- */

static bool request_id_is_good(str id)
{
    if (id.n < 1 || id.n > REQUEST_ID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!http_char_is(id.p[i], CHAR_NAME) || id.p[i] == '~')
            return false;
    return true;
}

static void choose_request_id(struct http_exchange *x)
{
    str asked = http_req_field(&x->call.req, S("x-request-id"), NULL);
    char *made;

    if (request_id_is_good(asked)) {
        x->call.request_id = asked;
        return;
    }
    made = arena_alloc(x->call.arena, 32);
    hex_write(http_loop_random(x->loop), 16, made);
    x->call.request_id = (str){made, 32};
}

/* What of the body is not read, and whether so little that reading it is better than closing. */
static bool rest_is_small(const struct http_exchange *x)
{
    /* RFC 9110 section 10.1.1: whoever waits for 100 Continue may send the body or may not. */
    if (x->has_chunks_left || (x->body_left && x->call.req.expects_continue))
        return false;
    return x->body_left <= HTTP_DRAIN_MAX_BYTES;
}

static void answer(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    struct http_reply *reply = &x->call.reply;
    const struct http_req *req = &x->call.req;

    x->is_lingering = x->must_close || !rest_is_small(x);
    if (x->is_lingering || req->is_http_1_0 || req->wants_close ||
        atomic_load_explicit(&c->loop->engine->is_stopping, memory_order_relaxed))
        reply->closes = true;
    if (reply->closes && x->body_left)
        x->is_lingering = true;
    http_send(c);
}

static void refuse_and_go_on(struct http_conn *c, enum err e, str detail)
{
    struct http_exchange *x = c->x;
    const struct http_service *service = c->loop->engine->service;

    if (str_is_none(x->call.request_id))
        choose_request_id(x);
    http_reply_clear(&x->call.reply);
    service->refuse(service->self, &x->call, e, detail);
    answer(c);
}

void http_exchange_refuse(struct http_conn *c, enum err e, str detail)
{
    c->x->must_close = true;
    refuse_and_go_on(c, e, detail);
}

/* ---- the workers ---- */

static void work(struct http_job *job)
{
    struct http_exchange *x =
        (struct http_exchange *)(void *)((char *)job - offsetof(struct http_exchange, job));
    const struct http_service *service = x->loop->engine->service;

    if (x->is_admitting)
        x->then = service->admit(service->self, &x->call);
    else
        x->then = service->handle(service->self, &x->call);
    http_loop_return(x->loop, x);
}

static void ask_worker(struct http_conn *c, enum http_conn_state state)
{
    struct http_exchange *x = c->x;

    x->is_admitting = state == CONN_ADMIT;
    x->job.run = work;
    http_conn_wait(c, state, INT64_MAX);
    x->is_working = true;
    c->loop->n_working++;
    if (http_pool_put(c->loop->engine->pool, &x->job))
        return;
    x->is_working = false;
    c->loop->n_working--;
    refuse_and_go_on(c, E_OVERLOADED, S("Too many requests are waiting for a worker."));
}

static void handle(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    const struct http_service *service = c->loop->engine->service;

    if (x->then == HTTP_RUN_WORKER) {
        ask_worker(c, CONN_RUN);
        return;
    }
    x->then = service->handle(service->self, &x->call);
    if (x->then == HTTP_RUN_WORKER)
        ask_worker(c, CONN_RUN);
    else
        answer(c);
}

/* ---- the body ---- */

/* Count bytes into what all bodies together may take. */
static bool reserve(struct http_exchange *x, int64_t bytes)
{
    struct http_engine *engine = x->loop->engine;
    int64_t before = atomic_fetch_add(&engine->body_bytes, bytes);

    x->reserved += bytes;
    return before + bytes <= engine->options.body_memory_max_bytes;
}

static void refuse_body(struct http_conn *c)
{
    struct http_call *call = &c->x->call;

    refuse_and_go_on(
        c, E_BODY_TOO_LARGE,
        arena_printf(call->arena, "The limit here is %" PRIu64 " bytes.", call->body_max_bytes));
}

static void refuse_memory(struct http_conn *c)
{
    release_body(c->x);
    refuse_and_go_on(c, E_OVERLOADED, S("Too many bodies are being received."));
}

/* RFC 9110 section 10.1.1: no 100 where a part of the body is here already. */
static bool continues(struct http_conn *c)
{
    struct http_exchange *x = c->x;

    if (!x->call.req.expects_continue || x->in_at < x->in.n || x->ahead.n)
        return true;
    return http_send_continue(c);
}

/* It was judged and may come in; nothing of it was read until here. */
static void receive(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    struct http_req *req = &x->call.req;
    uint64_t max = x->call.body_max_bytes;

    if (!req->has_body) {
        handle(c);
    } else if (req->declared_bytes > max) {
        refuse_body(c);
    } else if (!reserve(x, (int64_t)req->declared_bytes)) {
        refuse_memory(c);
    } else if (!continues(c)) {
        http_conn_close(c);
    } else {
        x->body.max = max;
        http_conn_wait(c, CONN_BODY, c->loop->engine->options.body_timeout_ms);
    }
}

static void body_is_whole(struct http_conn *c, str body)
{
    c->x->call.req.body = body;
    handle(c);
}

/* As much of the declared body as `from` holds; returns how much that was. */
static size_t take_declared(struct http_exchange *x, str from)
{
    size_t n = from.n < x->body_left ? from.n : (size_t)x->body_left;

    buf_put(&x->body, str_sub(from, 0, n));
    x->body_left -= n;
    return n;
}

static bool read_declared(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    uint64_t declared = x->call.req.declared_bytes;
    str here = str_sub(buf_str(&x->in), x->in_at, x->in.n);

    /* A small body mostly comes along with its head: no copy then. */
    if (x->body_left == declared && here.n >= declared) {
        x->in_at += declared;
        x->body_left = 0;
        body_is_whole(c, str_sub(here, 0, declared));
        return true;
    }
    x->in_at += take_declared(x, here);
    buf_shift(&x->ahead, take_declared(x, buf_str(&x->ahead)));
    if (x->body_left)
        return false;
    body_is_whole(c, buf_str(&x->body));
    return true;
}

/* The next piece of chunks; what was used of it goes into *used. */
static enum http_parse decode(struct http_exchange *x, str piece, size_t *used,
                              struct http_fault *fault)
{
    size_t before = x->body.n;
    enum http_parse verdict =
        http_chunks_read(&x->chunks, piece, used, &x->body, x->call.body_max_bytes, fault);

    if (verdict != HTTP_REFUSED && !reserve(x, (int64_t)(x->body.n - before))) {
        *fault = (struct http_fault){E_OVERLOADED, "Too many bodies are being received."};
        return HTTP_REFUSED;
    }
    return verdict;
}

static bool read_chunks(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    struct http_fault fault;
    size_t used;

    enum http_parse verdict = decode(x, str_sub(buf_str(&x->in), x->in_at, x->in.n), &used, &fault);
    x->in_at += used;
    if (verdict == HTTP_NEED_MORE) {
        verdict = decode(x, buf_str(&x->ahead), &used, &fault);
        buf_shift(&x->ahead, used);
    }
    if (verdict == HTTP_NEED_MORE)
        return false;
    if (verdict == HTTP_COMPLETE) {
        x->has_chunks_left = false;
        body_is_whole(c, buf_str(&x->body));
    } else if (fault.err == E_BODY_TOO_LARGE) {
        refuse_body(c);
    } else {
        http_exchange_refuse(c, fault.err, str_of(fault.detail));
    }
    return true;
}

bool http_exchange_read_body(struct http_conn *c)
{
    return c->x->call.req.is_chunked ? read_chunks(c) : read_declared(c);
}

/* ---- the head ---- */

static void go_on(struct http_conn *c, enum http_next next)
{
    c->x->then = next;
    if (next == HTTP_ANSWERED)
        answer(c);
    else if (next == HTTP_ASK_STORE)
        ask_worker(c, CONN_ADMIT);
    else
        receive(c);
}

void http_exchange_returned(struct http_conn *c)
{
    struct http_exchange *x = c->x;

    if (!x->is_admitting) {
        answer(c);
        return;
    }
    assert(x->then != HTTP_ASK_STORE);
    go_on(c, x->then);
}

static enum http_parse parse(struct http_conn *c, struct http_fault *fault)
{
    struct http_exchange *x = c->x;
    struct http_req *req = &x->call.req;
    size_t head_bytes;

    enum http_parse verdict = http_scan_head(&x->scan, buf_str(&x->in), &head_bytes, fault);
    if (verdict != HTTP_COMPLETE)
        return verdict;
    verdict = http_parse_head(x->call.arena, x->in.p, head_bytes, req, fault);
    x->in_at = head_bytes;
    x->body_left = req->declared_bytes;
    x->has_chunks_left = req->is_chunked;
    req->peer = c->peer;
    req->is_tls = c->tls != NULL;
    req->client_cert = http_tls_client_cert(c, x->call.arena);
    req->way = c->way;
    req->local_uid = c->local_uid;
    return verdict;
}

bool http_exchange_read_head(struct http_conn *c)
{
    const struct http_service *service = c->loop->engine->service;
    struct http_fault fault;
    enum http_parse verdict = parse(c, &fault);

    if (verdict == HTTP_NEED_MORE)
        return false;
    if (verdict == HTTP_REFUSED) {
        http_exchange_refuse(c, fault.err, str_of(fault.detail));
        return true;
    }
    choose_request_id(c->x);
    c->x->is_judged = true;
    go_on(c, service->head(service->self, &c->x->call));
    return true;
}
