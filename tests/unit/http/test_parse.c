/* http/parse.h: the head of a request. Every verdict is the same for the whole and byte by byte. */
#include "unit.h"

#include <stdio.h>

#include "base/mem.h"
#include "http/parse.h"

static char *copy_of(str s)
{
    char *p = mem_new(s.n + 1);

    memcpy(p, s.p, s.n);
    return p;
}

static enum http_parse read_head(struct arena *arena, char *bytes, size_t n, size_t step,
                                 struct http_req *req, struct http_fault *fault)
{
    struct http_scan scan = {0};
    enum http_parse verdict = HTTP_NEED_MORE;
    size_t head_bytes = 0;

    *req = (struct http_req){0};
    for (size_t seen = 0; verdict == HTTP_NEED_MORE && seen < n;) {
        seen = n - seen < step ? n : seen + step;
        verdict = http_scan_head(&scan, (str){bytes, seen}, &head_bytes, fault);
    }
    if (verdict == HTTP_COMPLETE)
        verdict = http_parse_head(arena, bytes, head_bytes, req, fault);
    return verdict;
}

static void expect_refused(str text, enum err expected)
{
    const size_t steps[] = {SIZE_MAX, 1, 2, 7};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        DROP(arena) struct arena *arena = arena_new();
        struct http_fault fault = {0};
        struct http_req req;
        char *bytes = copy_of(text);
        enum http_parse verdict = read_head(arena, bytes, text.n, steps[i], &req, &fault);
        if (verdict != HTTP_REFUSED || fault.err != expected)
            flunk("verdict %d, %.*s instead of %.*s, in steps of %zu, for:\n%.*s", (int)verdict,
                  STR_ARG(err_info(fault.err)->code), STR_ARG(err_info(expected)->code), steps[i],
                  STR_ARG(text));
        assert_non_null(fault.detail);
        http_req_drop(&req);
        mem_wipe_free(bytes);
    }
}

#define H            "Host: a\r\n"
#define GET(fields)  "GET / HTTP/1.1\r\n" H fields "\r\n"
#define POST(fields) "POST / HTTP/1.1\r\n" H fields "\r\n"
#define LINE(line)   line "\r\n" H "\r\n"
#define PATH(path)   "GET " path " HTTP/1.1\r\n" H "\r\n"
#define HOST(host)   "GET / HTTP/1.1\r\nHost: " host "\r\n\r\n"
#define CASE(text, err)                                                                            \
    {                                                                                              \
        S(text), E_##err                                                                           \
    }
#define BAD(text) CASE(text, MALFORMED_REQUEST)

