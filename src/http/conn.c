/* A connection: bytes in, one request at a time, and the ways it can end. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/banned.h"
#include "base/mem.h"
#include "http/tls.h"

/* ---- its end ---- */

static void unlink_conn(struct http_conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->loop->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
}

static void let_go_of_exchange(struct http_conn *c)
{
    struct http_exchange *x = c->x;

    c->x = NULL;
    if (x && x->is_working)
        x->conn = NULL;
    else if (x)
        http_exchange_give(c->loop, x);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_conn *c = handle->data;
    struct http_loop *loop = c->loop;

    let_go_of_exchange(c);
    http_tls_free(c);
    unlink_conn(c);
    if (c->way != HTTP_OVER_CONTROL)
        atomic_fetch_sub(&loop->engine->n_conns, 1);
    if (c->is_counted)
        http_peers_remove(loop->engine->peers, &c->peer);
    free(c);
    http_loop_check_end(loop);
}

void http_conn_close(struct http_conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->tls)
        http_tls_say_end(c);
    c->state = CONN_CLOSED;
    uv_close(&c->uv.handle, on_closed);
}

/* Whoever takes no bytes is sent no more: what the kernel still holds for them is thrown away. */
static void abort_conn(struct http_conn *c)
{
    if (c->way != HTTP_OVER_TCP || uv_tcp_close_reset(&c->uv.tcp, on_closed) != 0)
        http_conn_close(c);
    else
        c->state = CONN_CLOSED;
}

void http_conn_wait(struct http_conn *c, enum http_conn_state state, int64_t ms)
{
    int64_t now_ms = (int64_t)uv_now(&c->loop->uv);

    c->state = state;
    c->deadline_ms = ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + ms;
}

/* Say that nothing more comes, and read on for a while: closing now would send a reset, which may
 * overtake the answer. */
static void linger(struct http_conn *c)
{
    int fd;

    http_exchange_give(c->loop, c->x);
    c->x = NULL;
    if (c->is_eof || uv_fileno(&c->uv.handle, &fd) != 0) {
        http_conn_close(c);
        return;
    }
    if (c->tls)
        http_tls_say_end(c);
    shutdown(fd, SHUT_WR);
    c->rest = 0;
    http_conn_wait(c, CONN_LINGER, HTTP_LINGER_MS);
}

/* Between two requests. */
static void rest(struct http_conn *c)
{
    const struct http_engine_options *options = &c->loop->engine->options;

    if (c->x->in.n) {
        http_conn_wait(c, CONN_HEAD, options->head_timeout_ms);
        return;
    }
    http_exchange_give(c->loop, c->x);
    c->x = NULL;
    http_conn_wait(c, CONN_IDLE, options->idle_timeout_ms);
}

void http_conn_replied(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    bool closes = x->call.reply.closes;
    uint64_t body_left = x->body_left;

    if (closes && x->is_lingering) {
        linger(c);
    } else if (closes) {
        http_conn_close(c);
    } else {
        http_exchange_next(x);
        c->rest = body_left;
        if (body_left)
            http_conn_wait(c, CONN_DRAIN, c->loop->engine->options.body_timeout_ms);
        else
            rest(c);
    }
}

/* Of the reply, what the other side has not taken. */
static size_t unsent(const struct http_conn *c)
{
    return c->tls ? http_tls_unsent(c) : c->uv.stream.write_queue_size;
}

void http_conn_expire(struct http_conn *c)
{
    switch (c->state) {
    case CONN_HANDSHAKE:
        http_tls_expire(c);
        break;
    case CONN_HEAD:
        http_exchange_refuse(c, E_REQUEST_TIMEOUT, S("The head did not arrive in time."));
        http_conn_run(c);
        break;
    case CONN_BODY:
        http_exchange_refuse(c, E_REQUEST_TIMEOUT, S("The body did not arrive in time."));
        http_conn_run(c);
        break;
    case CONN_WRITE:
        if (unsent(c) < c->unsent) {
            c->unsent = unsent(c);
            http_conn_wait(c, CONN_WRITE, c->loop->engine->options.write_timeout_ms);
            break;
        }
        abort_conn(c);
        break;
    default:
        http_conn_close(c);
    }
}

/* ---- going on ---- */

/* A client may close its side and still want its answers; half a request gets none but this. */
static bool read_head(struct http_conn *c)
{
    if (http_exchange_read_head(c))
        return true;
    if (!c->is_eof)
        return false;
    http_exchange_refuse(c, E_MALFORMED_REQUEST, S("The connection ended within the head."));
    return true;
}

