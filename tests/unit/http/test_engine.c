/* http/engine.c and what is behind it, over real sockets; with OVER_TLS defined, all of it over
 * TLS. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/time.h"
#include "bridge.h"
#include "certs.h"
#include "client.h"
#include "http/http.h"

#ifdef OVER_TLS
#define connect_to bridge_connect
#else
#define connect_to client_connect
#endif

/* A sanitizer's own memory is too large to look through. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_SEARCH_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_SEARCH_MEMORY 0
#endif
#endif
/* Over TLS the client is a thread of this program, with buffers of its own. */
#ifdef OVER_TLS
#undef CAN_SEARCH_MEMORY
#define CAN_SEARCH_MEMORY 0
#endif
#ifndef CAN_SEARCH_MEMORY
#define CAN_SEARCH_MEMORY 1
#endif

/* ---- a tiny service ---- */

static atomic_int n_judged, n_ended, n_handled, n_threads;

static void nap(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void say(struct http_reply *reply, int status, str text)
{
    reply->status = status;
    reply->content_type = S("text/plain");
    buf_put(&reply->body, text);
}

static enum http_next judge(struct http_call *call)
{
    str path = call->req.path;

    if (str_ends(path, S("deny"))) {
        say(&call->reply, 403, S("denied"));
        return HTTP_ANSWERED;
    }
    call->body_max_bytes = str_starts(path, S("/small")) ? 10 : 8 * 1024 * 1024;
    return str_starts(path, S("/here")) ? HTTP_RUN_HERE : HTTP_RUN_WORKER;
}

static enum http_next head(void *self, struct http_call *call)
{
    (void)self;
    atomic_fetch_add(&n_judged, 1);
    if (str_eq(call->req.path, S("/hello"))) {
        call->reply.status = 200;
        call->reply.content_type = S("text/plain");
        call->reply.static_body = S("hello");
        return HTTP_ANSWERED;
    }
    return str_starts(call->req.path, S("/ask")) ? HTTP_ASK_STORE : judge(call);
}

static enum http_next admit(void *self, struct http_call *call)
{
    (void)self;
    return judge(call);
}

static void handle_large(struct http_reply *reply)
{
    enum { LARGE_BYTES = 5 * 1024 * 1024 };

    reply->status = 200;
    reply->content_type = S("application/octet-stream");
    memset(buf_room(&reply->body, LARGE_BYTES), 'x', LARGE_BYTES);
    buf_grown(&reply->body, LARGE_BYTES);
}

static void fill(void *self, struct http_call *call)
{
    str path = call->req.path;
    struct http_reply *reply = &call->reply;

    (void)self;
    atomic_fetch_add(&n_handled, 1);
    if (str_ends(path, S("slow")))
        nap(300);
    if (str_ends(path, S("large"))) {
        handle_large(reply);
    } else if (str_ends(path, S("empty"))) {
        reply->status = 204;
    } else if (str_ends(path, S("broken"))) {
        say(reply, 200, S("never seen"));
        http_reply_field(reply, S("location"), S("a\r\nb: c"));
    } else if (str_ends(path, S("who"))) {
        say(reply, 200,
            arena_printf(call->arena, "local=%d uid=%lld family=%d",
                         call->req.way == HTTP_OVER_CONTROL, (long long)call->req.local_uid,
                         call->req.peer.family));
    } else {
        say(reply, 200, call->req.body.n ? call->req.body : path);
    }
}

/* "/here-not" finds on the I/O thread that it must wait, and is called again on a worker. */
static enum http_next handle(void *self, struct http_call *call)
{
    bool is_first = call->state == NULL;

    call->state = call;
    if (str_starts(call->req.path, S("/here-not")) && is_first)
        return HTTP_RUN_WORKER;
    fill(self, call);
    return HTTP_ANSWERED;
}

static void refuse(void *self, struct http_call *call, enum err e, str detail)
{
    (void)self;
    (void)detail;
    say(&call->reply, err_info(e)->status, err_info(e)->code);
}

static void ended(void *self, struct http_call *call)
{
    (void)self;
    (void)call;
    atomic_fetch_add(&n_ended, 1);
}

static void thread_starts(void *self)
{
    (void)self;
    atomic_fetch_add(&n_threads, 1);
}

static void thread_ends(void *self)
{
    (void)self;
    atomic_fetch_sub(&n_threads, 1);
}

static const struct http_service service = {
    .head = head,
    .admit = admit,
    .handle = handle,
    .refuse = refuse,
    .ended = ended,
    .thread_starts = thread_starts,
    .thread_ends = thread_ends,
};

/* ---- one server for each test ---- */

struct server {
    struct arena *arena;
    struct http_engine *engine;
    str address;
};

#ifdef OVER_TLS
static char cert_path[128], key_path[128];

static int make_certificate(void **state)
{
    char folder[] = "/tmp/sallyport-test-XXXXXX";
    struct issued own = certs_issue("localhost", 1, NULL);

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    certs_path(folder, "cert.pem", cert_path);
    certs_path(folder, "key.pem", key_path);
    certs_write_cert(cert_path, &own);
    certs_write_key(key_path, &own, NULL);
    certs_drop(&own);
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    unlink(cert_path);
    unlink(key_path);
    *strrchr(cert_path, '/') = '\0';
    return rmdir(cert_path);
}
#else
#define make_certificate   NULL
#define remove_certificate NULL
#endif

static struct server server_start(struct http_engine_options options)
{
    struct server s = {.arena = arena_new()};
    str why = STR_NONE;

    n_judged = n_ended = n_handled = 0;
    bridge_truncated = 0;
    options.listen = options.listen ? options.listen : "127.0.0.1:0";
    options.io_threads = options.io_threads ? options.io_threads : 2;
#ifdef OVER_TLS
    options.tls = (struct http_tls_options){.cert = cert_path, .key = key_path};
#endif
    if (http_engine_start(s.arena, &options, &service, &s.engine, &why) != E_OK)
        flunk("the engine did not start: %.*s", STR_ARG(why));
    s.address = http_engine_address(s.engine);
    return s;
}

#define SERVER(...) server_start((struct http_engine_options){.workers = 4, __VA_ARGS__})

static void server_stop(struct server *s)
{
    http_engine_stop(s->engine, 2000);
    assert_int_equal(atomic_load(&n_judged), atomic_load(&n_ended));
    assert_int_equal(atomic_load(&n_threads), 0);
    http_engine_drop(&s->engine);
    arena_drop(&s->arena);
    for (int i = 0; i < 200 && atomic_load(&bridge_running); i++)
        nap(10);
    assert_int_equal(atomic_load(&bridge_truncated), 0);
}

static void expect_text(int fd, bool is_head, int status, const char *body)
{
    struct client_reply r = client_reply(fd, is_head);

    if (r.status != status || (body && !str_eq(r.body, str_of(body))))
        flunk("%d \"%.*s\" instead of %d \"%s\"; head:\n%s", r.status, STR_ARG(r.body), status,
              body, r.head);
    free((void *)r.body.p);
}

#define expect(fd, status, body) expect_text(fd, false, status, body)

static struct client_reply ask(const struct server *s, str request)
{
    int fd = connect_to(s->address);

    assert_true(client_send(fd, request));
    struct client_reply r = client_reply(fd, false);
    close(fd);
    return r;
}

#define GET(path) S("GET " path " HTTP/1.1\r\nHost: a\r\n\r\n")
#define POST(path, n, body)                                                                        \
    S("POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " n "\r\n\r\n" body)
#define CHUNKED(path, chunks)                                                                      \
    S("POST " path " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" chunks)

/* ---- replies ---- */

static void a_connection_serves_many_requests(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    for (int i = 0; i < 50; i++) {
        client_send(fd, GET("/hello"));
        expect(fd, 200, "hello");
        client_send(fd, GET("/work"));
        expect(fd, 200, "/work");
        client_send(fd, POST("/ask", "3", "abc"));
        expect(fd, 200, "abc");
        client_send(fd, POST("/here", "2", "de"));
        expect(fd, 200, "de");
    }
    close(fd);
    server_stop(&s);
}

static void a_reply_has_the_fields_of_http(void **state)
{
    struct server s = SERVER();
    struct client_reply r =
        ask(&s, S("GET /hello HTTP/1.1\r\nHost: a\r\nx-request-id: my-1\r\n\r\n"));

    (void)state;
    assert_true(str_starts(str_of(r.head), S("HTTP/1.1 200 OK\r\ndate: ")));
    assert_true(client_has(&r, " GMT\r\n"));
    assert_true(client_has(&r, "\r\ncontent-length: 5\r\n"));
    assert_true(client_has(&r, "\r\ncontent-type: text/plain\r\n"));
    assert_true(client_has(&r, "\r\nx-request-id: my-1\r\n"));
    assert_false(client_has(&r, "connection:"));
    free((void *)r.body.p);
    server_stop(&s);
}

static void a_request_id_that_is_not_good_is_replaced(void **state)
{
    struct server s = SERVER();
    struct client_reply r =
        ask(&s, S("GET /hello HTTP/1.1\r\nHost: a\r\nx-request-id: a b\r\n\r\n"));
    const char *id = strstr(r.head, "x-request-id: ");

    (void)state;
    assert_non_null(id);
    assert_int_equal(strspn(id + 14, "0123456789abcdef"), 32);
    free((void *)r.body.p);
    server_stop(&s);
}

static void a_reply_to_head_has_the_length_and_no_body(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, S("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct client_reply r = client_reply(fd, true);
    assert_int_equal(r.status, 200);
    assert_true(client_has(&r, "content-length: 5\r\n"));
    free((void *)r.body.p);
    client_send(fd, GET("/hello"));
    expect(fd, 200, "hello");
    close(fd);
    server_stop(&s);
}

static void no_content_has_no_length(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, GET("/empty"));
    struct client_reply r = client_reply(fd, false);
    assert_int_equal(r.status, 204);
    assert_false(client_has(&r, "content-length"));
    free((void *)r.body.p);
    client_send(fd, GET("/hello"));
    expect(fd, 200, "hello");
    close(fd);
    server_stop(&s);
}

static void a_faulty_reply_becomes_an_internal_error(void **state)
{
    struct server s = SERVER();
    struct client_reply r = ask(&s, GET("/broken"));

    (void)state;
    assert_int_equal(r.status, 500);
    assert_true(str_eq(r.body, S("INTERNAL_ERROR")));
    assert_false(client_has(&r, "location"));
    free((void *)r.body.p);
    server_stop(&s);
}

static void a_large_reply_waits_for_a_slow_reader(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, GET("/large"));
    client_send(fd, GET("/hello"));
    nap(100);
    struct client_reply r = client_reply(fd, false);
    assert_int_equal(r.body.n, 5 * 1024 * 1024);
    free((void *)r.body.p);
    expect(fd, 200, "hello");
    close(fd);
    server_stop(&s);
}