static const struct {
    str text;
    enum err expected;
} refused[] = {
    /* line ends and control bytes */
    BAD("\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD("\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD("GET / HTTP/1.1\n" H "\r\n"),
    BAD("GET / HTTP/1.1\r\nHost: a\n\r\n"),
    BAD("GET / HTTP/1.1\r\nHost: a\r\n\n"),
    BAD("GET / HTTP/1.1\rHost: a\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    BAD(GET("A: b\rC: d\r\n")),
    BAD(GET("A: b\0c\r\n")),
    BAD(GET("A: \x01\r\n")),
    BAD(GET("A: b\x7f\r\n")),
    BAD(GET("A: \x1b[31m\r\n")),
    BAD("GET /\0 HTTP/1.1\r\n" H "\r\n"),
    BAD("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* TLS */
    BAD(GET("A: b\r\n folded\r\n")),
    BAD(GET("A: b\r\n\tfolded\r\n")),
    BAD("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    BAD(GET(" \r\n")),
    /* the request line */
    BAD(LINE("GET")),
    BAD(LINE("GET /")),
    BAD(LINE("GET / ")),
    BAD(LINE(" GET / HTTP/1.1")),
    BAD(LINE("GET  / HTTP/1.1")),
    BAD(LINE("GET /  HTTP/1.1")),
    BAD(LINE("GET / HTTP/1.1 ")),
    BAD(LINE("GET\t/\tHTTP/1.1")),
    BAD(LINE("GET / b HTTP/1.1")),
    BAD(LINE("G@T / HTTP/1.1")),
    BAD(LINE("GET: / HTTP/1.1")),
    BAD(LINE("GET / http/1.1")),
    BAD(LINE("GET / HTTP/1")),
    BAD(LINE("GET / HTTP/1.10")),
    BAD(LINE("GET / HTTP/11.1")),
    BAD(LINE("GET / HTTP/1.x")),
    BAD(LINE("GET / HTTPS/1.1")),
    BAD(LINE("GET / ICY/1.1")),
    CASE(LINE("GET / HTTP/0.9"), HTTP_VERSION_NOT_SUPPORTED),
    CASE(LINE("GET / HTTP/1.2"), HTTP_VERSION_NOT_SUPPORTED),
    CASE(LINE("GET / HTTP/2.0"), HTTP_VERSION_NOT_SUPPORTED),
    CASE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_VERSION_NOT_SUPPORTED),
    CASE(LINE("BREW / HTTP/1.1"), NOT_IMPLEMENTED),
    CASE(LINE("get / HTTP/1.1"), NOT_IMPLEMENTED),
    CASE(LINE("TRACE / HTTP/1.1"), NOT_IMPLEMENTED),
    CASE(LINE("CONNECT a:443 HTTP/1.1"), NOT_IMPLEMENTED),
    /* the target */
    BAD(PATH("*")),
    BAD(LINE("OPTIONS ** HTTP/1.1")),
    BAD(PATH("a")),
    BAD(PATH("a:80")),
    BAD(PATH("?a")),
    BAD(PATH("ftp://a/")),
    BAD(PATH("http:/a")),
    BAD(PATH("http:///")),
    BAD(PATH("http://b/")),
    BAD(PATH("http://a:80/")),
    BAD(PATH("http://u@a/")),
    BAD(PATH("http://a#/")),
    BAD("GET http://a/ HTTP/1.0\r\n\r\n"),
    BAD(PATH("/a#b")),
    BAD(PATH("/a?b#c")),
    BAD(PATH("/a\\b")),
    BAD(PATH("/a\"b")),
    BAD(PATH("/<a>")),
    BAD(PATH("/{a}")),
    BAD(PATH("/\xc3\xa9")),
    BAD(PATH("/%")),
    BAD(PATH("/%2")),
    BAD(PATH("/%zz")),
    BAD(PATH("/%2z")),
    BAD(PATH("/%00")),
    BAD(PATH("/a%2Fb")),
    BAD(PATH("/a%2fb")),
    BAD(PATH("/a%5Cb")),
    BAD(PATH("/a%0d%0aB:c")),
    BAD(PATH("/a%7f")),
    BAD(PATH("/.")),
    BAD(PATH("/..")),
    BAD(PATH("/./a")),
    BAD(PATH("/a/../b")),
    BAD(PATH("/a/%2e%2e/b")),
    BAD(PATH("/a/.%2E")),
    BAD(PATH("/%C0%AF")),
    BAD(PATH("/%E9")),
    BAD(PATH("/%ED%A0%80")),
    BAD(PATH("/%F4%90%80%80")),
    BAD(PATH("/a?b=%")),
    BAD(PATH("/a?b=%g1")),
    BAD(PATH("/a?b=%00")),
    BAD(PATH("/a?b=%ff")),
    BAD(PATH("/a?b=\xff")),
    /* fields */
    BAD(GET("A\r\n")),
    BAD(GET(": b\r\n")),
    BAD(GET("A : b\r\n")),
    BAD(GET("A\t: b\r\n")),
    BAD(GET("A b: c\r\n")),
    BAD(GET("A(: b\r\n")),
    BAD(GET("\xc3\xa9: b\r\n")),
    BAD("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    /* Host */
    BAD("GET / HTTP/1.1\r\n\r\n"),
    BAD(GET("Host: a\r\n")),
    BAD(GET("hOST: b\r\n")),
    BAD("GET / HTTP/1.0\r\n" H H "\r\n"),
    BAD(HOST("")),
    BAD(HOST("a b")),
    BAD(HOST("a,b")),
    BAD(HOST("a/b")),
    BAD(HOST("u@a")),
    BAD(HOST("a:")),
    BAD(HOST(":80")),
    BAD(HOST("a:b")),
    BAD(HOST("a:80:80")),
    BAD(HOST("a:65536")),
    BAD(HOST("a:000080")),
    BAD(HOST("a%20b")),
    BAD(HOST(".")),
    BAD(HOST("..")),
    BAD(HOST(".a")),
    BAD(HOST("a..b")),
    BAD(HOST("a.b..:80")),
    BAD(HOST("\ta")),
    BAD(HOST("a\t")),
    BAD(HOST(" \t a")),
    BAD(HOST("\xc3\xa9")),
    BAD(HOST("::1")),
    BAD(HOST("[::1")),
    BAD(HOST("[]")),
    BAD(HOST("[::1]80")),
    BAD(HOST("[::1]:")),
    BAD(HOST("[::g]")),
    /* once only */
    BAD(GET("Content-Type: a\r\nContent-Type: a\r\n")),
    BAD(GET("Authorization: a\r\nAuthorization: a\r\n")),
    BAD(GET("Expect: 100-continue\r\nExpect: 100-continue\r\n")),
    BAD(GET("Origin: a\r\norigin: b\r\n")),
    BAD(GET("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n")),
    BAD(GET("x-api-version: v1\r\nX-API-Version: v1\r\n")),
    BAD(GET("x-request-id: a\r\nx-request-id: b\r\n")),
    BAD(GET("Idempotency-Key: a\r\nIdempotency-Key: a\r\n")),
    BAD(GET("Cookie: a=b\r\nCookie: c=d\r\n")),
    BAD(GET("Cookie: \r\nCookie: \r\n")),
    /* how long the body is */
    BAD(POST("Content-Length: 5\r\nContent-Length: 5\r\n")),
    BAD(POST("Content-Length: 5\r\nContent-Length: 6\r\n")),
    BAD(POST("Content-Length: 5, 5\r\n")),
    BAD(POST("Content-Length: 5,6\r\n")),
    BAD(POST("Content-Length: +5\r\n")),
    BAD(POST("Content-Length: -5\r\n")),
    BAD(POST("Content-Length: -0\r\n")),
    BAD(POST("Content-Length: 0x5\r\n")),
    BAD(POST("Content-Length: 5 \t6\r\n")),
    BAD(POST("Content-Length: 5.0\r\n")),
    BAD(POST("Content-Length: 1e3\r\n")),
    BAD(POST("Content-Length:\r\n")),
    BAD(POST("Content-Length:\t5\r\n")),
    BAD(POST("Content-Length: 5\t\r\n")),
    BAD(POST("Content-Length: 5 \t \r\n")),
    BAD(POST("Transfer-Encoding:\tchunked\r\n")),
    BAD(POST("Transfer-Encoding: chunked\t\r\n")),
    BAD(POST("Content-Length: \"5\"\r\n")),
    BAD(POST("Content-Length: 9223372036854775808\r\n")),
    BAD(POST("Content-Length: 18446744073709551617\r\n")),
    BAD(POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
    BAD(POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
    BAD(POST("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")),
    BAD(POST("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n")),
    BAD(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
    BAD(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
    BAD(POST("Transfer-Encoding : chunked\r\n")),
    BAD(POST("Transfer-Encoding\x0b: chunked\r\n")),
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    CASE(POST("Transfer-Encoding: gzip, chunked\r\n"), NOT_IMPLEMENTED),
    CASE(POST("Transfer-Encoding: chunked, chunked\r\n"), NOT_IMPLEMENTED),
    CASE(POST("Transfer-Encoding: chunked, identity\r\n"), NOT_IMPLEMENTED),
    CASE(POST("Transfer-Encoding: identity\r\n"), NOT_IMPLEMENTED),
    CASE(POST("Transfer-Encoding: xchunked\r\n"), NOT_IMPLEMENTED),
    CASE(POST("Transfer-Encoding: \"chunked\"\r\n"), NOT_IMPLEMENTED),
    CASE(POST("Transfer-Encoding: chunked;q=1\r\n"), NOT_IMPLEMENTED),
    CASE(POST("Transfer-Encoding:\r\n"), NOT_IMPLEMENTED),
    /* Expect */
    CASE(POST("Expect: 200-ok\r\n"), EXPECTATION_FAILED),
    CASE(POST("Expect: 100-continue, x\r\n"), EXPECTATION_FAILED),
    CASE(POST("Expect:\r\n"), EXPECTATION_FAILED),
};

static void malformed_and_ambiguous_heads_are_refused(void **state)
{
    (void)state;
    assert_true(sizeof refused / sizeof *refused >= 80);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        expect_refused(refused[i].text, refused[i].expected);
}

/* before, n times c, after */
static str stretched(struct arena *arena, const char *before, char c, size_t n, const char *after)
{
    str head = str_of(before), tail = str_of(after);
    char *p = arena_alloc(arena, head.n + n + tail.n);

    memcpy(p, head.p, head.n);
    memset(p + head.n, c, n);
    memcpy(p + head.n + n, tail.p, tail.n);
    return (str){p, head.n + n + tail.n};
}

static void expect_good(str text)
{
    DROP(arena) struct arena *arena = arena_new();
    struct http_fault fault = {0};
    struct http_req req;

    for (size_t step = 1; step; step = step == 1 ? SIZE_MAX : 0) {
        char *bytes = copy_of(text);
        if (read_head(arena, bytes, text.n, step, &req, &fault) != HTTP_COMPLETE)
            flunk("refused: %s, for:\n%.*s", fault.detail ? fault.detail : "incomplete",
                  STR_ARG(text));
        http_req_drop(&req);
        mem_wipe_free(bytes);
    }
}

static void the_request_line_may_be_as_long_as_the_limit(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    const size_t around = sizeof "GET / HTTP/1.1" - 1;
    const char *after = " HTTP/1.1\r\n" H "\r\n";

    (void)state;
    expect_good(stretched(arena, "GET /", 'a', HTTP_REQUEST_LINE_MAX_BYTES - around, after));
    expect_refused(stretched(arena, "GET /", 'a', HTTP_REQUEST_LINE_MAX_BYTES - around + 1, after),
                   E_URI_TOO_LONG);
    expect_refused(stretched(arena, "", 'a', 100000, ""), E_URI_TOO_LONG);
}

static void a_field_line_may_be_as_long_as_the_limit(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    const char *before = "GET / HTTP/1.1\r\n" H "A:";

    (void)state;
    expect_good(stretched(arena, before, 'a', HTTP_FIELD_LINE_MAX_BYTES - 2, "\r\n\r\n"));
    expect_refused(stretched(arena, before, 'a', HTTP_FIELD_LINE_MAX_BYTES - 1, "\r\n\r\n"),
                   E_HEADERS_TOO_LARGE);
    expect_refused(stretched(arena, before, 'a', 100000, ""), E_HEADERS_TOO_LARGE);
}

static str many_fields(struct arena *arena, size_t n, size_t value_bytes, size_t last_bytes)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_put(&b, S("GET / HTTP/1.1\r\nHost:a\r\n"));
    for (size_t i = 1; i < n; i++) {
        buf_put(&b, S("A:"));
        for (size_t k = 0; k < (i + 1 == n ? last_bytes : value_bytes); k++)
            buf_put(&b, S("x"));
        buf_put(&b, S("\r\n"));
    }
    buf_put(&b, S("\r\n"));
    str text = arena_dup(arena, buf_str(&b));
    buf_drop(&b);
    return text;
}

static void a_head_may_have_a_hundred_fields(void **state)
{
    DROP(arena) struct arena *arena = arena_new();

    (void)state;
    expect_good(many_fields(arena, HTTP_FIELDS_MAX, 10, 10));
    expect_refused(many_fields(arena, HTTP_FIELDS_MAX + 1, 10, 10), E_HEADERS_TOO_LARGE);
    expect_refused(many_fields(arena, 20000, 10, 10), E_HEADERS_TOO_LARGE);
}

static void a_head_may_be_as_long_as_the_limit(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    size_t base = many_fields(arena, 7, 6000, 0).n;

    (void)state;
    expect_good(many_fields(arena, 7, 6000, HTTP_HEAD_MAX_BYTES - base - 1));
    expect_good(many_fields(arena, 7, 6000, HTTP_HEAD_MAX_BYTES - base));
    expect_refused(many_fields(arena, 7, 6000, HTTP_HEAD_MAX_BYTES - base + 1),
                   E_HEADERS_TOO_LARGE);
    expect_refused(many_fields(arena, 7, 6000, HTTP_HEAD_MAX_BYTES - base + 2),
                   E_HEADERS_TOO_LARGE);
}

/* ---- good heads ---- */

struct good {
    struct arena *arena;
    char *bytes;
    size_t n;
    struct http_req req;
};

static struct good read_good(str text)
{
    struct good g = {.arena = arena_new(), .bytes = copy_of(text), .n = text.n};
    struct http_fault fault = {0};

    if (read_head(g.arena, g.bytes, text.n, SIZE_MAX, &g.req, &fault) != HTTP_COMPLETE)
        flunk("refused: %s", fault.detail ? fault.detail : "incomplete");
    return g;
}

static void good_drop(struct good *g)
{
    http_req_drop(&g->req);
    arena_drop(&g->arena);
    mem_wipe_free(g->bytes);
}

static void assert_str(str found, const char *expected)
{
    if (!str_eq(found, str_of(expected)))
        flunk("\"%.*s\" instead of \"%s\"", STR_ARG(found), expected);
}

static void good_heads_are_read(void **state)
{
    static const char *const texts[] = {
        GET(""),
        GET("A:\r\n"),
        GET("A: \t b \t \r\nA: b\r\n"),
        GET("A: \xc3\xa9\r\n"),
        GET("!#$%&'*+-.^_`|~09AZaz: x\r\n"),
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n" H "\r\n",
        PATH("http://a"),
        PATH("HTTPS://A/b?c"),
        PATH("http://a?c"),
        PATH("//a//b/"),
        PATH("/.../.a/a./a..b"),
        PATH("/a?../.."),
        PATH("/a?b=/?:@[]{}|\\^`\"<>"),
        PATH("/a:b@c!$&'()*+,;=-._~"),
        PATH("/%E2%82%AC%F0%9F%98%80"),
        HOST("[::1]:8080"),
        HOST("[::ffff:1.2.3.4]"),
        HOST("a-b_c.example:65535"),
        HOST("127.0.0.1:0"),
        HOST("a."),
        HOST("  a.b.:80  "),
        POST("Content-Length: 9223372036854775807\r\n"),
        POST("Transfer-Encoding:  CHUNKED \r\n"),
        GET("Upgrade: h2c\r\nConnection: Upgrade\r\nTE: trailers\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_good(str_of(texts[i]));
}

static void the_parts_of_a_request_are_found(void **state)
{
    struct good g = read_good(S("POST /a%20b/%C3%A9?x=%20&y HTTP/1.1\r\nHost: h:1\r\nB:  c \r\n"
                                "Content-Length: 3\r\n\r\nabcGET / "));

    (void)state;
    assert_int_equal(g.req.method, HTTP_POST);
    assert_str(g.req.target, "/a%20b/%C3%A9?x=%20&y");
    assert_str(g.req.path, "/a b/\xc3\xa9");
    assert_str(g.req.query, "x=%20&y");
    assert_int_equal(g.req.n_fields, 3);
    assert_str(g.req.fields[1].name, "B");
    assert_str(g.req.fields[1].value, "c");
    assert_str(g.req.fields[1].raw, "  c ");
    assert_true(g.req.has_body);
    assert_false(g.req.is_chunked);
    assert_int_equal(g.req.declared_bytes, 3);
    assert_int_equal(g.req.local_uid, -1);
    good_drop(&g);
}

static void an_absent_query_is_not_an_empty_one(void **state)
{
    struct good without = read_good(S(PATH("/")));
    struct good with = read_good(S(PATH("/?")));

    (void)state;
    assert_true(str_is_none(without.req.query));
    assert_false(str_is_none(with.req.query));
    good_drop(&without);
    good_drop(&with);
}

/* Whatever a gateway's client has asked for: it is told apart from our own paths, and not read. */
static void a_guarded_target_is_handed_on_as_it_is(void **state)
{
    struct good odd =
        read_good(S("PROPFIND /gate/envoy/a/../%2f//%zz;x?scopes=\xff HTTP/1.1\r\n" H "\r\n"));
    struct good root = read_good(S("GET /gate/envoy/ HTTP/1.1\r\n" H "\r\n"));
    struct good none = read_good(S("GET /gate/envoy?a HTTP/1.1\r\n" H "\r\n"));

    (void)state;
    assert_int_equal(odd.req.method, HTTP_OTHER);
    assert_str(odd.req.method_name, "PROPFIND");
    assert_str(odd.req.path, "/gate/envoy");
    assert_str(odd.req.guarded, "/a/../%2f//%zz;x?scopes=\xff");
    assert_true(str_is_none(odd.req.query));
    assert_int_equal(root.req.method, HTTP_GET);
    assert_str(root.req.guarded, "/");
    assert_true(str_is_none(none.req.guarded));
    assert_str(none.req.query, "a");
    good_drop(&odd);
    good_drop(&root);
    good_drop(&none);
}

static void an_absolute_target_gives_its_path(void **state)
{
    struct good g = read_good(S("GET http://A:80?q HTTP/1.1\r\nHost: a:80\r\n\r\n"));

    (void)state;
    assert_str(g.req.path, "/");
    assert_str(g.req.query, "q");
    good_drop(&g);
}

static void a_length_of_zero_is_no_body(void **state)
{
    struct good g = read_good(S(POST("Content-Length: 0\r\n")));

    (void)state;
    assert_false(g.req.has_body);
    good_drop(&g);
}

static void connection_close_is_found_in_lists(void **state)
{
    struct good close = read_good(S(GET("Connection: x\r\nConnection: keep-alive , Close\r\n")));
    struct good keep = read_good(S(GET("Connection: keep-alive, closed\r\n")));

    (void)state;
    assert_true(close.req.wants_close);
    assert_false(keep.req.wants_close);
    good_drop(&close);
    good_drop(&keep);
}

static void expect_is_ignored_in_http_1_0(void **state)
{
    struct good now = read_good(S(POST("Expect: 100-Continue\r\n")));
    struct good old = read_good(S("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"));

    (void)state;
    assert_true(now.req.expects_continue);
    assert_false(old.req.expects_continue);
    assert_true(old.req.is_http_1_0);
    good_drop(&now);
    good_drop(&old);
}

/* ---- credentials ---- */

static void credentials_leave_no_byte_in_the_head(void **state)
{
    struct good g = read_good(S(GET("X-Api-Key: key-SECRET\r\nx-api-key: more-SECRET\r\n"
                                    "Authorization:  Bearer SECRET \r\nCookie: s=SECRET\r\n"
                                    "X-Gate-Token: gt-SECRET\r\n")));

    (void)state;
    assert_str(secret_reveal(&g.req.api_key), "key-SECRET");
    assert_str(secret_reveal(&g.req.authorization), "Bearer SECRET");
    assert_str(secret_reveal(&g.req.cookie), "s=SECRET");
    assert_str(secret_reveal(&g.req.gate_token), "gt-SECRET");
    assert_int_equal(g.req.n_api_keys, 2);
    assert_null(memmem(g.bytes, g.n, "SECRET", 6));
    for (size_t i = 1; i < g.req.n_fields; i++) {
        assert_int_equal(g.req.fields[i].value.n, 0);
        assert_int_equal(g.req.fields[i].raw.n, 0);
    }
    good_drop(&g);
}

static void a_key_keeps_the_spaces_around_it(void **state)
{
    struct good g = read_good(S(GET("x-api-key:  k \t\r\n")));
    struct good bare = read_good(S(GET("x-api-key:k\r\n")));
    struct good empty = read_good(S(GET("x-api-key:\r\n")));

    (void)state;
    assert_str(secret_reveal(&g.req.api_key), " k \t");
    assert_str(secret_reveal(&bare.req.api_key), "k");
    assert_true(secret_is_set(&empty.req.api_key));
    assert_int_equal(empty.req.n_api_keys, 1);
    good_drop(&g);
    good_drop(&bare);
    good_drop(&empty);
}

static void a_key_of_any_length_is_taken_out_whole(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct good g =
        read_good(stretched(arena, "GET / HTTP/1.1\r\n" H "x-api-key: ", 'k', 8000, "\r\n\r\n"));

    (void)state;
    assert_int_equal(g.req.n_api_keys, 1);
    assert_int_equal(secret_reveal(&g.req.api_key).n, 8000);
    assert_null(memmem(g.bytes, g.n, "kkkk", 4));
    good_drop(&g);
}

static void an_unfinished_head_needs_more(void **state)
{
    const str text = S(GET("A: b\r\n"));

    (void)state;
    for (size_t n = 0; n < text.n; n++) {
        struct http_scan scan = {0};
        struct http_fault fault;
        size_t head_bytes;
        assert_int_equal(http_scan_head(&scan, str_sub(text, 0, n), &head_bytes, &fault),
                         HTTP_NEED_MORE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_and_ambiguous_heads_are_refused),
        cmocka_unit_test(the_request_line_may_be_as_long_as_the_limit),
        cmocka_unit_test(a_field_line_may_be_as_long_as_the_limit),
        cmocka_unit_test(a_head_may_have_a_hundred_fields),
        cmocka_unit_test(a_head_may_be_as_long_as_the_limit),
        cmocka_unit_test(good_heads_are_read),
        cmocka_unit_test(the_parts_of_a_request_are_found),
        cmocka_unit_test(an_absent_query_is_not_an_empty_one),
        cmocka_unit_test(a_guarded_target_is_handed_on_as_it_is),
        cmocka_unit_test(an_absolute_target_gives_its_path),
        cmocka_unit_test(a_length_of_zero_is_no_body),
        cmocka_unit_test(connection_close_is_found_in_lists),
        cmocka_unit_test(expect_is_ignored_in_http_1_0),
        cmocka_unit_test(credentials_leave_no_byte_in_the_head),
        cmocka_unit_test(a_key_keeps_the_spaces_around_it),
        cmocka_unit_test(a_key_of_any_length_is_taken_out_whole),
        cmocka_unit_test(an_unfinished_head_needs_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
