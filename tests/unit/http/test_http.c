/* http/http.h: fields, queries, cookies and replies as values. */
#include "unit.h"

#include "http/http.h"

static void assert_str(str found, const char *expected)
{
    if (str_is_none(found) != !expected || !str_eq(found, str_of(expected)))
        flunk("\"%.*s\" instead of \"%s\"", STR_ARG(found), expected ? expected : "nothing");
}

static void fields_are_found_in_any_case_and_counted(void **state)
{
    const struct http_field fields[] = {
        {.name = S("Accept"), .value = S("a")},
        {.name = S("ACCEPT"), .value = S("b")},
        {.name = S("Accept-Language"), .value = S("c")},
    };
    const struct http_req req = {.fields = fields, .n_fields = 3};
    int count;

    (void)state;
    assert_str(http_req_field(&req, S("accept"), &count), "a");
    assert_int_equal(count, 2);
    assert_str(http_req_field(&req, S("accept-language"), NULL), "c");
    assert_str(http_req_field(&req, S("accep"), &count), NULL);
    assert_int_equal(count, 0);
}

static void query_parameters_are_decoded(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    const struct http_req req = {.query = S("a=1+2&b%20c=%3D%26&&d&=e&a=3&f=x=y")};

    (void)state;
    assert_str(http_req_query(&req, arena, S("a")), "1 2");
    assert_str(http_req_query(&req, arena, S("b c")), "=&");
    assert_str(http_req_query(&req, arena, S("d")), "");
    assert_str(http_req_query(&req, arena, S("")), "e");
    assert_str(http_req_query(&req, arena, S("f")), "x=y");
    assert_str(http_req_query(&req, arena, S("g")), NULL);
}

static void all_parameters_are_walked(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    str rest = S("&a=1&&b&");
    str none = STR_NONE;
    str name, value;

    (void)state;
    assert_true(http_query_next(&rest, arena, &name, &value));
    assert_str(name, "a");
    assert_str(value, "1");
    assert_true(http_query_next(&rest, arena, &name, &value));
    assert_str(name, "b");
    assert_str(value, "");
    assert_false(http_query_next(&rest, arena, &name, &value));
    assert_false(http_query_next(&none, arena, &name, &value));
}

static void an_escape_cut_short_stands_for_itself(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    const struct http_req req = {.query = S("a=%&b=%4&c=%zz&d=%41%")};

    (void)state;
    assert_str(http_req_query(&req, arena, S("a")), "%");
    assert_str(http_req_query(&req, arena, S("b")), "%4");
    assert_str(http_req_query(&req, arena, S("c")), "%zz");
    assert_str(http_req_query(&req, arena, S("d")), "A%");
}

static void a_cookie_is_found_by_its_exact_name(void **state)
{
    const str field = S("a=1; session=x=y;b=2 ; Session=z;flag; c=");

    (void)state;
    assert_str(http_cookie(field, S("a")), "1");
    assert_str(http_cookie(field, S("session")), "x=y");
    assert_str(http_cookie(field, S("b")), "2");
    assert_str(http_cookie(field, S("c")), "");
    assert_str(http_cookie(field, S("flag")), NULL);
    assert_str(http_cookie(field, S("sess")), NULL);
    assert_str(http_cookie(STR_NONE, S("a")), NULL);
}

static void a_cookie_there_twice_is_not_there(void **state)
{
    (void)state;
    assert_str(http_cookie(S("a=1; a=1"), S("a")), NULL);
    assert_str(http_cookie(S("a=1; b=2; a=3"), S("a")), NULL);
}

static void a_value_with_a_line_end_makes_the_reply_faulty(void **state)
{
    struct http_reply reply;

    (void)state;
    http_reply_init(&reply);
    http_reply_field(&reply, S("location"), S("/a\tb"));
    assert_false(reply.is_faulty);
    http_reply_field(&reply, S("location"), S("/a\r\nb: c"));
    assert_true(reply.is_faulty);
    assert_int_equal(reply.n_fields, 1);
    http_reply_clear(&reply);
    assert_false(reply.is_faulty);
    http_reply_drop(&reply);
}

static void one_field_too_many_makes_the_reply_faulty(void **state)
{
    struct http_reply reply;

    (void)state;
    http_reply_init(&reply);
    for (int i = 0; i < HTTP_REPLY_FIELDS_MAX; i++)
        http_reply_field(&reply, S("a"), S("b"));
    assert_false(reply.is_faulty);
    http_reply_field(&reply, S("a"), S("b"));
    assert_true(reply.is_faulty);
    http_reply_drop(&reply);
}

static void a_cleared_reply_is_wiped_and_keeps_its_memory(void **state)
{
    struct http_reply reply;

    (void)state;
    http_reply_init(&reply);
    buf_put(&reply.body, S("secret"));
    char *p = reply.body.p;
    http_reply_clear(&reply);
    assert_ptr_equal(reply.body.p, p);
    assert_int_equal(reply.body.n, 0);
    assert_int_equal(p[0], 0);
    assert_int_equal(reply.body.max, HTTP_REPLY_BODY_MAX);
    http_reply_drop(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_in_any_case_and_counted),
        cmocka_unit_test(query_parameters_are_decoded),
        cmocka_unit_test(all_parameters_are_walked),
        cmocka_unit_test(an_escape_cut_short_stands_for_itself),
        cmocka_unit_test(a_cookie_is_found_by_its_exact_name),
        cmocka_unit_test(a_cookie_there_twice_is_not_there),
        cmocka_unit_test(a_value_with_a_line_end_makes_the_reply_faulty),
        cmocka_unit_test(one_field_too_many_makes_the_reply_faulty),
        cmocka_unit_test(a_cleared_reply_is_wiped_and_keeps_its_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
