/* http/tls.c and http/tls_context.c, against OpenSSL as the client; http/peers.c. */
#include "unit.h"

#include "base/time.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "certs.h"
#include "client.h"
#include "http/http.h"
#include "http/peers.h"

/* ---- files ---- */

static char folder[] = "/tmp/sallyport-test-XXXXXX";
static char cert_path[128], key_path[128], ca_path[128], other_path[128];
static struct issued authority, own, other;

static void write_pair(const struct issued *issued)
{
    certs_write_cert(cert_path, issued);
    certs_write_key(key_path, issued, NULL);
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    certs_path(folder, "cert.pem", cert_path);
    certs_path(folder, "key.pem", key_path);
    certs_path(folder, "ca.pem", ca_path);
    certs_path(folder, "other.pem", other_path);
    authority = certs_issue("authority", 10, NULL);
    own = certs_issue("first", 10, NULL);
    other = certs_issue("second", 10, NULL);
    certs_write_cert(ca_path, &authority);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    certs_drop(&authority);
    certs_drop(&own);
    certs_drop(&other);
    unlink(cert_path);
    unlink(key_path);
    unlink(ca_path);
    unlink(other_path);
    return rmdir(folder);
}

static void nap(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* ---- a service that says what it sees ---- */

static enum http_next head(void *self, struct http_call *call)
{
    const struct http_client_cert *cert = call->req.client_cert;

    (void)self;
    call->reply.status = 200;
    call->reply.content_type = S("text/plain");
    if (cert)
        buf_printf(&call->reply.body, "%.*s %.*s", STR_ARG(cert->subject),
                   STR_ARG(cert->fingerprint));
    else
        buf_put(&call->reply.body, call->req.is_tls ? S("nobody") : S("plain"));
    return HTTP_ANSWERED;
}

static void refuse(void *self, struct http_call *call, enum err e, str detail)
{
    (void)self;
    call->reply.status = err_info(e)->status;
    call->reply.content_type = S("text/plain");
    buf_put(&call->reply.body, detail);
}

static const struct http_service service = {.head = head, .refuse = refuse};

struct server {
    struct arena *arena;
    struct http_engine *engine;
    str address;
};

static struct http_engine_options with_files(struct http_engine_options options)
{
    options.listen = "127.0.0.1:0";
    options.workers = 1;
    options.io_threads = options.io_threads ? options.io_threads : 2;
    options.tls.cert = cert_path;
    options.tls.key = key_path;
    return options;
}

static struct server server_start(struct http_engine_options options)
{
    struct server s = {.arena = arena_new()};
    str why = STR_NONE;

    write_pair(&own);
    options = with_files(options);
    if (http_engine_start(s.arena, &options, &service, &s.engine, &why) != E_OK)
        flunk("the engine did not start: %.*s", STR_ARG(why));
    s.address = http_engine_address(s.engine);
    return s;
}

#define SERVER(...) server_start((struct http_engine_options){__VA_ARGS__})

static void server_stop(struct server *s)
{
    http_engine_stop(s->engine, 2000);
    http_engine_drop(&s->engine);
    arena_drop(&s->arena);
}

/* ---- a client ---- */

struct peer {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

struct peer_options {
    int version; /* 0: what both like best */
    const struct issued *cert;
    SSL_SESSION *session;
    const char *alpn; /* with lengths */
};

static struct peer peer_new(const struct server *s, struct peer_options options)
{
    struct peer p = {.fd = client_connect(s->address), .ctx = SSL_CTX_new(TLS_client_method())};

    if (options.version) {
        SSL_CTX_set_min_proto_version(p.ctx, options.version);
        SSL_CTX_set_max_proto_version(p.ctx, options.version);
    }
    if (options.version && options.version < TLS1_2_VERSION)
        SSL_CTX_set_security_level(p.ctx, 0);
    if (options.alpn)
        SSL_CTX_set_alpn_protos(p.ctx, (const unsigned char *)options.alpn,
                                (unsigned)strlen(options.alpn));
    p.ssl = SSL_new(p.ctx);
    if (options.cert) {
        SSL_use_certificate(p.ssl, options.cert->cert);
        SSL_use_PrivateKey(p.ssl, options.cert->key);
    }
    if (options.session)
        SSL_set_session(p.ssl, options.session);
    SSL_set_fd(p.ssl, p.fd);
    ERR_clear_error();
    return p;
}

/* A server that refuses a client's certificate says so only after a 1.3 client thinks that all is
 * well: what counts is whether a request is answered. NULL: it is not. */
static const char *peer_ask(struct peer *p)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static char reply[4096];
    size_t n = 0;

    if (SSL_write(p->ssl, request, sizeof request - 1) <= 0)
        return NULL;
    for (;;) {
        int got = SSL_read(p->ssl, reply + n, (int)(sizeof reply - 1 - n));
        if (got <= 0)
            return NULL;
        n += (size_t)got;
        reply[n] = '\0';
        const char *body = strstr(reply, "\r\n\r\n");
        const char *length = strstr(reply, "content-length: ");
        if (body && strlen(body + 4) == strtoul(length + 16, NULL, 10))
            return body + 4;
    }
}

static void peer_drop(struct peer *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
    close(p->fd);
}

#define PEER(server, ...) peer_new(server, (struct peer_options){__VA_ARGS__})

/* One connection: is a request answered, and what is the reason if not? */
static bool is_served(const struct server *s, struct peer_options options, int *reason)
{
    struct peer p = peer_new(s, options);
    bool is_good = SSL_connect(p.ssl) == 1 && peer_ask(&p);

    if (reason)
        *reason = ERR_GET_REASON(ERR_peek_last_error());
    peer_drop(&p);
    return is_good;
}

static void subject_seen(const struct peer *p, char out[64])
{
    X509 *cert = SSL_get1_peer_certificate(p->ssl);

    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, 64);
    X509_free(cert);
}

