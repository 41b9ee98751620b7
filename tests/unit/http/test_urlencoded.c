/* http/urlencoded.h: bodies of forms have one reading, or none. */
#include "unit.h"

#include "http/urlencoded.h"

static struct arena *arena;
static struct urlencoded form;

static int start(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_drop(&arena);
    return 0;
}

static const char *parse(str body)
{
    return urlencoded_parse(arena, body, S("many"), &form);
}

static void assert_value(const char *name, const char *expected)
{
    str found = urlencoded_value(&form, str_of(name));

    if (!str_eq(found, str_of(expected)) || str_is_none(found))
        flunk("%s is \"%.*s\" instead of \"%s\"", name, STR_ARG(found), expected);
}

static void assert_refused(str body, const char *says)
{
    const char *fault = parse(body);

    if (!fault || !strstr(fault, says))
        flunk("\"%.*s\": %s", STR_ARG(body), fault ? fault : "taken");
}

static void what_browsers_write_is_decoded(void **state)
{
    (void)state;
    assert_null(
        parse(S("name=a+b%20c&key=%3D%26%2B%25&empty=&u=%C3%9C%F0%9F%94%91&many=1&l=a%0D%0Ab")));
    assert_int_equal(form.n, 6);
    assert_value("name", "a b c");
    assert_value("key", "=&+%");
    assert_value("empty", "");
    assert_value("u", "\xC3\x9C\xF0\x9F\x94\x91");
    assert_value("l", "a\r\nb");
    assert_true(str_is_none(urlencoded_value(&form, S("nam"))));
}

static void an_empty_body_is_a_form_without_fields(void **state)
{
    (void)state;
    assert_null(parse(S("")));
    assert_int_equal(form.n, 0);
}

static void one_name_alone_may_come_often(void **state)
{
    (void)state;
    assert_null(parse(S("many=1&a=x&many=2&many=1")));
    assert_int_equal(form.n, 4);
    assert_refused(S("a=1&a=1"), "twice");
    assert_refused(S("a=1&%61=2"), "twice");
    assert_non_null(urlencoded_parse(arena, S("many=1&many=2"), STR_NONE, &form));
}

static void bytes_that_no_browser_sends_are_refused(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char body[] = {'a', '=', 'x', (char)c, 'y'};
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                        (c >= 'A' && c <= 'Z') || (c && strchr("*-._+", c));
        const char *fault = parse((str){body, sizeof body});
        if (is_plain != !fault)
            flunk("byte %d: %s", c, fault ? fault : "taken");
    }
}

static void escapes_are_whole_hex_and_not_nul(void **state)
{
    static const char *const cut[] = {"a=%", "a=%4", "a=x%", "%=1", "%6=1", "a=%%41"};

    (void)state;
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        assert_refused(str_of(cut[i]), "escape");
    assert_refused(S("a=%4g"), "hex");
    assert_refused(S("a=%00"), "NUL");
    assert_null(parse(S("a=%4a%4A")));
    assert_value("a", "JJ");
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    static const char *const wrong[] = {"a=%ff",          "a=%C3", "a=%C0%AF", "a=%ED%A0%80",
                                        "a=%F4%90%80%80", "a=%80", "%C3=1"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused(str_of(wrong[i]), "UTF-8");
}

static void fields_have_a_name_and_a_sign(void **state)
{
    char body[URLENCODED_NAME_MAX_BYTES + 3];

    (void)state;
    assert_refused(S("a"), "\"=\"");
    assert_refused(S("=1"), "name");
    assert_refused(S("a+b=1"), "name");
    assert_refused(S("a%3D=1"), "name");
    assert_refused(S("&"), "\"=\"");
    assert_refused(S("a=1&"), "\"=\"");
    assert_refused(S("a=1&&b=1"), "\"=\"");
    memset(body, 'n', sizeof body);
    body[URLENCODED_NAME_MAX_BYTES] = '=';
    assert_null(parse((str){body, URLENCODED_NAME_MAX_BYTES + 1}));
    body[URLENCODED_NAME_MAX_BYTES] = 'n';
    body[URLENCODED_NAME_MAX_BYTES + 1] = '=';
    assert_refused((str){body, URLENCODED_NAME_MAX_BYTES + 2}, "name");
}

static void fields_are_bounded(void **state)
{
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    for (int i = 0; i < URLENCODED_PAIRS_MAX; i++)
        buf_put(&body, i ? S("&many=1") : S("many=1"));
    assert_null(parse(buf_str(&body)));
    assert_int_equal(form.n, URLENCODED_PAIRS_MAX);
    buf_put(&body, S("&many=1"));
    assert_refused(buf_str(&body), "too many");
    buf_drop(&body);
}

static enum err read_as(const char *type, struct cx *cx)
{
    const struct http_field fields[] = {{.name = S("Content-Type"), .value = str_of(type)}};
    const struct http_req req = {.fields = fields, .n_fields = 1, .body = S("a=1")};

    *cx = (struct cx){.arena = arena};
    return http_req_urlencoded(cx, &req, STR_NONE, &form);
}

static void the_media_type_is_that_of_forms(void **state)
{
    struct cx cx;

    (void)state;
    assert_int_equal(read_as("application/x-www-form-urlencoded", &cx), E_OK);
    assert_int_equal(read_as("Application/X-WWW-Form-Urlencoded; charset=UTF-8", &cx), E_OK);
    assert_int_equal(read_as("application/json", &cx), E_UNSUPPORTED_MEDIA_TYPE);
    assert_int_equal(read_as("text/plain", &cx), E_UNSUPPORTED_MEDIA_TYPE);
    assert_int_equal(read_as("", &cx), E_UNSUPPORTED_MEDIA_TYPE);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(what_browsers_write_is_decoded),    FACT(an_empty_body_is_a_form_without_fields),
        FACT(one_name_alone_may_come_often),     FACT(bytes_that_no_browser_sends_are_refused),
        FACT(escapes_are_whole_hex_and_not_nul), FACT(text_that_is_not_utf8_is_refused),
        FACT(fields_have_a_name_and_a_sign),     FACT(fields_are_bounded),
        FACT(the_media_type_is_that_of_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
