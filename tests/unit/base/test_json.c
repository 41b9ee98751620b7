/* base/json.h */
#include "unit.h"

#include "base/json.h"

static enum err read_text(const char *text, str *detail)
{
    static char kept[256];
    DROP(arena) struct arena *arena = arena_new();
    DROP(json) json_t *json = NULL;
    struct cx cx = {.arena = arena};
    enum err e = json_read(&cx, str_of(text), &json);

    snprintf(kept, sizeof kept, "%.*s", STR_ARG(cx.failure.detail));
    *detail = str_of(kept);
    return e;
}

static void what_rfc_8259_leaves_open_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "{}x",
        "{\"a\":1,\"a\":2}",
        "[1,]",
        "{'a':1}",
        "\"\\u0000\"",
        "\"\xff\"",
        "nul",
        "01",
        "NaN",
        "\"\\ud800\"",
        "\xef\xbb\xbf{}",
        "{\"a\":1}{}",
        "\"\x01\"",
        "[1 2]",
    };
    str detail;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_text(bad[i], &detail) != E_MALFORMED_JSON || detail.n == 0)
            flunk("accepted, or refused without a word: %s", bad[i]);
    assert_int_equal(read_text("{\"a\":[1,2.5,null,true,\"\\u00e9\"]}", &detail), E_OK);
}

static void nesting_ends_at_the_limit(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 3] = "";
    str detail;

    (void)state;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(read_text(text, &detail), E_OK);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(read_text(text, &detail), E_MALFORMED_JSON);
}

static void brackets_in_strings_are_no_nesting(void **state)
{
    char text[200] = "[\"";
    str detail;

    (void)state;
    memset(text + 2, '[', 100);
    strcat(text, "\\\"[\"]");
    assert_int_equal(read_text(text, &detail), E_OK);
}

static void a_complaint_never_quotes_the_body(void **state)
{
    str detail;

    (void)state;
    assert_int_equal(read_text("{\"password\":hunter2secret}", &detail), E_MALFORMED_JSON);
    assert_null(strstr(detail.p, "hunter2"));
}

static void every_byte_that_needs_it_is_escaped(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(json) json_t *back = NULL;
    struct cx cx = {.arena = arena};
    DROP(buf) struct buf b;
    struct json_out j = {&b};
    char all[128];

    (void)state;
    for (int i = 1; i < 128; i++)
        all[i - 1] = (char)i;
    all[127] = '/';
    buf_init(&b, 4096);
    json_open_array(&j, STR_NONE);
    json_put_text(&j, STR_NONE, (str){all, sizeof all});
    json_close_array(&j);
    assert_int_equal(json_read(&cx, buf_str(&b), &back), E_OK);
    assert_true(str_eq(json_text(json_array_get(back, 0)), (str){all, sizeof all}));
}

static void commas_stand_where_they_are_due(void **state)
{
    DROP(buf) struct buf b;
    struct json_out j = {&b};

    (void)state;
    buf_init(&b, 4096);
    json_open_object(&j, STR_NONE);
    json_put_members(&j, S(""));
    json_put_text(&j, S("a"), S("{["));
    json_open_array(&j, S("b"));
    json_put_int(&j, STR_NONE, 1);
    json_open_object(&j, STR_NONE);
    json_close_object(&j);
    json_put_bool(&j, STR_NONE, false);
    json_close_array(&j);
    json_put_members(&j, S("\"c\":3"));
    json_put_time(&j, S("d"), 0);
    json_put_time(&j, S("e"), 1);
    json_close_object(&j);
    str want = S("{\"a\":\"{[\",\"b\":[1,{},false],\"c\":3,\"d\":null,"
                 "\"e\":\"1970-01-01T00:00:00.001Z\"}");
    assert_true(str_eq(buf_str(&b), want));
}

static void write_an_account(struct json_out *j)
{
    DROP(secret) struct secret secret = {0};

    secret_set(&secret, S("hush"));
    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), S("a"));
    json_put_secret(j, S("rawKey"), &secret);
    json_put_personal(j, S("email"), S("kim@example.org"));
    json_put_personal(j, S("lastUsedIp"), STR_NONE);
    json_close_object(j);
}

static void what_is_kept_has_neither_secrets_nor_persons(void **state)
{
    DROP(buf) struct buf shown;
    DROP(buf) struct buf kept;
    struct json_out to_show = {&shown}, to_keep = {.out = &kept, .is_kept = true};

    (void)state;
    buf_init(&shown, 4096);
    buf_init(&kept, 4096);
    write_an_account(&to_show);
    write_an_account(&to_keep);
    assert_true(str_eq(buf_str(&shown), S("{\"id\":\"a\",\"rawKey\":\"hush\","
                                          "\"email\":\"kim@example.org\",\"lastUsedIp\":null}")));
    assert_true(str_eq(buf_str(&kept), S("{\"id\":\"a\",\"email\":null,\"lastUsedIp\":null}")));
    assert_false(to_show.left_secret_out);
    assert_true(to_keep.left_secret_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rfc_8259_leaves_open_is_refused),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(brackets_in_strings_are_no_nesting),
        cmocka_unit_test(a_complaint_never_quotes_the_body),
        cmocka_unit_test(every_byte_that_needs_it_is_escaped),
        cmocka_unit_test(commas_stand_where_they_are_due),
        cmocka_unit_test(what_is_kept_has_neither_secrets_nor_persons),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