/* ---- what is spoken ---- */

static void versions_1_2_and_1_3_are_spoken_and_older_ones_are_not(void **state)
{
    struct server s = SERVER();

    (void)state;
    assert_true(is_served(&s, (struct peer_options){.version = TLS1_2_VERSION}, NULL));
    assert_true(is_served(&s, (struct peer_options){.version = TLS1_3_VERSION}, NULL));
    assert_false(is_served(&s, (struct peer_options){.version = TLS1_1_VERSION}, NULL));
    server_stop(&s);
    s = SERVER(.tls = {.is_1_3_only = true});
    assert_false(is_served(&s, (struct peer_options){.version = TLS1_2_VERSION}, NULL));
    assert_true(is_served(&s, (struct peer_options){.version = TLS1_3_VERSION}, NULL));
    server_stop(&s);
}

static void ciphers_of_1_2_have_forward_secrecy_and_aead(void **state)
{
    static const char *const texts[] = {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
                                        "ECDHE-ECDSA-AES256-SHA", "AES256-SHA"};
    struct server s = SERVER();

    (void)state;
    for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
        struct peer p = PEER(&s, .version = TLS1_2_VERSION);
        bool is_good = i == sizeof texts / sizeof *texts;
        SSL_set_cipher_list(p.ssl, is_good ? "ECDHE-ECDSA-CHACHA20-POLY1305" : texts[i]);
        assert_int_equal(SSL_connect(p.ssl) == 1, is_good);
        peer_drop(&p);
    }
    server_stop(&s);
}

