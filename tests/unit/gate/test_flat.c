#include "unit.h"

#include "gate/flat.h"

enum { MAX = 4 };

static size_t reads(const char *text, struct flat_member out[MAX])
{
    size_t n;

    assert_true(flat_read(str_of(text), out, MAX, &n));
    return n;
}

static void refuses(const char *text)
{
    struct flat_member out[MAX];
    size_t n;

    if (flat_read(str_of(text), out, MAX, &n))
        flunk("was taken: %s", text);
}

static void texts_and_numbers_are_taken_in_their_order(void **state)
{
    struct flat_member out[MAX];

    (void)state;
    assert_int_equal(reads("{\"key\":\"mt_live_1\",\"cost\":12}", out), 2);
    assert_true(str_eq(out[0].name, S("key")));
    assert_true(out[0].is_text);
    assert_true(str_eq(out[0].text, S("mt_live_1")));
    assert_true(str_eq(out[1].name, S("cost")));
    assert_false(out[1].is_text);
    assert_int_equal(out[1].number, 12);
}

static void space_may_stand_between_all_tokens(void **state)
{
    struct flat_member out[MAX];

    (void)state;
    assert_int_equal(reads(" \t\r\n{ \"a\" : \"\" , \"b\"\n:\t0 } \n", out), 2);
    assert_int_equal(out[0].text.n, 0);
    assert_int_equal(out[1].number, 0);
}

static void what_is_not_simple_is_left_to_the_full_reader(void **state)
{
    (void)state;
    refuses("{\"a\":\"\\u0041\"}");
    refuses("{\"a\":\"\xc3\xa4\"}");
    refuses("{\"a\":\"\x7f\"}");
    refuses("{\"a\":null}");
    refuses("{\"a\":true}");
    refuses("{\"a\":{}}");
    refuses("{\"a\":[1]}");
    refuses("{\"a\":-1}");
    refuses("{\"a\":1.5}");
    refuses("{\"a\":1e3}");
    refuses("{\"a\":1000000000}");
    refuses("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1}");
}

static void what_is_no_json_is_not_taken(void **state)
{
    (void)state;
    refuses("");
    refuses("{}");
    refuses("{");
    refuses("{\"a\":1");
    refuses("{\"a\":1,}");
    refuses("{\"a\":01}");
    refuses("{\"a\":}");
    refuses("{\"a\" 1}");
    refuses("{a:1}");
    refuses("{\"a\":\"b}");
    refuses("{\"a\":1}{");
    refuses("{\"a\":1,\"a\":2}");
    refuses("{\"a\":\"line\nend\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_numbers_are_taken_in_their_order),
        cmocka_unit_test(space_may_stand_between_all_tokens),
        cmocka_unit_test(what_is_not_simple_is_left_to_the_full_reader),
        cmocka_unit_test(what_is_no_json_is_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
