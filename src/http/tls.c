/* TLS of one connection: its handshake, its bytes in and out, its end. */
#include "http/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    /* All that a client may send before its handshake is over. */
    HANDSHAKE_MAX_BYTES = 64 * 1024,
    /* Handshakes that an I/O thread goes on with before it looks after the others again. */
    STEPS_A_TURN = 8,
    /* What is encrypted at a time; the next piece waits until this one has left. */
    PIECE_BYTES = 64 * 1024,
    /* A piece with what its records add, and what OpenSSL has to say besides. */
    OUT_MAX_BYTES = 256 * 1024,
    KEEP_BYTES = 16 * 1024,
    LOG_LINES = 10,
    LOG_WITHIN_MS = 10000,
};

struct http_tls {
    struct http_conn *conn;
    struct http_conn *prev, *next; /* in the loop's handshakes, while one is under way */
    SSL *ssl;                      /* NULL until the first byte is here */
    struct buf held;               /* received; not taken by OpenSSL yet */
    str loan;                      /* likewise, behind it: in the buffer of the loop */
    struct buf out;                /* to be sent */
    struct buf flight;             /* being sent */
    uv_write_t write;
    size_t n_received; /* until the handshake is over */
    bool is_open;      /* the handshake is over */
    bool has_step;     /* the handshake can go on */
    bool is_writing;   /* flight is with libuv */
    bool is_sending;   /* a reply is leaving */
    bool is_broken;    /* OpenSSL wants no more of it */
};

/* ---- OpenSSL's view of the socket ---- */

static int take(char *to, int n, str *from)
{
    size_t taken = from->n < (size_t)n ? from->n : (size_t)n;

    memcpy(to, from->p, taken);
    *from = str_sub(*from, taken, from->n);
    return (int)taken;
}

static int on_bio_read(BIO *bio, char *to, int n)
{
    struct http_tls *t = BIO_get_data(bio);
    str held = buf_str(&t->held);

    BIO_clear_retry_flags(bio);
    if (held.n) {
        int taken = take(to, n, &held);
        buf_shift(&t->held, (size_t)taken);
        return taken;
    }
    if (t->loan.n)
        return take(to, n, &t->loan);
    BIO_set_retry_read(bio);
    return -1;
}

static int on_bio_write(BIO *bio, const char *from, int n)
{
    struct http_tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buf_put(&t->out, (str){from, (size_t)n});
    return t->out.is_full ? -1 : n;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)bio, (void)number, (void)ptr;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_method_once = PTHREAD_ONCE_INIT;

/* As long as the process. */
static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport buffers");
    if (!bio_method || BIO_meth_set_read(bio_method, on_bio_read) != 1 ||
        BIO_meth_set_write(bio_method, on_bio_write) != 1 ||
        BIO_meth_set_ctrl(bio_method, on_bio_ctrl) != 1)
        abort();
}

static bool make_session(struct http_conn *c)
{
    struct http_tls *t = c->tls;

    pthread_once(&bio_method_once, make_bio_method);
    t->ssl = http_tls_context_session(c->loop->engine->tls);
    BIO *bio = t->ssl ? BIO_new(bio_method) : NULL;
    if (!bio)
        return false;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_accept_state(t->ssl);
    return true;
}

/* ---- bytes to the socket ---- */

static void drop_if_large(struct buf *b)
{
    if (b->cap > KEEP_BYTES)
        buf_drop(b);
    else
        buf_clear(b);
}

static bool flush(struct http_conn *c);
static bool feed(struct http_conn *c);

static void on_written(uv_write_t *write, int status)
{
    struct http_conn *c = write->data;
    struct http_tls *t = c->tls;

    t->is_writing = false;
    drop_if_large(&t->flight);
    if (c->state == CONN_CLOSED)
        return;
    if (status < 0) {
        http_conn_close(c);
    } else if (!t->is_sending) {
        flush(c);
    } else if (feed(c)) {
        http_conn_replied(c);
        http_conn_run(c);
    }
}

static void write_later(struct http_conn *c)
{
    struct http_tls *t = c->tls;
    struct buf empty = t->flight;

    t->flight = t->out;
    t->out = empty;
    t->write.data = c;
    const uv_buf_t part = uv_buf_init(t->flight.p, (unsigned)t->flight.n);
    if (uv_write(&t->write, &c->uv.stream, &part, 1, on_written) != 0)
        http_conn_close(c);
    else
        t->is_writing = true;
}