static void alpn_takes_http_1_1_and_refuses_everything_else(void **state)
{
    struct server s = SERVER();
    struct peer p = PEER(&s, .alpn = "\x02h2\x08http/1.1");
    const unsigned char *chosen;
    unsigned n;
    int reason;

    (void)state;
    assert_int_equal(SSL_connect(p.ssl), 1);
    SSL_get0_alpn_selected(p.ssl, &chosen, &n);
    assert_true(str_eq((str){(const char *)chosen, n}, S("http/1.1")));
    peer_drop(&p);
    assert_false(is_served(&s, (struct peer_options){.alpn = "\x02h2\x06spdy/3"}, &reason));
    assert_int_equal(reason, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    server_stop(&s);
}

static void a_client_may_not_renegotiate(void **state)
{
    struct server s = SERVER();
    struct peer p = PEER(&s, .version = TLS1_2_VERSION);

    (void)state;
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_non_null(peer_ask(&p));
    SSL_renegotiate(p.ssl);
    assert_int_not_equal(SSL_do_handshake(p.ssl), 1);
    peer_drop(&p);
    assert_true(is_served(&s, (struct peer_options){0}, NULL));
    server_stop(&s);
}

static void both_sides_say_close_notify(void **state)
{
    struct server s = SERVER();
    struct peer p = PEER(&s, 0);

    (void)state;
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_non_null(peer_ask(&p));
    assert_int_equal(SSL_shutdown(p.ssl), 0);
    assert_int_equal(SSL_shutdown(p.ssl), 1);
    assert_true(client_ended(p.fd));
    peer_drop(&p);
    server_stop(&s);
}

/* ---- resumption ---- */

static SSL_SESSION *session_of(const struct server *s, int version, const struct issued *cert)
{
    struct peer p = PEER(s, .version = version, .cert = cert);

    assert_int_equal(SSL_connect(p.ssl), 1);
    /* The tickets of 1.3 come after the handshake: with the answer at the latest. */
    assert_non_null(peer_ask(&p));
    SSL_SESSION *session = SSL_get1_session(p.ssl);
    SSL_shutdown(p.ssl);
    peer_drop(&p);
    return session;
}

static bool is_resumed(const struct server *s, int version, SSL_SESSION *session,
                       const char *expected)
{
    struct peer p = PEER(s, .version = version, .session = session);

    assert_int_equal(SSL_connect(p.ssl), 1);
    const char *answer = peer_ask(&p);
    assert_non_null(answer);
    if (expected)
        assert_string_equal(answer, expected);
    bool is = SSL_session_reused(p.ssl);
    SSL_shutdown(p.ssl); /* or else OpenSSL forgets the session */
    peer_drop(&p);
    return is;
}

/* Which thread a connection comes to is the kernel's choice: with so many, all get some. */
static void any_thread_resumes_what_another_began(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct server s = SERVER(.io_threads = 4);

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        SSL_SESSION *session = session_of(&s, versions[v], NULL);
        for (int i = 0; i < 32; i++)
            assert_true(is_resumed(&s, versions[v], session, "nobody"));
        SSL_SESSION_free(session);
    }
    server_stop(&s);
}

static void a_reload_ends_what_could_be_resumed(void **state)
{
    struct server s = SERVER();
    SSL_SESSION *session = session_of(&s, TLS1_3_VERSION, NULL);
    str why = STR_NONE;

    (void)state;
    assert_int_equal(http_engine_reload_tls(s.engine, s.arena, &why), E_OK);
    assert_false(is_resumed(&s, TLS1_3_VERSION, session, "nobody"));
    SSL_SESSION_free(session);
    server_stop(&s);
}

/* ---- reload ---- */

static void a_reload_is_seen_by_new_connections_only(void **state)
{
    struct server s = SERVER();
    struct peer held = PEER(&s, 0);
    char subject[64];
    str why = STR_NONE;

    (void)state;
    assert_int_equal(SSL_connect(held.ssl), 1);
    write_pair(&other);
    assert_int_equal(http_engine_reload_tls(s.engine, s.arena, &why), E_OK);
    struct peer fresh = PEER(&s, 0);
    assert_int_equal(SSL_connect(fresh.ssl), 1);
    subject_seen(&fresh, subject);
    assert_string_equal(subject, "second");
    subject_seen(&held, subject);
    assert_string_equal(subject, "first");
    for (int i = 0; i < 3; i++) {
        assert_non_null(peer_ask(&held));
        assert_non_null(peer_ask(&fresh));
    }
    peer_drop(&held);
    peer_drop(&fresh);
    server_stop(&s);
}

static void a_bad_reload_keeps_what_was(void **state)
{
    struct server s = SERVER();
    char subject[64];
    str why = STR_NONE;

    (void)state;
    certs_write_cert(cert_path, &other); /* with the key of the first */
    assert_int_equal(http_engine_reload_tls(s.engine, s.arena, &why), E_INTERNAL_ERROR);
    assert_non_null(strstr(why.p, "is not the key of the certificate"));
    struct peer p = PEER(&s, 0);
    assert_int_equal(SSL_connect(p.ssl), 1);
    subject_seen(&p, subject);
    assert_string_equal(subject, "first");
    assert_non_null(peer_ask(&p));
    peer_drop(&p);
    server_stop(&s);
}

struct reloader {
    struct server *server;
    atomic_bool is_over;
};