static bool read_body(struct http_conn *c)
{
    if (http_exchange_read_body(c))
        return true;
    if (!c->is_eof)
        return false;
    http_exchange_refuse(c, E_MALFORMED_REQUEST, S("The connection ended within the body."));
    return true;
}

static bool drain(struct http_conn *c)
{
    struct buf *in = &c->x->in;
    size_t n = in->n < c->rest ? in->n : (size_t)c->rest;

    buf_shift(in, n);
    c->rest -= n;
    if (c->rest == 0)
        rest(c);
    else if (c->is_eof)
        http_conn_close(c);
    return c->rest == 0;
}

static bool step(struct http_conn *c)
{
    switch (c->state) {
    case CONN_IDLE:
        if (!c->x || c->x->in.n == 0) {
            if (c->is_eof)
                http_conn_close(c);
            return false;
        }
        http_conn_wait(c, CONN_HEAD, c->loop->engine->options.head_timeout_ms);
        return true;
    case CONN_HEAD:
        return read_head(c);
    case CONN_BODY:
        return read_body(c);
    case CONN_DRAIN:
        return drain(c);
    case CONN_LINGER:
        if (c->is_eof || c->rest > HTTP_LINGER_MAX_BYTES)
            http_conn_close(c);
        return false;
    default:
        return false;
    }
}

/* ---- reading ---- */

/* Where the next bytes go; none: there is enough already. */
static uv_buf_t room_in(struct buf *b, size_t n)
{
    char *p = buf_room(b, n);

    return p ? uv_buf_init(p, (unsigned)n) : uv_buf_init(NULL, 0);
}

/* All that the buffer has, and HTTP_READ_BYTES at least. */
static uv_buf_t room_for_head(struct buf *in)
{
    size_t least = in->n == 0 ? HTTP_READ_BYTES : HTTP_READ_BYTES / 4;
    size_t spare = in->cap - in->n;

    return room_in(in, spare > least ? spare : least);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_conn *c = handle->data;
    struct http_exchange *x = c->x;

    (void)suggested;
    if (c->state == CONN_LINGER || c->state == CONN_CLOSED) {
        *out = uv_buf_init(c->loop->scratch, sizeof c->loop->scratch);
        return;
    }
    if (!x)
        x = c->x = http_exchange_take(c);
    if (c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_DRAIN)
        *out = room_for_head(&x->in);
    else if (c->state == CONN_BODY && !x->call.req.is_chunked)
        *out = room_in(&x->body, x->body_left < HTTP_BODY_READ_BYTES ? (size_t)x->body_left
                                                                     : HTTP_BODY_READ_BYTES);
    else
        *out = room_in(&x->ahead, HTTP_READ_BYTES);
}

static void took(struct http_conn *c, size_t n)
{
    struct http_exchange *x = c->x;

    switch (c->state) {
    case CONN_CLOSED:
    case CONN_LINGER:
        mem_wipe(c->loop->scratch, n);
        c->rest += n;
        break;
    case CONN_IDLE:
    case CONN_HEAD:
    case CONN_DRAIN:
        buf_grown(&x->in, n);
        break;
    case CONN_BODY:
        if (!x->call.req.is_chunked) {
            buf_grown(&x->body, n);
            x->body_left -= n;
            break;
        }
        __attribute__((fallthrough));
    default:
        buf_grown(&x->ahead, n);
    }
}

static void heard(struct http_conn *c, ssize_t n)
{
    if (n > 0)
        took(c, (size_t)n);
    else if (n == UV_EOF)
        c->is_eof = true;
    else if (n < 0)
        http_conn_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *part)
{
    struct http_conn *c = stream->data;

    (void)part;
    heard(c, n);
    http_conn_run(c);
}

/* What TLS has decrypted, as long as it is wanted. */
static bool pull(struct http_conn *c)
{
    uv_buf_t room;

    if (!c->tls || !c->is_reading || c->state == CONN_LINGER || !http_tls_has_input(c))
        return false;
    on_room(&c->uv.handle, 0, &room);
    ssize_t n = http_tls_read(c, room);
    heard(c, n);
    return n != 0;
}

/* Bytes here that are not the request's head, nor taken into its body. */
static size_t behind(const struct http_exchange *x)
{
    return x->in.n - x->in_at + x->ahead.n;
}

/* Back-pressure: while a request is at work, only so much of what follows is taken in. */
static void pace(struct http_conn *c)
{
    bool is_busy = c->state == CONN_ADMIT || c->state == CONN_RUN || c->state == CONN_WRITE;
    bool wants = !c->is_eof && !(is_busy && behind(c->x) >= HTTP_AHEAD_MAX_BYTES);

    if (wants == c->is_reading)
        return;
    c->is_reading = wants;
    if (!wants)
        uv_read_stop(&c->uv.stream);
    else if (uv_read_start(&c->uv.stream, c->tls ? http_tls_on_room : on_room,
                           c->tls ? http_tls_on_read : on_read) != 0)
        http_conn_close(c);
}