/* True: nothing is left to send. */
static bool flush(struct http_conn *c)
{
    struct http_tls *t = c->tls;
    const uv_buf_t part = uv_buf_init(t->out.p, (unsigned)t->out.n);

    if (c->state == CONN_CLOSED || t->is_writing)
        return false;
    if (t->out.n == 0)
        return true;
    int sent = uv_try_write(&c->uv.stream, &part, 1);
    if (sent == (int)t->out.n) {
        drop_if_large(&t->out);
        return true;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        http_conn_close(c);
        return false;
    }
    buf_shift(&t->out, sent > 0 ? (size_t)sent : 0);
    write_later(c);
    return false;
}

/* ---- the handshakes of a loop ---- */

static void link_handshake(struct http_conn *c)
{
    struct http_loop *loop = c->loop;

    c->tls->prev = loop->last_handshake;
    if (c->tls->prev)
        c->tls->prev->tls->next = c;
    else
        loop->first_handshake = c;
    loop->last_handshake = c;
    loop->n_handshakes++;
}

/* Harmless if it is not linked. */
static void unlink_handshake(struct http_conn *c)
{
    struct http_loop *loop = c->loop;
    struct http_tls *t = c->tls;

    if (loop->first_handshake != c && !t->prev)
        return;
    if (t->prev)
        t->prev->tls->next = t->next;
    else
        loop->first_handshake = t->next;
    if (t->next)
        t->next->tls->prev = t->prev;
    else
        loop->last_handshake = t->prev;
    t->prev = t->next = NULL;
    loop->n_handshakes--;
}

/* ---- the reply ---- */

static bool encrypt(struct http_conn *c, const char *p, size_t n)
{
    ERR_clear_error();
    if (SSL_write(c->tls->ssl, p, (int)n) == (int)n)
        return true;
    c->tls->is_broken = true;
    http_conn_close(c);
    return false;
}

/* Head and beginning of the body in one record. */
static bool encrypt_both(struct http_conn *c, size_t *n)
{
    const uv_buf_t *parts = c->x->parts;
    char *joint = c->loop->joint;
    size_t head = parts[0].len, room = sizeof c->loop->joint - head;
    size_t body = parts[1].len < room ? parts[1].len : room;

    memcpy(joint, parts[0].base, head);
    memcpy(joint + head, parts[1].base, body);
    *n = head + body;
    bool is_done = encrypt(c, joint, *n);
    mem_wipe(joint, *n);
    return is_done;
}

/* False: there was nothing left, or the connection is closed. */
static bool encrypt_next(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    const uv_buf_t *part = x->parts[0].len ? &x->parts[0] : &x->parts[1];
    size_t n = part->len < PIECE_BYTES ? part->len : PIECE_BYTES;

    if (n == 0)
        return false;
    bool is_joint = x->parts[1].len && part == &x->parts[0] && n < sizeof c->loop->joint;
    if (!(is_joint ? encrypt_both(c, &n) : encrypt(c, part->base, n)))
        return false;
    http_skip_sent(x, n);
    /* With the last bytes: afterwards the socket might take no more before it is closed. */
    if (x->parts[0].len + x->parts[1].len == 0 && x->call.reply.closes)
        SSL_shutdown(c->tls->ssl);
    return true;
}

/* Piece by piece, so that a large reply is not in memory twice. True: all of it has left. */
static bool feed(struct http_conn *c)
{
    while (flush(c)) {
        if (encrypt_next(c))
            continue;
        c->tls->is_sending = false;
        return c->state != CONN_CLOSED;
    }
    return false;
}

void http_tls_send(struct http_conn *c)
{
    c->tls->is_sending = true;
    if (feed(c)) {
        http_conn_replied(c);
    } else if (c->state != CONN_CLOSED) {
        http_conn_wait(c, CONN_WRITE, c->loop->engine->options.write_timeout_ms);
        c->unsent = http_tls_unsent(c);
    }
}

bool http_tls_send_text(struct http_conn *c, str text)
{
    if (!encrypt(c, text.p, text.n))
        return false;
    flush(c);
    return c->state != CONN_CLOSED;
}

size_t http_tls_unsent(const struct http_conn *c)
{
    return c->x->parts[0].len + c->x->parts[1].len + c->uv.stream.write_queue_size;
}