static void a_reader_who_takes_nothing_is_dropped(void **state)
{
    struct server s = SERVER(.write_timeout_ms = 100);
    int fd = connect_to(s.address);
    int n = 4096;

    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
    client_send(fd, GET("/large"));
    nap(600);
    assert_int_equal(atomic_load(&n_ended), 1);
    struct client_reply r = client_reply(fd, false);
    assert_true(r.body.n < 5 * 1024 * 1024);
    free((void *)r.body.p);
    close(fd);
    server_stop(&s);
}

static void connection_close_and_http_1_0_close(void **state)
{
    static const str requests[] = {
        S("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        S("GET /hello HTTP/1.0\r\n\r\n"),
        S("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    };
    struct server s = SERVER();

    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int fd = connect_to(s.address);
        client_send(fd, requests[i]);
        struct client_reply r = client_reply(fd, false);
        assert_true(client_has(&r, "\r\nconnection: close\r\n"));
        assert_true(client_ended(fd));
        free((void *)r.body.p);
        close(fd);
    }
    server_stop(&s);
}

/* ---- requests in pieces and in heaps ---- */

static void answers_to_pipelined_requests_are_in_order(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);
    char text[160], expected[32];

    (void)state;
    for (int i = 0; i < 200; i++) {
        int n = snprintf(text, sizeof text,
                         "POST /%s%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%.*s",
                         i % 3 == 0   ? "ask"
                         : i % 3 == 1 ? "work"
                                      : "here",
                         i, i % 2 * 3, i % 2 * 3, "abc");
        client_send(fd, (str){text, (size_t)n});
    }
    for (int i = 0; i < 200; i++) {
        snprintf(expected, sizeof expected, "/%s%d",
                 i % 3 == 0   ? "ask"
                 : i % 3 == 1 ? "work"
                              : "here",
                 i);
        expect(fd, 200, i % 2 ? "abc" : expected);
    }
    close(fd);
    server_stop(&s);
}

struct flood {
    int fd;
    str request;
    int n;
};

static void *send_flood(void *arg)
{
    struct flood *flood = arg;

    for (int i = 0; i < flood->n; i++)
        if (!client_send(flood->fd, flood->request))
            break;
    return NULL;
}

static void thousands_of_pipelined_requests_are_held_back_not_lost(void **state)
{
    struct server s = SERVER();
    struct flood flood = {connect_to(s.address), POST("/work", "5", "01234"), 5000};
    pthread_t sender;

    (void)state;
    pthread_create(&sender, NULL, send_flood, &flood);
    for (int i = 0; i < flood.n; i++)
        expect(flood.fd, 200, "01234");
    pthread_join(sender, NULL);
    close(flood.fd);
    server_stop(&s);
}

static void requests_may_come_one_byte_at_a_time(void **state)
{
    static const str text = S("POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                              "POST /here HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n"
                              "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    struct server s = SERVER();
    int fd = connect_to(s.address);
    int on = 1;

    (void)state;
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (size_t i = 0; i < text.n; i++) {
        client_send(fd, str_sub(text, i, 1));
        if (i % 4 == 0)
            nap(1);
    }
    expect(fd, 200, "abc");
    expect(fd, 200, "xyz");
    expect(fd, 200, "hello");
    close(fd);
    server_stop(&s);
}

static void a_client_may_close_its_side_and_get_its_answers(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, GET("/slow"));
    client_send(fd, GET("/hello"));
    shutdown(fd, SHUT_WR);
    expect(fd, 200, "/slow");
    expect(fd, 200, "hello");
    assert_true(client_ended(fd));
    close(fd);
    server_stop(&s);
}

static void half_a_request_is_malformed(void **state)
{
    static const str halves[] = {
        S("GET /hello HTT"),
        S("GET /hello HTTP/1.1\r\nHost: a\r\n"),
        POST("/work", "5", "abc"),
        CHUNKED("/work", "3\r\nabc\r\n"),
    };
    struct server s = SERVER();

    (void)state;
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        int fd = connect_to(s.address);
        client_send(fd, halves[i]);
        shutdown(fd, SHUT_WR);
        expect(fd, 400, "MALFORMED_REQUEST");
        assert_true(client_ended(fd));
        close(fd);
    }
    assert_int_equal(atomic_load(&n_handled), 0);
    server_stop(&s);
}

