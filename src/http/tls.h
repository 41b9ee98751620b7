/*
 * TLS between a socket and its connection: OpenSSL over buffers, never blocking.
 *
 * A context is what all connections share: certificate, key, and the keys of the tickets. A reload
 * swaps it; connections keep the one they began with. docs/tls.md is what operators read.
 *
 *     tls_context.c   the context: files, settings, reload
 *     tls_tickets.c   what sessions are resumed with
 *     tls_clients.c   certificates of clients
 *     tls.c           one connection: handshake, bytes in, bytes out, its end
 *
 * Standards: RFC 8446 (1.3), RFC 5246 (1.2), RFC 9325 (what to offer), RFC 7301 (ALPN).
 */
#ifndef SALLYPORT_HTTP_TLS_H
#define SALLYPORT_HTTP_TLS_H

#include <openssl/ssl.h>

#include "http/conn.h"

/* ---- tls_context.c: from any thread ---- */

struct http_tls_context;

/*
 * Read the files that the options name.
 *
 * out  written on E_OK only
 * why  written otherwise: which file, and what is wrong with it
 */
enum err http_tls_context_new(struct arena *arena, const struct http_tls_options *options,
                              struct http_tls_context **out, str *why);
void http_tls_context_drop(struct http_tls_context **tls);

/* Read the same files again. On failure the old ones stay, and *why says why. */
enum err http_tls_context_reload(struct http_tls_context *tls, struct arena *arena, str *why);

/* A server's side of one connection, under what is loaded now; NULL: there is no memory. */
SSL *http_tls_context_session(struct http_tls_context *tls);

/* Of a connection whose client has shown a certificate: by whose authorities it is good. */
bool http_tls_is_client(const SSL *ssl);
bool http_tls_is_gateway(const SSL *ssl);

/* RFC 2253: "CN=localhost,O=Example". */
str http_tls_subject(struct arena *arena, const X509 *cert);

/* ---- tls_tickets.c, tls_clients.c: for a context that is made ---- */

enum {
    /* A ticket is good for as long, so that the key before the present one is all that is kept. */
    HTTP_TLS_TICKET_HOURS = 8,
    /* RSA of 2048 bits, curves of 224: NIST SP 800-57 part 1, 112 bits of security. */
    HTTP_TLS_SECURITY_LEVEL = 2,
};

/* Keys of its own, freed with it. False: OpenSSL has no memory. */
bool http_tls_add_tickets(SSL_CTX *ctx);

/* Certificates of clients are judged by the context's own store and by that of gateways, which may
 * be NULL and is the context's from then on. The options outlive the context. */
void http_tls_judge_clients(SSL_CTX *ctx, const struct http_tls_options *options,
                            X509_STORE *gateways);

/* ---- tls.c: on the connection's loop ---- */

/* The connection was accepted: shake hands, then go on as CONN_IDLE. */
void http_tls_begin(struct http_conn *c);

/* Its socket has bytes; for uv_read_start. */
void http_tls_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out);
void http_tls_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *part);

/* Is there something that was received and not yet read? */
bool http_tls_has_input(const struct http_conn *c);

/* Decrypted bytes into the room; 0: none are there; UV_EOF: the client has said that it is done;
 * another error: the connection is of no more use. */
ssize_t http_tls_read(struct http_conn *c, uv_buf_t room);

/* c->x->parts go out. http_conn_replied follows, at once or later. */
void http_tls_send(struct http_conn *c);

/* A few bytes besides. False: the connection cannot take them. */
bool http_tls_send_text(struct http_conn *c, str text);

/* Of the reply, what the client's side has not taken. */
size_t http_tls_unsent(const struct http_conn *c);

/* Say close_notify, if that was not done; what does not go out at once is lost. A handshake under
 * way is over. */
void http_tls_say_end(struct http_conn *c);

/* The time for the handshake is up. */
void http_tls_expire(struct http_conn *c);

/* The client's certificate, if there is one and it is good; else NULL. Lives in the arena. */
const struct http_client_cert *http_tls_client_cert(const struct http_conn *c, struct arena *arena);

/* Nothing is under way: it needs no buffers for now. */
void http_tls_rest(struct http_conn *c);

/* With the connection. */
void http_tls_free(struct http_conn *c);

/* ---- for the loop ---- */

/* Go on with handshakes, a few at a time. */
void http_tls_turn(struct http_loop *loop);

#endif