static void *reload_often(void *arg)
{
    struct reloader *r = arg;

    while (!atomic_load(&r->is_over)) {
        DROP(arena) struct arena *arena = arena_new();
        str why;
        if (http_engine_reload_tls(r->server->engine, arena, &why) != E_OK)
            return (void *)"a reload failed";
    }
    return NULL;
}

static void reloads_amid_handshakes_disturb_nobody(void **state)
{
    struct server s = SERVER(.io_threads = 4);
    struct reloader r = {.server = &s};
    pthread_t thread;
    void *problem;

    (void)state;
    pthread_create(&thread, NULL, reload_often, &r);
    for (int i = 0; i < 60; i++)
        assert_true(is_served(&s, (struct peer_options){0}, NULL));
    atomic_store(&r.is_over, true);
    pthread_join(thread, &problem);
    assert_null(problem);
    server_stop(&s);
}

/* ---- what does not start ---- */

static void expect_refusal(const char *text)
{
    DROP(arena) struct arena *arena = arena_new();
    struct http_engine_options options = with_files((struct http_engine_options){0});
    struct http_engine *engine = NULL;
    str why = STR_NONE;

    assert_int_equal(http_engine_start(arena, &options, &service, &engine, &why), E_INTERNAL_ERROR);
    if (!strstr(why.p, text))
        flunk("\"%s\" instead of something with \"%s\"", why.p, text);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
}

static void files_that_do_not_fit_are_refused_with_the_reason(void **state)
{
    char passphrase[] = "secret";
    struct issued weak = certs_issue_with(EVP_RSA_gen(1024), "weak", 10, NULL);

    (void)state;
    write_pair(&own);
    certs_write_key(key_path, &other, NULL);
    expect_refusal("is not the key of the certificate");
    certs_write_key(key_path, &own, passphrase);
    expect_refusal("with a passphrase");
    write_text(key_path, "no key");
    expect_refusal("holds no private key");
    unlink(key_path);
    expect_refusal("No such file");
    write_pair(&weak);
    expect_refusal("too small");
    write_text(cert_path, "no certificate");
    expect_refusal("holds no certificate");
    unlink(cert_path);
    expect_refusal("No such file");
    certs_drop(&weak);
}

/* ---- certificates of clients ---- */

static void a_client_shows_its_certificate(void **state)
{
    struct server s = SERVER(.tls = {.client_ca = ca_path, .client_cert_is_required = true});
    struct issued client = certs_issue("payroll", 10, &authority);
    unsigned char digest[32];
    char expected[128] = "CN=payroll ";
    int reason;

    (void)state;
    X509_digest(client.cert, EVP_sha256(), digest, NULL);
    hex_write(digest, 32, expected + strlen(expected));
    struct peer p = PEER(&s, .cert = &client);
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_string_equal(peer_ask(&p), expected);
    peer_drop(&p);
    SSL_SESSION *session = session_of(&s, TLS1_3_VERSION, &client);
    assert_true(is_resumed(&s, TLS1_3_VERSION, session, expected));
    SSL_SESSION_free(session);
    assert_false(is_served(&s, (struct peer_options){0}, &reason));
    assert_int_equal(reason, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
    certs_drop(&client);
    server_stop(&s);
}

static void a_certificate_that_is_not_good_is_refused_in_any_case(void **state)
{
    struct issued stranger = certs_issue("stranger", 10, &other);
    struct issued expired = certs_issue("late", -1, &authority);

    (void)state;
    for (int is_required = 0; is_required < 2; is_required++) {
        struct server s =
            SERVER(.tls = {.client_ca = ca_path, .client_cert_is_required = is_required != 0});
        assert_false(is_served(&s, (struct peer_options){.cert = &stranger}, NULL));
        assert_false(is_served(&s, (struct peer_options){.cert = &expired}, NULL));
        assert_int_equal(is_served(&s, (struct peer_options){0}, NULL), !is_required);
        server_stop(&s);
    }
    certs_drop(&stranger);
    certs_drop(&expired);
}

static void a_certificate_nobody_asked_for_is_nobodys(void **state)
{
    struct server s = SERVER();
    struct issued client = certs_issue("payroll", 10, &authority);
    struct peer p = PEER(&s, .cert = &client);

    (void)state;
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_string_equal(peer_ask(&p), "nobody");
    peer_drop(&p);
    certs_drop(&client);
    server_stop(&s);
}

/* ---- hostile clients ---- */

static void plain_http_is_told_to_use_https(void **state)
{
    struct server s = SERVER();
    int fd = client_connect(s.address);

    (void)state;
    client_send(fd, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct client_reply r = client_reply(fd, false);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body.p, "https://"));
    assert_true(client_ended(fd));
    free((void *)r.body.p);
    close(fd);
    server_stop(&s);
}