static void nothing_behind_a_malformed_request_is_read(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, S("POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    client_send(fd, GET("/hello"));
    struct client_reply r = client_reply(fd, false);
    assert_int_equal(r.status, 400);
    assert_true(client_has(&r, "\r\nconnection: close\r\n"));
    free((void *)r.body.p);
    assert_true(client_ended(fd));
    close(fd);
    assert_int_equal(atomic_load(&n_judged), 0);
    server_stop(&s);
}

/* ---- bodies ---- */

static void a_chunked_body_arrives_whole(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, CHUNKED("/work", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"));
    client_send(fd, GET("/hello"));
    expect(fd, 200, "abc0123456789");
    expect(fd, 200, "hello");
    client_send(fd, CHUNKED("/work", "3\r\nabcd\r\n"));
    expect(fd, 400, "MALFORMED_REQUEST");
    assert_true(client_ended(fd));
    close(fd);
    server_stop(&s);
}

static void large_bodies_arrive_whole(void **state)
{
    enum { BODY_BYTES = 3 * 1000 * 1000 };
    struct server s = SERVER();
    char *body = malloc(BODY_BYTES);

    (void)state;
    for (size_t i = 0; i < BODY_BYTES; i++)
        body[i] = (char)('a' + i % 26);
    for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
        int fd = connect_to(s.address);
        client_send(fd, is_chunked ? CHUNKED("/ask", "2dc6c0\r\n") : POST("/ask", "3000000", ""));
        client_send(fd, (str){body, BODY_BYTES});
        client_send(fd, is_chunked ? S("\r\n0\r\n\r\n") : S(""));
        struct client_reply r = client_reply(fd, false);
        assert_int_equal(r.status, 200);
        assert_true(str_eq(r.body, (str){body, BODY_BYTES}));
        free((void *)r.body.p);
        close(fd);
    }
    free(body);
    server_stop(&s);
}

static void continue_comes_after_admission(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, S("POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                      "Expect: 100-continue\r\n\r\n"));
    expect(fd, 100, NULL);
    client_send(fd, S("abc"));
    expect(fd, 200, "abc");
    close(fd);
    server_stop(&s);
}

static void a_refused_expectation_gets_no_continue(void **state)
{
    static const str requests[] = {
        S("POST /deny HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"),
        S("POST /ask-deny HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
          "Expect: 100-continue\r\n\r\n"),
        S("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n"
          "Expect: 100-continue\r\n\r\n"),
    };
    struct server s = SERVER();

    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int fd = connect_to(s.address);
        client_send(fd, requests[i]);
        expect(fd, i < 2 ? 403 : 413, i < 2 ? "denied" : "BODY_TOO_LARGE");
        assert_true(client_ended(fd));
        close(fd);
    }
    server_stop(&s);
}

static void a_small_unwanted_body_keeps_the_connection(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, POST("/deny", "5", "01234"));
    expect(fd, 403, "denied");
    client_send(fd, POST("/ask-deny", "5", "01"));
    expect(fd, 403, "denied");
    client_send(fd, S("234"));
    client_send(fd, POST("/small", "11", "0123456789a"));
    expect(fd, 413, "BODY_TOO_LARGE");
    client_send(fd, POST("/small", "10", "0123456789"));
    expect(fd, 200, "0123456789");
    close(fd);
    server_stop(&s);
}

