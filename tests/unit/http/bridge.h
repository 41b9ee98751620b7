/*
 * A TLS client that looks like a plain socket: bytes and half-closes go both ways between one end
 * of a socket pair, which the test has, and TLS, which a thread speaks. So every test of the engine
 * also runs over TLS.
 */
#ifndef SALLYPORT_TESTS_UNIT_HTTP_BRIDGE_H
#define SALLYPORT_TESTS_UNIT_HTTP_BRIDGE_H

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client.h"

enum { BRIDGE_BYTES = 16 * 1024, BRIDGE_RECEIVE_BYTES = 64 * 1024 };

/* Connections that the server closed without close_notify. */
static atomic_int bridge_truncated;
static atomic_int bridge_running;

struct bridge {
    int plain, tcp;
    SSL *ssl;
    char up[BRIDGE_BYTES], down[BRIDGE_BYTES]; /* to the server, and from it */
    size_t up_n, up_at, down_n, down_at;
    bool plain_ended, tls_ended, is_over;
};

/* POLLIN or POLLOUT, as OpenSSL wants before it goes on; 0: it is over. */
static inline short bridge_wants(struct bridge *b, int result)
{
    switch (SSL_get_error(b->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    case SSL_ERROR_SSL:
        if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            atomic_fetch_add(&bridge_truncated, 1);
        return 0;
    default:
        return 0;
    }
}

static inline short bridge_up(struct bridge *b)
{
    if (b->up_n == 0 && !b->plain_ended) {
        ssize_t n = recv(b->plain, b->up, sizeof b->up, MSG_DONTWAIT);
        b->up_at = 0;
        b->up_n = n > 0 ? (size_t)n : 0;
        b->plain_ended = n == 0 || (n < 0 && errno != EAGAIN);
        if (b->plain_ended) {
            ERR_clear_error();
            SSL_shutdown(b->ssl);
        }
    }
    if (b->up_n == 0)
        return 0;
    ERR_clear_error();
    int n = SSL_write(b->ssl, b->up + b->up_at, (int)b->up_n);
    if (n > 0) {
        b->up_at += (size_t)n;
        b->up_n -= (size_t)n;
        return 0;
    }
    short wants = bridge_wants(b, n);
    if (!wants) /* the reading side may still have an answer */
        b->up_n = 0, b->plain_ended = true;
    return wants;
}

static inline short bridge_down(struct bridge *b)
{
    if (b->down_n == 0 && !b->tls_ended) {
        ERR_clear_error();
        int n = SSL_read(b->ssl, b->down, sizeof b->down);
        short wants = n > 0 ? 0 : bridge_wants(b, n);
        b->down_at = 0;
        b->down_n = n > 0 ? (size_t)n : 0;
        b->tls_ended = n <= 0 && !wants;
        if (b->tls_ended)
            shutdown(b->plain, SHUT_WR);
        if (wants)
            return wants;
    }
    ssize_t n = b->down_n
                    ? send(b->plain, b->down + b->down_at, b->down_n, MSG_DONTWAIT | MSG_NOSIGNAL)
                    : 0;
    if (n < 0 && errno != EAGAIN)
        b->is_over = true;
    b->down_at += n > 0 ? (size_t)n : 0;
    b->down_n -= n > 0 ? (size_t)n : 0;
    return 0;
}

static inline void bridge_poll(struct bridge *b, short wants)
{
    short plain_events =
        (short)((b->up_n == 0 && !b->plain_ended ? POLLIN : 0) | (b->down_n ? POLLOUT : 0));
    struct pollfd fds[2] = {{.fd = b->plain, .events = plain_events},
                            {.fd = b->tcp, .events = wants}};

    if (b->down_n == 0 && SSL_pending(b->ssl))
        return;
    poll(fds, 2, 50);
    /* The test has closed its end, not only one side of it. */
    if (fds[0].revents & POLLHUP && b->tls_ended)
        b->is_over = true;
    if (fds[0].revents & POLLHUP && b->plain_ended && !b->tls_ended) {
        char c;
        b->is_over = send(b->plain, &c, 0, MSG_NOSIGNAL) < 0 || b->is_over;
    }
}

static inline void *bridge_thread(void *arg)
{
    struct bridge *b = arg;

    while (!b->is_over && !(b->tls_ended && b->down_n == 0 && b->plain_ended)) {
        short wants = (short)(bridge_up(b) | bridge_down(b));
        bridge_poll(b, (short)(wants | (b->down_n || b->tls_ended ? 0 : POLLIN)));
    }
    SSL_free(b->ssl);
    close(b->tcp);
    close(b->plain);
    free(b);
    atomic_fetch_sub(&bridge_running, 1);
    return NULL;
}

static inline SSL_CTX *bridge_context(void)
{
    static SSL_CTX *ctx;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&lock);
    if (!ctx) {
        ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    pthread_mutex_unlock(&lock);
    return ctx;
}

/* As client_connect: -1 if nobody listens. */
static inline int bridge_connect(str address)
{
    int n = BRIDGE_RECEIVE_BYTES, ends[2], tcp = client_connect(address);
    pthread_t thread;

    if (tcp < 0)
        return -1;
    setsockopt(tcp, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
    fcntl(tcp, F_SETFL, O_NONBLOCK);
    struct bridge *b = calloc(1, sizeof *b);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    b->plain = ends[1];
    b->tcp = tcp;
    b->ssl = SSL_new(bridge_context());
    SSL_set_fd(b->ssl, tcp);
    SSL_set_connect_state(b->ssl);
    atomic_fetch_add(&bridge_running, 1);
    pthread_create(&thread, NULL, bridge_thread, b);
    pthread_detach(thread);
    return ends[0];
}

#endif