static void garbage_gets_an_alert_if_it_has_a_version_and_the_end(void **state)
{
    static const str texts[] = {
        S("\x16\x03\x01\x00\x04\xff\xff\xff\xff"),
        S("\x17\x03\x03\x00\x02hi"),
        S("\x80\x10\x01\x00\x02\x00\x15\x00\x00\x00\x10 0123456789"), /* SSL 2 */
        S("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    };
    struct server s = SERVER();

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = client_connect(s.address);
        char reply[64];
        client_send(fd, texts[i]);
        ssize_t n = client_recv(fd, reply, sizeof reply, CLIENT_WAIT_MS);
        /* RFC 8446 section 6: an alert of two bytes in a record. */
        assert_int_equal(n, i < 3 ? 7 : 0);
        assert_true(n == 0 || reply[0] == 21);
        assert_true(client_ended(fd));
        close(fd);
    }
    assert_true(is_served(&s, (struct peer_options){0}, NULL));
    server_stop(&s);
}

static void a_handshake_that_does_not_end_is_cut_off(void **state)
{
    static const str hello = S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    struct server s = SERVER(.handshake_timeout_ms = 100);
    int silent = client_connect(s.address);
    int slow = client_connect(s.address);

    (void)state;
    for (size_t i = 0; i < hello.n; i++)
        client_send(slow, str_sub(hello, i, i + 1));
    assert_true(client_ended(silent));
    assert_true(client_ended(slow));
    close(silent);
    close(slow);
    server_stop(&s);
}

/* A ClientHello in many records that never ends: 64 KiB are taken and not more. */
static void an_endless_handshake_is_cut_off(void **state)
{
    static const char head[] = "\x16\x03\x01\x40\x00\x01\x01\xff\xff";
    struct server s = SERVER();
    int fd = client_connect(s.address);
    static char record[5 + 16384];

    (void)state;
    memcpy(record, head, sizeof head - 1);
    bool is_open = true;
    for (int i = 0; i < 1000 && is_open; i++) {
        is_open = client_send(fd, (str){record, sizeof record});
        memset(record + 5, 0, sizeof record - 5);
    }
    assert_false(is_open);
    close(fd);
    server_stop(&s);
}

static void the_oldest_unfinished_handshake_makes_room(void **state)
{
    enum { FLOOD = 40, ROOM = 4 };
    struct server s = SERVER(.io_threads = 1, .handshakes_max = ROOM);
    int fds[FLOOD], n_open = 0;
    char c;

    (void)state;
    for (int i = 0; i < FLOOD; i++)
        fds[i] = client_connect(s.address);
    for (int i = 0; i < FLOOD - ROOM; i++)
        assert_true(client_ended(fds[i]));
    for (int i = FLOOD - ROOM; i < FLOOD; i++)
        n_open += client_recv(fds[i], &c, 1, 0) == -2;
    assert_int_equal(n_open, ROOM);
    assert_true(is_served(&s, (struct peer_options){0}, NULL));
    for (int i = 0; i < FLOOD; i++)
        close(fds[i]);
    server_stop(&s);
}

static void a_connection_that_is_cut_is_not_answered(void **state)
{
    static const char half[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Le";
    struct server s = SERVER();
    struct peer p = PEER(&s, 0);
    char reply[64];

    (void)state;
    assert_int_equal(SSL_connect(p.ssl), 1);
    SSL_write(p.ssl, half, sizeof half - 1);
    shutdown(p.fd, SHUT_WR); /* without close_notify */
    assert_true(SSL_read(p.ssl, reply, sizeof reply) <= 0);
    peer_drop(&p);
    server_stop(&s);
}

static void a_record_that_was_changed_ends_the_connection(void **state)
{
    struct server s = SERVER();
    struct peer p = PEER(&s, 0);
    char reply[64];

    (void)state;
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_non_null(peer_ask(&p));
    client_send(p.fd, S("\x17\x03\x03\x00\x20 0123456789abcdef0123456789abcde"));
    assert_true(SSL_read(p.ssl, reply, sizeof reply) <= 0);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
    peer_drop(&p);
    server_stop(&s);
}

/* ---- connections of one address ---- */

static void one_address_has_so_many_connections(void **state)
{
    struct server s = SERVER(.connections_per_address = 2);
    struct peer first = PEER(&s, 0), second = PEER(&s, 0);

    (void)state;
    assert_int_equal(SSL_connect(first.ssl), 1);
    assert_int_equal(SSL_connect(second.ssl), 1);
    int third = client_connect(s.address);
    assert_true(client_ended(third));
    close(third);
    assert_non_null(peer_ask(&first));
    assert_non_null(peer_ask(&second));
    SSL_shutdown(second.ssl);
    SSL_shutdown(second.ssl);
    assert_true(client_ended(second.fd));
    peer_drop(&second);
    nap(50);
    assert_true(is_served(&s, (struct peer_options){0}, NULL));
    peer_drop(&first);
    server_stop(&s);
}

static void a_trusted_proxy_is_not_counted(void **state)
{
    struct net_cidr proxy;
    const struct http_proxies proxies = {&proxy, 1};

    (void)state;
    assert_int_equal(net_cidr_parse(S("127.0.0.0/8"), &proxy), CIDR_OK);
    struct server s = SERVER(.connections_per_address = 1, .trusted_proxies = &proxies);
    struct peer first = PEER(&s, 0), second = PEER(&s, 0);
    assert_int_equal(SSL_connect(first.ssl), 1);
    assert_int_equal(SSL_connect(second.ssl), 1);
    assert_non_null(peer_ask(&second));
    peer_drop(&first);
    peer_drop(&second);
    server_stop(&s);
}

static void whom_to_trust_may_change(void **state)
{
    struct server s = SERVER(.connections_per_address = 1);
    struct http_engine_stats stats;
    struct net_cidr proxy;
    const struct http_proxies proxies = {&proxy, 1};
    struct peer first = PEER(&s, 0);

    (void)state;
    assert_int_equal(net_cidr_parse(S("127.0.0.0/8"), &proxy), CIDR_OK);
    assert_int_equal(SSL_connect(first.ssl), 1);
    assert_false(is_served(&s, (struct peer_options){0}, NULL));
    http_engine_count(s.engine, &stats);
    assert_int_equal(stats.turned_away, 1);
    http_engine_trust(s.engine, &proxies);
    assert_true(is_served(&s, (struct peer_options){0}, NULL));
    http_engine_trust(s.engine, NULL);
    assert_false(is_served(&s, (struct peer_options){0}, NULL));
    peer_drop(&first);
    nap(50);
    assert_true(is_served(&s, (struct peer_options){0}, NULL));
    server_stop(&s);
}

static void handshakes_are_counted_by_how_they_end(void **state)
{
    struct server s = SERVER();
    SSL_SESSION *session = session_of(&s, TLS1_3_VERSION, NULL);
    struct http_engine_stats stats;

    (void)state;
    assert_true(is_resumed(&s, TLS1_3_VERSION, session, "nobody"));
    assert_true(is_resumed(&s, TLS1_3_VERSION, session, "nobody"));
    int fd = client_connect(s.address);
    client_send(fd, S("\x16\x03\x01\x00\x04\xff\xff\xff\xff"));
    char alert[16];
    while (read(fd, alert, sizeof alert) > 0) {
    }
    close(fd);
    close(client_connect(s.address)); /* nothing was sent: a probe */
    nap(50);
    http_engine_count(s.engine, &stats);
    assert_int_equal(stats.handshakes[HTTP_HANDSHAKE_FULL], 1);
    assert_int_equal(stats.handshakes[HTTP_HANDSHAKE_RESUMED], 2);
    assert_int_equal(stats.handshakes[HTTP_HANDSHAKE_FAILED], 1);
    SSL_SESSION_free(session);
    server_stop(&s);
}

static void files_are_looked_at_and_not_used(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct http_tls_options options = with_files((struct http_engine_options){0}).tls;
    struct http_tls_files files;

    (void)state;
    write_pair(&own);
    http_tls_look(arena, &options, &files);
    assert_int_equal(files.fault, HTTP_TLS_FINE);
    assert_true(str_is_none(files.why));
    assert_true(str_eq(files.subject, S("CN=first")));
    assert_true(files.starts_ms < time_now_ms() && time_now_ms() < files.ends_ms);
    assert_false(files.key_is_open);
    chmod(key_path, 0644);
    certs_write_cert(cert_path, &other);
    http_tls_look(arena, &options, &files);
    assert_int_equal(files.fault, HTTP_TLS_KEY_OF_ANOTHER);
    assert_true(str_eq(files.subject, S("CN=second")));
    assert_true(str_eq(files.path, str_of(key_path)));
    assert_true(files.key_is_open);
    unlink(cert_path);
    http_tls_look(arena, &options, &files);
    assert_int_equal(files.fault, HTTP_TLS_NO_FILE);
    write_pair(&own);
}

static struct net_addr addr(const char *text)
{
    struct net_addr out;

    assert_true(net_addr_parse(str_of(text), &out));
    return out;
}

static void peers_are_counted_by_address_and_v6_by_its_64(void **state)
{
    struct http_peers *peers = http_peers_new();
    struct net_addr v4 = addr("192.0.2.1"), near = addr("192.0.2.2");
    struct net_addr v6 = addr("2001:db8::1"), same = addr("2001:db8::ffff:1");
    struct net_addr elsewhere = addr("2001:db8:0:1::1");

    (void)state;
    assert_int_equal(http_peers_add(peers, &v4), 1);
    assert_int_equal(http_peers_add(peers, &v4), 2);
    assert_int_equal(http_peers_add(peers, &near), 1);
    assert_int_equal(http_peers_add(peers, &v6), 1);
    assert_int_equal(http_peers_add(peers, &same), 2);
    assert_int_equal(http_peers_add(peers, &elsewhere), 1);
    http_peers_remove(peers, &v6);
    assert_int_equal(http_peers_add(peers, &same), 2);
    http_peers_remove(peers, &v4);
    http_peers_remove(peers, &v4);
    assert_int_equal(http_peers_add(peers, &v4), 1);
    http_peers_drop(&peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_1_2_and_1_3_are_spoken_and_older_ones_are_not),
        cmocka_unit_test(ciphers_of_1_2_have_forward_secrecy_and_aead),
        cmocka_unit_test(alpn_takes_http_1_1_and_refuses_everything_else),
        cmocka_unit_test(a_client_may_not_renegotiate),
        cmocka_unit_test(both_sides_say_close_notify),
        cmocka_unit_test(any_thread_resumes_what_another_began),
        cmocka_unit_test(a_reload_ends_what_could_be_resumed),
        cmocka_unit_test(a_reload_is_seen_by_new_connections_only),
        cmocka_unit_test(a_bad_reload_keeps_what_was),
        cmocka_unit_test(reloads_amid_handshakes_disturb_nobody),
        cmocka_unit_test(files_that_do_not_fit_are_refused_with_the_reason),
        cmocka_unit_test(a_client_shows_its_certificate),
        cmocka_unit_test(a_certificate_that_is_not_good_is_refused_in_any_case),
        cmocka_unit_test(a_certificate_nobody_asked_for_is_nobodys),
        cmocka_unit_test(plain_http_is_told_to_use_https),
        cmocka_unit_test(garbage_gets_an_alert_if_it_has_a_version_and_the_end),
        cmocka_unit_test(a_handshake_that_does_not_end_is_cut_off),
        cmocka_unit_test(an_endless_handshake_is_cut_off),
        cmocka_unit_test(the_oldest_unfinished_handshake_makes_room),
        cmocka_unit_test(a_connection_that_is_cut_is_not_answered),
        cmocka_unit_test(a_record_that_was_changed_ends_the_connection),
        cmocka_unit_test(one_address_has_so_many_connections),
        cmocka_unit_test(a_trusted_proxy_is_not_counted),
        cmocka_unit_test(whom_to_trust_may_change),
        cmocka_unit_test(handshakes_are_counted_by_how_they_end),
        cmocka_unit_test(files_are_looked_at_and_not_used),
        cmocka_unit_test(peers_are_counted_by_address_and_v6_by_its_64),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