static void chunks_past_the_limit_are_refused(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, CHUNKED("/small", "5\r\n01234\r\n6\r\n"));
    expect(fd, 413, "BODY_TOO_LARGE");
    assert_true(client_ended(fd));
    close(fd);
    server_stop(&s);
}

/* The client sends on without reading; the answer must not be lost in a reset. */
static void a_large_refused_body_does_not_lose_the_answer(void **state)
{
    static const str heads[] = {POST("/small", "4000000", ""), POST("/deny", "4000000", ""),
                                CHUNKED("/small", "3D0900\r\n")};
    struct server s = SERVER();
    char *body = calloc(1, 4000000);

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        int fd = connect_to(s.address);
        client_send(fd, heads[i]);
        assert_true(client_send(fd, (str){body, 4000000}));
        expect(fd, i == 1 ? 403 : 413, NULL);
        assert_true(client_ended(fd));
        close(fd);
    }
    free(body);
    server_stop(&s);
}

static void bodies_together_are_bounded(void **state)
{
    struct server s = SERVER(.body_memory_max_bytes = 1000);
    int first = connect_to(s.address);
    int second = connect_to(s.address);

    (void)state;
    client_send(first, POST("/work", "900", "abc"));
    nap(100);
    client_send(second, POST("/work", "200", "abc"));
    expect(second, 503, "OVERLOADED");
    close(second);
    close(first);
    nap(100);
    second = connect_to(s.address);
    client_send(second, POST("/work", "3", ""));
    client_send(second, S("abc"));
    expect(second, 200, "abc");
    close(second);
    server_stop(&s);
}

