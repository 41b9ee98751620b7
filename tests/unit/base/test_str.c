/* base/str.h */
#include "unit.h"

#include "base/str.h"

static void an_absent_text_is_none_and_an_empty_one_is_not(void **state)
{
    (void)state;
    assert_true(str_is_none(STR_NONE));
    assert_true(str_is_none(str_of(NULL)));
    assert_false(str_is_none(S("")));
    assert_true(str_eq(STR_NONE, S("")));
}

static void equality_looks_at_every_byte_and_the_length(void **state)
{
    (void)state;
    assert_true(str_eq(S("abc"), str_of("abc")));
    assert_false(str_eq(S("abc"), S("abd")));
    assert_false(str_eq(S("abc"), S("ab")));
    assert_false(str_eq(S("a\0b"), S("a\0c")));
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(str_ieq(S("X-Api-Key"), S("x-aPI-kEY")));
    assert_false(str_ieq(S("@"), S("`"))); /* 0x40 and 0x60, beside the letters */
    assert_false(str_ieq(S("["), S("{")));
    assert_false(str_ieq(S("\xc3\x84"), S("\xc3\xa4")));
    assert_true(str_istarts(S("BEARER x"), S("bearer ")));
    assert_false(str_istarts(S("Bear"), S("bearer ")));
}

static void order_is_that_of_bytes_and_then_of_length(void **state)
{
    (void)state;
    assert_true(str_cmp(S("a"), S("b")) < 0);
    assert_true(str_cmp(S("ab"), S("a")) > 0);
    assert_true(str_cmp(S("\xff"), S("a")) > 0);
    assert_int_equal(str_cmp(S("a"), S("a")), 0);
    assert_int_equal(str_cmp(STR_NONE, S("")), 0);
}

static void starts_and_ends_take_the_empty_text(void **state)
{
    (void)state;
    assert_true(str_starts(S("mt_live"), S("mt_")));
    assert_true(str_ends(S("mt_live"), S("live")));
    assert_true(str_starts(S(""), S("")));
    assert_true(str_ends(S("x"), S("")));
    assert_false(str_starts(S("mt"), S("mt_")));
    assert_false(str_ends(S("e"), S("ve")));
}

static void a_part_never_leaves_the_text(void **state)
{
    (void)state;
    assert_true(str_eq(str_sub(S("hello"), 1, 3), S("ell")));
    assert_true(str_eq(str_sub(S("hello"), 3, SIZE_MAX), S("lo")));
    assert_int_equal(str_sub(S("hello"), 9, 1).n, 0);
    assert_true(str_is_none(str_sub(STR_NONE, 2, 2)));
}

static void trimming_takes_spaces_and_tabs_and_nothing_else(void **state)
{
    (void)state;
    assert_true(str_eq(str_trim(S(" \t a b\t ")), S("a b")));
    assert_true(str_eq(str_trim(S("\na")), S("\na")));
    assert_int_equal(str_trim(S("  \t")).n, 0);
    assert_true(str_is_none(str_trim(STR_NONE)));
}

static void cutting_gives_the_parts_in_order_and_then_none(void **state)
{
    str rest = S("a, b,,");

    (void)state;
    assert_true(str_eq(str_cut(&rest, S(",")), S("a")));
    assert_true(str_eq(str_cut(&rest, S(",")), S(" b")));
    assert_true(str_eq(str_cut(&rest, S(",")), S("")));
    assert_false(str_is_none(rest));
    assert_int_equal(str_cut(&rest, S(",")).n, 0);
    assert_true(str_is_none(rest));
}

static void a_separator_may_be_longer_than_the_text(void **state)
{
    str rest = S("ab");

    (void)state;
    assert_true(str_eq(str_cut(&rest, S("abc")), S("ab")));
    assert_true(str_is_none(rest));
}

static void a_number_is_digits_up_to_its_maximum(void **state)
{
    uint64_t n = 7;

    (void)state;
    assert_true(str_parse_u64(S("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_false(str_parse_u64(S("18446744073709551616"), UINT64_MAX, &n));
    assert_true(str_parse_u64(S("0010"), 10, &n));
    assert_int_equal(n, 10);
    assert_false(str_parse_u64(S("11"), 10, &n));
    assert_false(str_parse_u64(S(""), 10, &n));
    assert_false(str_parse_u64(S("+1"), 10, &n));
    assert_false(str_parse_u64(S("1 "), 10, &n));
    assert_int_equal(n, 10);
}

static void hex_is_read_in_any_case_and_written_in_lower(void **state)
{
    const uint8_t bytes[] = {0x00, 0x9a, 0xff};
    char out[6];

    (void)state;
    assert_int_equal(hex_value('0'), 0);
    assert_int_equal(hex_value('f'), 15);
    assert_int_equal(hex_value('A'), 10);
    assert_int_equal(hex_value('g'), -1);
    assert_int_equal(hex_value('/'), -1);
    assert_int_equal(hex_value(':'), -1);
    assert_int_equal(hex_value('\xe6'), -1);
    hex_write(bytes, sizeof bytes, out);
    assert_memory_equal(out, "009aff", 6);
}

static void a_byte_is_found_anywhere_even_nul(void **state)
{
    (void)state;
    assert_true(str_has_byte(S("ab\0"), '\0'));
    assert_false(str_has_byte(S("ab"), '\0'));
    assert_false(str_has_byte(STR_NONE, 'a'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_text_is_none_and_an_empty_one_is_not),
        cmocka_unit_test(equality_looks_at_every_byte_and_the_length),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(order_is_that_of_bytes_and_then_of_length),
        cmocka_unit_test(starts_and_ends_take_the_empty_text),
        cmocka_unit_test(a_part_never_leaves_the_text),
        cmocka_unit_test(trimming_takes_spaces_and_tabs_and_nothing_else),
        cmocka_unit_test(cutting_gives_the_parts_in_order_and_then_none),
        cmocka_unit_test(a_separator_may_be_longer_than_the_text),
        cmocka_unit_test(a_number_is_digits_up_to_its_maximum),
        cmocka_unit_test(hex_is_read_in_any_case_and_written_in_lower),
        cmocka_unit_test(a_byte_is_found_anywhere_even_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
