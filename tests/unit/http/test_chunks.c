/* http/parse.h: chunked bodies. */
#include "unit.h"

#include "http/parse.h"

enum { MAX_BYTES = 64 };

struct outcome {
    enum http_parse verdict;
    enum err err;
    size_t used;
    char body[MAX_BYTES + 1];
};

static struct outcome decode(str text, size_t step, uint64_t max_bytes)
{
    struct outcome o = {.verdict = HTTP_NEED_MORE};
    struct http_chunks chunks = {0};
    struct http_fault fault = {0};
    struct buf body;

    buf_init(&body, MAX_BYTES);
    while (o.verdict == HTTP_NEED_MORE && o.used < text.n) {
        size_t used = 0;
        o.verdict =
            http_chunks_read(&chunks, str_sub(text, o.used, step), &used, &body, max_bytes, &fault);
        o.used += used;
    }
    o.err = fault.err;
    memcpy(o.body, buf_str(&body).p, body.n);
    buf_drop(&body);
    return o;
}

static void expect(const char *text, enum http_parse verdict, enum err e, const char *body)
{
    const size_t steps[] = {SIZE_MAX, 1, 2, 3, 5};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct outcome o = decode(str_of(text), steps[i], MAX_BYTES);
        if (o.verdict != verdict || o.err != e || (body && strcmp(o.body, body) != 0))
            flunk("verdict %d, error %d, body \"%s\", in steps of %zu, for:\n%s", (int)o.verdict,
                  (int)o.err, o.body, steps[i], text);
    }
}

static void chunks_become_one_body(void **state)
{
    (void)state;
    expect("0\r\n\r\n", HTTP_COMPLETE, E_OK, "");
    expect("000\r\n\r\n", HTTP_COMPLETE, E_OK, "");
    expect("3\r\nabc\r\n0\r\n\r\n", HTTP_COMPLETE, E_OK, "abc");
    expect("3\r\nabc\r\nA\r\n\r\n\r\n\r\n0123\r\n0\r\n\r\n", HTTP_COMPLETE, E_OK,
           "abc\r\n\r\n\r\n0123");
    expect("0000000000000003\r\nabc\r\n0\r\n\r\n", HTTP_COMPLETE, E_OK, "abc");
    expect("a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", HTTP_COMPLETE, E_OK, "0123456789x");
}

static void what_follows_the_last_chunk_is_not_touched(void **state)
{
    const str text = S("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n");

    (void)state;
    assert_int_equal(decode(text, SIZE_MAX, MAX_BYTES).used, 11);
    assert_int_equal(decode(text, 1, MAX_BYTES).used, 11);
}

static void an_unfinished_body_needs_more(void **state)
{
    const str text = S("3\r\nabc\r\n0\r\n\r\n");

    (void)state;
    for (size_t n = 0; n < text.n; n++)
        assert_int_equal(decode(str_sub(text, 0, n), SIZE_MAX, MAX_BYTES).verdict, HTTP_NEED_MORE);
}

static void anything_but_sizes_and_data_is_refused(void **state)
{
    static const char *const texts[] = {
        "\r\n",
        "\r\n0\r\n\r\n",
        "\n",
        " 3\r\nabc\r\n",
        "3 \r\nabc\r\n",
        "3\t\r\nabc\r\n",
        "+3\r\nabc\r\n",
        "-1\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        "3h\r\nabc\r\n",
        "g\r\n",
        "3;a=b\r\nabc\r\n",
        "3;\r\nabc\r\n",
        "0;a\r\n\r\n",
        "3\nabc\r\n",
        "3\rabc\r\n",
        "3\r\r\nabc",
        "3\r\nabcd\r\n",
        "3\r\nabc\n0\r\n",
        "3\r\nabc\r0",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabc\r\n\r\n0\r\n\r\n",
        "0\r\nA: b\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rX",
        "00000000000000003\r\nabc\r\n",
        "10000000000000000\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], HTTP_REFUSED, E_MALFORMED_REQUEST, NULL);
}

static void the_sum_is_bounded_before_the_data_comes(void **state)
{
    (void)state;
    expect("41\r\n", HTTP_REFUSED, E_BODY_TOO_LARGE, "");
    expect("ffffffffffffffff\r\n", HTTP_REFUSED, E_BODY_TOO_LARGE, "");
    expect("2\r\nab\r\n3f\r\n", HTTP_REFUSED, E_BODY_TOO_LARGE, "ab");
    expect("1\r\na\r\nffffffffffffffff\r\n", HTTP_REFUSED, E_BODY_TOO_LARGE, "a");
    assert_int_equal(decode(S("3\r\nabc\r\n0\r\n\r\n"), 1, 3).verdict, HTTP_COMPLETE);
    assert_int_equal(decode(S("3\r\nabc\r\n0\r\n\r\n"), 1, 2).err, E_BODY_TOO_LARGE);
    assert_int_equal(decode(S("0\r\n\r\n"), 1, 0).verdict, HTTP_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_become_one_body),
        cmocka_unit_test(what_follows_the_last_chunk_is_not_touched),
        cmocka_unit_test(an_unfinished_body_needs_more),
        cmocka_unit_test(anything_but_sizes_and_data_is_refused),
        cmocka_unit_test(the_sum_is_bounded_before_the_data_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