/* ---- time ---- */

static void a_slow_head_times_out(void **state)
{
    struct server s = SERVER(.head_timeout_ms = 100);
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, S("GET /hello HTTP/1.1\r\nHo"));
    expect(fd, 408, "REQUEST_TIMEOUT");
    assert_true(client_ended(fd));
    close(fd);
    server_stop(&s);
}

static void a_slow_body_times_out(void **state)
{
    struct server s = SERVER(.body_timeout_ms = 100);
    int fd = connect_to(s.address);

    (void)state;
    client_send(fd, POST("/work", "5", "abc"));
    expect(fd, 408, "REQUEST_TIMEOUT");
    assert_true(client_ended(fd));
    close(fd);
    assert_int_equal(atomic_load(&n_handled), 0);
    server_stop(&s);
}

static void an_idle_connection_is_closed_in_silence(void **state)
{
    struct server s = SERVER(.head_timeout_ms = 100, .idle_timeout_ms = 100);
    int fresh = connect_to(s.address);
    int used = connect_to(s.address);

    (void)state;
    client_send(used, GET("/hello"));
    expect(used, 200, "hello");
    assert_true(client_ended(fresh));
    assert_true(client_ended(used));
    close(fresh);
    close(used);
    server_stop(&s);
}

static void a_worker_may_take_longer_than_the_other_times(void **state)
{
    struct server s = SERVER(.head_timeout_ms = 100, .idle_timeout_ms = 100, .body_timeout_ms = 100,
                             .write_timeout_ms = 100);
    struct client_reply r = ask(&s, GET("/slow"));

    (void)state;
    assert_int_equal(r.status, 200);
    free((void *)r.body.p);
    server_stop(&s);
}