void http_tls_say_end(struct http_conn *c)
{
    struct http_tls *t = c->tls;

    unlink_handshake(c);
    if (!t->is_open || t->is_broken || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    if (t->is_writing || t->out.n == 0)
        return;
    const uv_buf_t part = uv_buf_init(t->out.p, (unsigned)t->out.n);
    uv_try_write(&c->uv.stream, &part, 1);
    buf_clear(&t->out);
}

/* ---- bytes from the socket ---- */

bool http_tls_has_input(const struct http_conn *c)
{
    const struct http_tls *t = c->tls;

    return t->is_open && (t->held.n || t->loan.n || SSL_has_pending(t->ssl));
}

/* What went wrong is said to the client by an alert, which is in `out` already. */
static ssize_t give_up(struct http_conn *c)
{
    c->tls->is_broken = true;
    flush(c);
    return UV_EPROTO;
}

ssize_t http_tls_read(struct http_conn *c, uv_buf_t room)
{
    struct http_tls *t = c->tls;

    if (room.len == 0)
        return UV_ENOBUFS;
    ERR_clear_error();
    int n = SSL_read(t->ssl, room.base, room.len > INT_MAX ? INT_MAX : (int)room.len);
    if (n > 0)
        return n;
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        flush(c);
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return UV_EOF;
    default:
        return give_up(c);
    }
}

void http_tls_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_conn *c = handle->data;

    (void)suggested;
    *out = uv_buf_init(c->loop->scratch, sizeof c->loop->scratch);
}

/* The loop's buffer is for the next connection after this: what OpenSSL has not taken is kept. No
 * more than one buffer's worth, since reading stops meanwhile. */
static void keep_rest(struct http_tls *t)
{
    buf_put(&t->held, t->loan);
    t->loan = STR_NONE;
    if (t->held.n == 0)
        drop_if_large(&t->held);
}

static void hear_handshake(struct http_conn *c, str bytes);

static void hear(struct http_conn *c, str bytes)
{
    struct http_tls *t = c->tls;

    if (c->state == CONN_LINGER || c->state == CONN_CLOSED) {
        c->rest += bytes.n;
        http_conn_run(c);
    } else if (c->state == CONN_HANDSHAKE) {
        hear_handshake(c, bytes);
    } else {
        t->loan = bytes;
        http_conn_run(c);
        keep_rest(t);
    }
}

static void handshake_failed(struct http_conn *c, str reason);

/* The socket's end without close_notify: what came may have been cut short by somebody else
 * (RFC 8446 section 6.1). */
static void hear_end(struct http_conn *c)
{
    if (c->state == CONN_LINGER) {
        c->is_eof = true;
        http_conn_run(c);
        return;
    }
    c->tls->is_broken = true;
    if (c->state == CONN_HANDSHAKE && c->tls->n_received)
        handshake_failed(c, S("the client has gone"));
    else
        http_conn_close(c);
}

void http_tls_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *part)
{
    struct http_conn *c = stream->data;

    if (n > 0)
        hear(c, (str){part->base, (size_t)n});
    else if (n < 0)
        hear_end(c);
}

/* ---- the handshake ---- */

/* A flood of failures does not become a flood of lines. */
static bool may_log(struct http_loop *loop)
{
    int64_t now_ms = (int64_t)uv_now(&loop->uv);

    if (now_ms - loop->log_since_ms >= LOG_WITHIN_MS) {
        loop->log_since_ms = now_ms;
        loop->n_logged = 0;
    }
    if (loop->n_logged++ < LOG_LINES)
        return true;
    loop->n_unlogged++;
    return false;
}

static void handshake_failed(struct http_conn *c, str reason)
{
    struct http_loop *loop = c->loop;
    char peer[NET_TEXT_BYTES];

    atomic_fetch_add(&loop->engine->handshakes[HTTP_HANDSHAKE_FAILED], 1);
    net_addr_text(&c->peer, peer);
    if (log_wants(LOG_INFO) && may_log(loop)) {
        log_event(NULL, LOG_INFO, "tls.handshake_failed", F("client", peer), F("reason", reason),
                  F("leftOut", loop->n_unlogged));
        loop->n_unlogged = 0;
    }
    http_conn_close(c);
}

static void read_on(struct http_conn *c)
{
    c->is_reading = uv_read_start(&c->uv.stream, http_tls_on_room, http_tls_on_read) == 0;
    if (!c->is_reading)
        http_conn_close(c);
}

static void read_off(struct http_conn *c)
{
    c->is_reading = false;
    uv_read_stop(&c->uv.stream);
}

/* Somebody typed http:// in front of an address that wants https://: tell them, in words they can
 * read. */
static void answer_plain_http(struct http_conn *c)
{
    read_off(c);
    http_tls_free(c);
    c->x = http_exchange_take(c);
    http_exchange_refuse(c, E_MALFORMED_REQUEST,
                         S("This address speaks TLS: use https:// and not http://."));
    http_conn_run(c);
}

void http_tls_expire(struct http_conn *c)
{
    if (c->tls->n_received)
        handshake_failed(c, S("it took too long"));
    else
        http_conn_close(c);
}

