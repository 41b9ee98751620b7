/*
 * What the files of the engine share: the engine, its loops, their connections, and exchanges.
 *
 * A loop and everything that belongs to it is touched by its own thread only. The one exception is
 * an exchange whose is_working is set: its call is a worker's until it is back in loop->returned.
 *
 *     engine.c    start and stop
 *     listen.c    sockets
 *     loop.c      the thread: accepting, the clock, what comes back from workers, ending
 *     conn.c      one connection: what it reads, when it closes
 *     exchange.c  one request on it: from its first byte to its reply
 *     send.c      the reply as bytes, and on its way
 *     tls.c       what stands between socket and connection where TLS is on; see tls.h
 *     peers.c     connections by client address
 */
#ifndef SALLYPORT_HTTP_CONN_H
#define SALLYPORT_HTTP_CONN_H

#include <stdatomic.h>
#include <sys/uio.h>
#include <uv.h>

#include "base/time.h"
#include "http/http.h"
#include "http/parse.h"
#include "http/peers.h"
#include "http/pool.h"

enum {
    /* A head and what comes with it; the scan refuses longer heads before this is full. */
    HTTP_IN_MAX_BYTES = 64 * 1024,
    HTTP_READ_BYTES = 4 * 1024,
    /* Bytes behind the request at work: with more, reading stops. */
    HTTP_AHEAD_MAX_BYTES = 16 * 1024,
    HTTP_BODY_READ_BYTES = 64 * 1024,
    /* A body nobody wants is still read to keep the connection, if that is the rest of it. */
    HTTP_DRAIN_MAX_BYTES = 64 * 1024,
    /* After a last answer: so much is read and thrown away, so that the answer is not lost in a
     * reset (RFC 9112 section 9.6). */
    HTTP_LINGER_MAX_BYTES = 16 * 1024 * 1024,
    HTTP_LINGER_MS = 3000,
    /* Buffers larger than this are not kept for the next request. */
    HTTP_KEEP_BYTES = 16 * 1024,
    HTTP_SPARES_MAX = 64,
    HTTP_RANDOM_BYTES = 2048,
    /* Connections past the limit that are told so at the same time; more are just closed. */
    HTTP_TOLD_MAX = 64,
};

struct http_loop;
struct http_conn;
struct http_tls;
struct http_tls_context;

struct http_engine {
    struct http_engine_options options;
    const struct http_service *service;
    struct http_pool *pool;
    struct http_loop *loops;
    int n_loops;
    str address;
    struct http_tls_context *tls; /* NULL: plain HTTP */
    struct http_peers *peers;
    _Atomic(const struct http_proxies *) proxies; /* NULL: none */
    atomic_int n_conns;                           /* not those of the control socket */
    atomic_llong body_bytes;
    atomic_llong turned_away;
    atomic_llong handshakes[HTTP_HANDSHAKE_ENDS];
    atomic_bool is_stopping;
    atomic_llong stop_by_ms; /* monotonic; set before is_stopping */
    bool is_stopped;
};

/* Sockets that one loop listens on; -1: none. */
struct http_fds {
    int tcp;
    int control; /* the first loop's alone */
    int gate;
};

struct http_loop {
    struct http_engine *engine;
    pthread_t thread;
    bool is_running;
    uv_loop_t uv;
    uv_tcp_t listener;
    uv_pipe_t control;
    uv_pipe_t gate;
    struct http_fds fds; /* each until its listener has it, else -1 */
    uv_async_t wake;
    uv_timer_t sweep;
    uv_idle_t turn; /* runs while handshakes can go on */
    bool is_stopping;
    bool is_ending;
    struct http_conn *conns;
    struct http_exchange *spares;
    int n_spares;
    int n_working;
    char random[HTTP_RANDOM_BYTES];
    size_t n_random; /* bytes of it not used yet */
    int64_t date_s;
    char date[HTTP_DATE_BYTES];
    struct http_conn *first_handshake, *last_handshake; /* the oldest first */
    int n_handshakes;
    int64_t log_since_ms; /* failed handshakes, so that a flood of them is not logged whole */
    int n_logged, n_unlogged;
    char scratch[16 * 1024]; /* where bytes nobody wants are read to, and those of TLS */
    char joint[16 * 1024];   /* where head and body of a reply become one record of TLS */

    pthread_mutex_t lock;           /* guards the next one */
    struct http_exchange *returned; /* by workers */
};

enum http_conn_state {
    CONN_HANDSHAKE, /* TLS is being agreed on */
    CONN_IDLE,      /* nothing of a request is here */
    CONN_HEAD,      /* a part of a head is */
    CONN_ADMIT,     /* a worker judges */
    CONN_BODY,      /* the body is being received */
    CONN_RUN,       /* a worker handles */
    CONN_WRITE,     /* the reply leaves */
    CONN_DRAIN,     /* the reply has left; the unread body is still coming */
    CONN_LINGER,    /* the last reply has left; all that comes is thrown away */
    CONN_CLOSED,    /* until libuv lets go of the handle */
};