/* ---- many at once ---- */

#ifndef OVER_TLS
static void connections_past_the_limit_are_turned_away(void **state)
{
    struct server s = SERVER(.connections_max = 2);
    int first = connect_to(s.address);
    int second = connect_to(s.address);

    (void)state;
    client_send(first, GET("/hello"));
    expect(first, 200, "hello");
    client_send(second, GET("/hello"));
    expect(second, 200, "hello");
    int third = connect_to(s.address);
    client_send(third, GET("/hello"));
    expect(third, 503, "OVERLOADED");
    assert_true(client_ended(third));
    close(third);
    close(second);
    nap(100);
    third = connect_to(s.address);
    client_send(third, GET("/hello"));
    expect(third, 200, "hello");
    close(third);
    close(first);
    server_stop(&s);
}

#endif

static void *talk(void *arg)
{
    static const str paths[] = {S("/hello"), S("/here"), S("/here-not"), S("/ask")};
    const struct server *s = arg;
    int fd = connect_to(s->address);
    char text[128];

    for (size_t i = 0; i < 100; i++) {
        int n = snprintf(text, sizeof text,
                         "POST %.*s HTTP/1.1\r\nHost: a\r\nx-api-key: k\r\n"
                         "Content-Length: 5\r\n\r\n01234",
                         STR_ARG(paths[i % 4]));
        client_send(fd, (str){text, (size_t)n});
        struct client_reply r = client_reply(fd, false);
        bool is_good = r.status == 200 && r.body.n == 5;
        free((void *)r.body.p);
        if (!is_good)
            return (void *)"a reply was wrong";
    }
    close(fd);
    return NULL;
}

static void sixty_four_clients_are_served_together(void **state)
{
    struct server s = SERVER();
    pthread_t threads[64];
    void *problem;

    (void)state;
    for (size_t i = 0; i < 64; i++)
        pthread_create(&threads[i], NULL, talk, &s);
    for (size_t i = 0; i < 64; i++) {
        pthread_join(threads[i], &problem);
        assert_null(problem);
    }
    server_stop(&s);
}

static void a_client_may_vanish_while_a_worker_is_at_work(void **state)
{
    const struct linger reset = {.l_onoff = 1};
    struct server s = SERVER();

    (void)state;
    for (int i = 0; i < 8; i++) {
        int fd = connect_to(s.address);
        client_send(fd, GET("/slow"));
        client_send(fd, GET("/slow"));
        nap(20);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    server_stop(&s);
}

/* ---- sockets ---- */

static void a_second_server_on_the_port_is_refused(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct server s = SERVER();
    struct http_engine *second = NULL;
    struct http_engine_options options = {.listen = arena_dup(arena, s.address).p, .io_threads = 2};
    str why = STR_NONE;

    (void)state;
    assert_int_equal(http_engine_start(arena, &options, &service, &second, &why), E_INTERNAL_ERROR);
    assert_non_null(strstr(why.p, "PORT_IN_USE"));
    server_stop(&s);
}

static void an_address_that_is_none_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "8080",
                                        ":8080",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "::1:80",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:http",
                                        "300.0.0.1:80"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        DROP(arena) struct arena *arena = arena_new();
        struct http_engine_options options = {.listen = texts[i]};
        struct http_engine *engine = NULL;
        str why = STR_NONE;
        assert_int_equal(http_engine_start(arena, &options, &service, &engine, &why),
                         E_INTERNAL_ERROR);
        assert_true(why.n > 0);
    }
}

/* Which loop a connection comes to is the kernel's choice: with so many, both get some. */
static void all_listeners_serve_one_port(void **state)
{
    struct server s = SERVER(.io_threads = 2);

    (void)state;
    for (int i = 0; i < 40; i++) {
        struct client_reply r = ask(&s, GET("/who"));
        assert_true(str_eq(r.body, S("local=0 uid=-1 family=1")));
        free((void *)r.body.p);
    }
    server_stop(&s);
}