static void give_back_if_idle(struct http_conn *c)
{
    if (c->state != CONN_IDLE)
        return;
    if (c->tls)
        http_tls_rest(c);
    if (!c->x)
        return;
    http_exchange_give(c->loop, c->x);
    c->x = NULL;
}

void http_conn_run(struct http_conn *c)
{
    do {
        while (step(c)) {
        }
        if (c->state == CONN_CLOSED)
            return;
        pace(c);
    } while (pull(c));
    give_back_if_idle(c);
}

/* ---- its beginning ---- */

static void note_peer(struct http_conn *c)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    struct sockaddr_storage storage;
    int n = sizeof storage;

    if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&storage, &n) != 0)
        return;
    if (storage.ss_family == AF_INET) {
        c->peer.family = NET_V4;
        memcpy(c->peer.bytes, &((struct sockaddr_in *)&storage)->sin_addr, 4);
    } else if (storage.ss_family == AF_INET6) {
        const uint8_t *bytes = ((struct sockaddr_in6 *)&storage)->sin6_addr.s6_addr;
        bool is_v4 = memcmp(bytes, mapped, sizeof mapped) == 0;
        c->peer.family = is_v4 ? NET_V4 : NET_V6;
        memcpy(c->peer.bytes, is_v4 ? bytes + 12 : bytes, is_v4 ? 4 : 16);
    }
}

static void note_local_peer(struct http_conn *c)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    int fd;

    if (uv_fileno(&c->uv.handle, &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0)
        c->local_uid = (int64_t)peer.uid;
}

static struct http_conn *conn_new(struct http_loop *loop, enum http_way way)
{
    struct http_conn *c = mem_new(sizeof *c);

    c->loop = loop;
    c->way = way;
    c->local_uid = -1;
    c->uv.handle.data = c;
    c->next = loop->conns;
    if (c->next)
        c->next->prev = c;
    loop->conns = c;
    if (way == HTTP_OVER_TCP)
        uv_tcp_init(&loop->uv, &c->uv.tcp);
    else
        uv_pipe_init(&loop->uv, &c->uv.pipe, 0);
    return c;
}

/* Proxies are not counted for their address: many clients come through one. */
static int count_for_address(struct http_conn *c)
{
    struct http_engine *engine = c->loop->engine;
    const struct http_proxies *proxies = atomic_load(&engine->proxies);

    if (engine->options.connections_per_address == 0 || c->peer.family == NET_NONE ||
        (proxies && net_cidrs_have(proxies->cidrs, proxies->n, &c->peer)))
        return 0;
    c->is_counted = true;
    return http_peers_add(engine->peers, &c->peer);
}

/* One past a limit: it is told so, unless too many are being told already, or a handshake would
 * have to come first. */
static void turn_away(struct http_conn *c, int n_past, const char *why)
{
    atomic_fetch_add(&c->loop->engine->turned_away, 1);
    if (n_past > HTTP_TOLD_MAX || c->loop->engine->tls) {
        http_conn_close(c);
        return;
    }
    c->x = http_exchange_take(c);
    http_exchange_refuse(c, E_OVERLOADED, str_of(why));
    http_conn_run(c);
}

static void begin(struct http_conn *c, int n_conns)
{
    const struct http_engine_options *options = &c->loop->engine->options;
    int n_past = n_conns - options->connections_max;
    int n_past_of_address = count_for_address(c) - options->connections_per_address;

    http_conn_wait(c, CONN_IDLE, options->head_timeout_ms);
    if (n_past > 0)
        turn_away(c, n_past, "Too many connections are open.");
    else if (c->is_counted && n_past_of_address > 0)
        turn_away(c, n_past_of_address, "Too many connections are open from this address.");
    else if (c->loop->engine->tls && c->way == HTTP_OVER_TCP)
        http_tls_begin(c);
    else
        http_conn_run(c);
}

void http_conn_open(struct http_loop *loop, uv_stream_t *listener, enum http_way way)
{
    struct http_conn *c = conn_new(loop, way);
    struct http_engine *engine = loop->engine;
    int n_conns = way == HTTP_OVER_CONTROL ? 0 : atomic_fetch_add(&engine->n_conns, 1) + 1;

    if (uv_accept(listener, &c->uv.stream) != 0) {
        http_conn_close(c);
        return;
    }
    if (way == HTTP_OVER_TCP)
        note_peer(c);
    else
        note_local_peer(c);
    begin(c, n_conns);
}