/* Small, since most connections are idle: all that a request needs is in its exchange. */
struct http_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct http_loop *loop;
    struct http_conn *prev, *next;
    struct http_exchange *x; /* NULL while idle */
    struct http_tls *tls;    /* NULL: plain */
    enum http_conn_state state;
    int64_t deadline_ms; /* by uv_now */
    uint64_t rest;       /* CONN_DRAIN: bytes to come; CONN_LINGER: bytes that came */
    size_t unsent;       /* CONN_WRITE: when the deadline was set */
    struct net_addr peer;
    int64_t local_uid;
    enum http_way way;
    bool is_counted; /* for its address */
    bool is_reading;
    bool is_eof;
};

/* One request and its reply, with all memory they need; reused, and wiped in between. */
struct http_exchange {
    struct http_job job;
    struct http_exchange *next;
    struct http_loop *loop;
    struct http_conn *conn; /* NULL: it died while a worker was at work */
    bool is_working;
    bool is_judged; /* the application has seen it */
    bool is_admitting;
    enum http_next then;
    struct http_call call;
    struct buf in;    /* the head, and what came with it; does not move once the head is read */
    size_t in_at;     /* how much of it is used */
    struct buf ahead; /* what came after that */
    struct buf body;
    uint64_t body_left; /* without chunks: declared and not read yet */
    bool has_chunks_left;
    bool must_close;   /* nothing that follows on the connection can be trusted */
    bool is_lingering; /* something unread may be on its way when it closes */
    int64_t reserved;  /* of the memory for bodies */
    struct http_scan scan;
    struct http_chunks chunks;
    struct buf out; /* the head of the reply */
    uv_write_t write;
    uv_buf_t parts[2];
};

/* ---- conn.c ---- */

void http_conn_open(struct http_loop *loop, uv_stream_t *listener, enum http_way way);
void http_conn_close(struct http_conn *c);

/* Go on as far as the bytes that are here allow. */
void http_conn_run(struct http_conn *c);

/* Its time is up. */
void http_conn_expire(struct http_conn *c);

/* The reply has left. */
void http_conn_replied(struct http_conn *c);

void http_conn_wait(struct http_conn *c, enum http_conn_state state, int64_t ms);

/* ---- exchange.c ---- */

struct http_exchange *http_exchange_take(struct http_conn *c);

/* Wiped, and kept for another connection or freed. */
void http_exchange_give(struct http_loop *loop, struct http_exchange *x);
void http_exchange_free(struct http_exchange *x);

/* Forget the request; what came behind it stays. */
void http_exchange_next(struct http_exchange *x);

/* In CONN_HEAD and CONN_BODY: true if the state has changed. */
bool http_exchange_read_head(struct http_conn *c);
bool http_exchange_read_body(struct http_conn *c);

/* A worker is done with it. */
void http_exchange_returned(struct http_conn *c);

void http_exchange_refuse(struct http_conn *c, enum err e, str detail);

/* ---- send.c ---- */

/* call.reply goes out; http_conn_replied follows, at once or later. */
void http_send(struct http_conn *c);

/* 100 Continue. False: the connection cannot take it. */
bool http_send_continue(struct http_conn *c);

/* The first n bytes of the reply are out. */
void http_skip_sent(struct http_exchange *x, size_t n);

/* ---- loop.c ---- */

/* False: it cannot be set up. The sockets are the loop's from then on, in any case. */
bool http_loop_init(struct http_loop *loop, struct http_engine *engine, const struct http_fds *fds);
bool http_loop_start(struct http_loop *loop);
void http_loop_wake(struct http_loop *loop);
void http_loop_join(struct http_loop *loop);
void http_loop_done(struct http_loop *loop); /* after the workers are gone */

/* From a worker. */
void http_loop_return(struct http_loop *loop, struct http_exchange *x);

/* A connection or a worker is gone: if the loop is stopping, it may be over. */
void http_loop_check_end(struct http_loop *loop);

/* Call http_tls_turn at each round of the loop, until it says http_loop_turned. */
void http_loop_turn(struct http_loop *loop);
void http_loop_turned(struct http_loop *loop);

/* 16 fresh random bytes. */
const uint8_t *http_loop_random(struct http_loop *loop);

/* ---- listen.c ---- */

/*
 * n sockets on one address, listening not yet, with SO_REUSEPORT. address is what was bound.
 * False: *why says why, and no socket is open.
 */
bool http_listen_tcp(struct arena *arena, const char *text, int *fds, int n, str *address,
                     str *why);

/* A Unix socket, its file with that mode. name: what it is, for *why. */
bool http_listen_unix(struct arena *arena, const char *name, const char *path, mode_t mode, int *fd,
                      str *why);

#endif