static void the_control_socket_knows_the_callers_uid(void **state)
{
    char path[] = "/tmp/sallyport-test-XXXXXX", expected[64];
    struct stat status;

    (void)state;
    assert_non_null(mkdtemp(path));
    char *file = (char[64]){0};
    snprintf(file, 64, "%s/control", path);
    struct server s = SERVER(.control_socket = file);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    int fd = client_connect_local(file);
    client_send(fd, GET("/who"));
    snprintf(expected, sizeof expected, "local=1 uid=%lld family=0", (long long)geteuid());
    expect(fd, 200, expected);
    close(fd);
    server_stop(&s);
    assert_int_not_equal(stat(file, &status), 0);
    rmdir(path);
}

static void a_stale_control_socket_is_replaced_and_a_live_one_is_not(void **state)
{
    char path[] = "/tmp/sallyport-test-XXXXXX", file[64];
    struct sockaddr_un stale = {.sun_family = AF_UNIX};
    DROP(arena) struct arena *arena = arena_new();
    struct http_engine *second = NULL;
    str why = STR_NONE;

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(file, sizeof file, "%s/control", path);
    memcpy(stale.sun_path, file, strlen(file));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&stale, sizeof stale), 0);
    close(fd);
    struct server s = SERVER(.control_socket = file);
    struct http_engine_options options = {.listen = "127.0.0.1:0", .control_socket = file};
    assert_int_equal(http_engine_start(arena, &options, &service, &second, &why), E_INTERNAL_ERROR);
    assert_non_null(strstr(why.p, "in use"));
    fd = client_connect_local(file);
    assert_true(fd >= 0);
    close(fd);
    server_stop(&s);
    rmdir(path);
}

/* ---- the end ---- */

static void *stop_soon(void *arg)
{
    struct server *s = arg;

    nap(100);
    http_engine_stop(s->engine, 2000);
    return NULL;
}

static void a_stop_lets_running_requests_finish(void **state)
{
    struct server s = SERVER();
    int running = connect_to(s.address);
    int idle = connect_to(s.address);
    pthread_t stopper;

    (void)state;
    client_send(idle, GET("/hello"));
    expect(idle, 200, "hello");
    client_send(running, GET("/slow"));
    pthread_create(&stopper, NULL, stop_soon, &s);
    assert_true(client_ended(idle));
    struct client_reply r = client_reply(running, false);
    assert_int_equal(r.status, 200);
    assert_true(client_has(&r, "connection: close"));
    free((void *)r.body.p);
    assert_true(client_ended(running));
    pthread_join(stopper, NULL);
    assert_int_equal(connect_to(s.address), -1);
    close(running);
    close(idle);
    server_stop(&s);
}

static void a_stop_ends_within_its_time(void **state)
{
    struct server s = SERVER();
    int fd = connect_to(s.address);
    int64_t before_ms = time_mono_ms();

    (void)state;
    client_send(fd, POST("/work", "5", "abc"));
    nap(50);
    http_engine_stop(s.engine, 200);
    assert_true(time_mono_ms() - before_ms < 1500);
    close(fd);
    server_stop(&s);
}

/* ---- memory ---- */

#if CAN_SEARCH_MEMORY
/* The marker is kept with one bit turned in each byte, so that this file's own memory has none. */
static bool holds_marker(const char *p, size_t n, const char *turned, size_t turned_n)
{
    for (size_t i = 0; i + turned_n <= n; i++) {
        size_t k = 0;
        while (k < turned_n && p[i + k] == (char)(turned[k] ^ 1))
            k++;
        if (k == turned_n)
            return true;
    }
    return false;
}

static bool memory_holds_marker(const char *turned, size_t turned_n)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], mode[8];
    unsigned long from, to;
    bool found = false;

    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && strcmp(mode, "rw-p") == 0)
            found |= holds_marker((const char *)from, to - from, turned, turned_n);
    fclose(maps);
    return found;
}