/* Kept for the loop's next turn, with those of others; reading waits until then. */
static void hear_handshake(struct http_conn *c, str bytes)
{
    struct http_tls *t = c->tls;

    if (t->n_received == 0 && bytes.p[0] >= 'A' && bytes.p[0] <= 'Z') {
        answer_plain_http(c);
        return;
    }
    t->n_received += bytes.n;
    if (t->n_received > HANDSHAKE_MAX_BYTES) {
        handshake_failed(c, S("the client sends too much"));
        return;
    }
    buf_put(&t->held, bytes);
    t->has_step = true;
    read_off(c);
    http_loop_turn(c->loop);
}

static void handshake_is_over(struct http_conn *c)
{
    bool is_resumed = SSL_session_reused(c->tls->ssl);

    atomic_fetch_add(
        &c->loop->engine->handshakes[is_resumed ? HTTP_HANDSHAKE_RESUMED : HTTP_HANDSHAKE_FULL], 1);
    c->tls->is_open = true;
    unlink_handshake(c);
    http_conn_wait(c, CONN_IDLE, c->loop->engine->options.head_timeout_ms);
    http_conn_run(c);
}

static str failure(const struct http_tls *t)
{
    long verdict = SSL_get_verify_result(t->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (verdict != X509_V_OK)
        return str_of(X509_verify_cert_error_string(verdict));
    return reason ? str_of(reason) : S("not TLS");
}

static void go_on(struct http_conn *c)
{
    struct http_tls *t = c->tls;

    t->has_step = false;
    if (!t->ssl && !make_session(c)) {
        handshake_failed(c, S("there is no memory"));
        return;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(t->ssl);
    bool wants_more = result != 1 && SSL_get_error(t->ssl, result) == SSL_ERROR_WANT_READ;
    if (result != 1 && !wants_more) {
        t->is_broken = true;
        str reason = failure(t);
        flush(c);
        handshake_failed(c, reason);
        return;
    }
    flush(c);
    if (c->state == CONN_CLOSED)
        return;
    if (wants_more)
        read_on(c);
    else
        handshake_is_over(c);
}

void http_tls_turn(struct http_loop *loop)
{
    int n = 0;

    for (struct http_conn *c = loop->first_handshake, *next; c; c = next) {
        next = c->tls->next;
        if (!c->tls->has_step)
            continue;
        if (n++ == STEPS_A_TURN)
            return;
        go_on(c);
    }
    http_loop_turned(loop);
}

void http_tls_begin(struct http_conn *c)
{
    struct http_loop *loop = c->loop;
    const struct http_engine_options *options = &loop->engine->options;

    c->tls = mem_new(sizeof *c->tls);
    c->tls->conn = c;
    buf_init(&c->tls->held, HANDSHAKE_MAX_BYTES);
    buf_init(&c->tls->out, OUT_MAX_BYTES);
    buf_init(&c->tls->flight, OUT_MAX_BYTES);
    link_handshake(c);
    /* Who answers promptly is never the oldest for long. */
    if (loop->n_handshakes > options->handshakes_max)
        handshake_failed(loop->first_handshake, S("too many handshakes are unfinished"));
    http_conn_wait(c, CONN_HANDSHAKE, options->handshake_timeout_ms);
    read_on(c);
}

/* ---- who is there ---- */

const struct http_client_cert *http_tls_client_cert(const struct http_conn *c, struct arena *arena)
{
    const X509 *cert = c->tls ? SSL_get0_peer_certificate(c->tls->ssl) : NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;

    if (!cert || SSL_get_verify_result(c->tls->ssl) != X509_V_OK ||
        X509_digest(cert, EVP_sha256(), digest, &n) != 1)
        return NULL;
    struct http_client_cert *out = ARENA_NEW(arena, struct http_client_cert);
    char *hex = arena_alloc(arena, 2 * n + 1);
    hex_write(digest, n, hex);
    out->is_client = http_tls_is_client(c->tls->ssl);
    out->is_gateway = http_tls_is_gateway(c->tls->ssl);
    out->subject = http_tls_subject(arena, cert);
    out->fingerprint = (str){hex, 2 * n};
    return out;
}

static void drop_if_empty(struct buf *b)
{
    if (b->n == 0)
        buf_drop(b);
}

void http_tls_rest(struct http_conn *c)
{
    struct http_tls *t = c->tls;

    drop_if_empty(&t->held);
    drop_if_empty(&t->out);
    if (!t->is_writing)
        drop_if_empty(&t->flight);
}

void http_tls_free(struct http_conn *c)
{
    struct http_tls *t = c->tls;

    if (!t)
        return;
    unlink_handshake(c);
    SSL_free(t->ssl);
    buf_drop(&t->held);
    buf_drop(&t->out);
    buf_drop(&t->flight);
    free(t);
    c->tls = NULL;
}