static void send_marked(int fd, const char *turned, size_t n, str before, str after)
{
    char text[64];

    for (size_t i = 0; i < n; i++)
        text[i] = (char)(turned[i] ^ 1);
    client_send(fd, before);
    client_send(fd, (str){text, n});
    client_send(fd, after);
    explicit_bzero(text, sizeof text);
}

static void an_idle_server_holds_no_raw_key(void **state)
{
    const char turned[] = "lu^mhwd^1032547698abcdef1032547698"; /* each byte of a key, xor 1 */
    const size_t n = sizeof turned - 1;
    static const str paths[] = {S("/hello"), S("/here"), S("/here-not"),
                                S("/ask"),   S("/deny"), S("/ask-deny")};
    struct server s = SERVER();
    int fd = connect_to(s.address);

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        client_send(fd, S("POST "));
        client_send(fd, paths[i]);
        client_send(fd, S(" HTTP/1.1\r\nHost: a\r\nContent-Length: 34\r\n"));
        send_marked(fd, turned, n, S("x-api-key: "), S("\r\n"));
        send_marked(fd, turned, n, S("Authorization: Bearer "), S("\r\n\r\n"));
        send_marked(fd, turned, n, S(""), S(""));
        struct client_reply r = client_reply(fd, false);
        assert_true(r.status == 200 || r.status == 403);
        explicit_bzero((void *)r.body.p, r.body.n);
        free((void *)r.body.p);
    }
    nap(50);
    assert_false(memory_holds_marker(turned, n));
    close(fd);
    server_stop(&s);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_many_requests),
        cmocka_unit_test(a_reply_has_the_fields_of_http),
        cmocka_unit_test(a_request_id_that_is_not_good_is_replaced),
        cmocka_unit_test(a_reply_to_head_has_the_length_and_no_body),
        cmocka_unit_test(no_content_has_no_length),
        cmocka_unit_test(a_faulty_reply_becomes_an_internal_error),
        cmocka_unit_test(a_large_reply_waits_for_a_slow_reader),
        cmocka_unit_test(a_reader_who_takes_nothing_is_dropped),
        cmocka_unit_test(connection_close_and_http_1_0_close),
        cmocka_unit_test(answers_to_pipelined_requests_are_in_order),
        cmocka_unit_test(thousands_of_pipelined_requests_are_held_back_not_lost),
        cmocka_unit_test(requests_may_come_one_byte_at_a_time),
        cmocka_unit_test(a_client_may_close_its_side_and_get_its_answers),
        cmocka_unit_test(half_a_request_is_malformed),
        cmocka_unit_test(nothing_behind_a_malformed_request_is_read),
        cmocka_unit_test(a_chunked_body_arrives_whole),
        cmocka_unit_test(large_bodies_arrive_whole),
        cmocka_unit_test(continue_comes_after_admission),
        cmocka_unit_test(a_refused_expectation_gets_no_continue),
        cmocka_unit_test(a_small_unwanted_body_keeps_the_connection),
        cmocka_unit_test(chunks_past_the_limit_are_refused),
        cmocka_unit_test(a_large_refused_body_does_not_lose_the_answer),
        cmocka_unit_test(bodies_together_are_bounded),
        cmocka_unit_test(a_slow_head_times_out),
        cmocka_unit_test(a_slow_body_times_out),
        cmocka_unit_test(an_idle_connection_is_closed_in_silence),
        cmocka_unit_test(a_worker_may_take_longer_than_the_other_times),
#ifndef OVER_TLS /* where they are closed without a word: test_tls.c */
        cmocka_unit_test(connections_past_the_limit_are_turned_away),
#endif
        cmocka_unit_test(sixty_four_clients_are_served_together),
        cmocka_unit_test(a_client_may_vanish_while_a_worker_is_at_work),
        cmocka_unit_test(a_second_server_on_the_port_is_refused),
        cmocka_unit_test(an_address_that_is_none_is_refused),
        cmocka_unit_test(all_listeners_serve_one_port),
        cmocka_unit_test(the_control_socket_knows_the_callers_uid),
        cmocka_unit_test(a_stale_control_socket_is_replaced_and_a_live_one_is_not),
        cmocka_unit_test(a_stop_lets_running_requests_finish),
        cmocka_unit_test(a_stop_ends_within_its_time),
#if CAN_SEARCH_MEMORY
        cmocka_unit_test(an_idle_server_holds_no_raw_key),
#endif
    };

    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
