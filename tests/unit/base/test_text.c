/* base/text.h, base/ids.h, base/cursor.h */
#include "unit.h"

#include "base/cursor.h"
#include "base/ids.h"
#include "base/text.h"

#include "chance.h"

static void addresses_are_told_from_other_texts(void **state)
{
    static const char *const good[] = {"a@b", "kim@example.org", "first.last+tag@sub.example.co",
                                       "o'brien@example.ie", "jos\xc3\xa9@zo\xc3\xab.example"};
    static const char *const bad[] = {"",        "@",         "a@",      "@b",      "a b@c.d",
                                      "a@b c",   "a@@b",      "a@b..c",  "a@.b",    "a@b.",
                                      "a@-b.c",  "\"a\"@b.c", "a@b_c.d", "a\n@b.c", "<a@b.c>",
                                      "a,b@c.d", "a@b.c ",    " a@b.c",  "a@[::1]"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!text_is_email(str_of(good[i])))
            flunk("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (text_is_email(str_of(bad[i])))
            flunk("accepted: %s", bad[i]);
}

static void spellings_of_one_address_fold_alike(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    static const char *const same[][2] = {
        {"Kim@Example.ORG", "kim@example.org"},
        {"STRASSE@x.y", "stra\xc3\x9f\x65@x.y"},
        {"JOS\xc3\x89@x.y", "jose\xcc\x81@x.y"},                 /* composed and decomposed */
        {"\xef\xbd\x8b\xef\xbd\x89\xef\xbd\x8d@x.y", "kim@x.y"}, /* full-width letters */
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_true(
            str_eq(text_fold(arena, str_of(same[i][0])), text_fold(arena, str_of(same[i][1]))));
    assert_true(str_is_none(text_fold(arena, S("\xff"))));
}

static void a_cut_text_ends_at_a_whole_character(void **state)
{
    (void)state;
    assert_int_equal(text_valid_prefix(S("a\xc3")).n, 1);
    assert_int_equal(text_valid_prefix(S("a\xc3\xa9")).n, 3);
    assert_int_equal(text_valid_prefix(S("")).n, 0);
}

static void ids_have_their_shape_and_sort_by_age(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    str older = id_new(arena, "key", INT64_C(1780000000000));
    str newer = id_new(arena, "key", INT64_C(1780000000001));

    (void)state;
    assert_true(id_is_shaped(older, "key"));
    assert_false(id_is_shaped(older, "emp"));
    assert_false(id_is_shaped(str_sub(older, 0, older.n - 1), "key"));
    assert_false(id_is_shaped(S("key_OOOOOOOOOOOOOOOOOOOOOOOO"), "key"));
    assert_true(str_cmp(older, newer) < 0);
    assert_false(str_eq(older, id_new(arena, "key", INT64_C(1780000000000))));
}

static void a_cursor_reads_back_in_its_own_list_only(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    str cursor = cursor_write(arena, 'k', S("key_06b3k9"));
    str id;

    (void)state;
    assert_true(cursor_read(cursor, 'k', &id));
    assert_true(str_eq(id, S("key_06b3k9")));
    assert_false(cursor_read(cursor, 'p', &id));
}

static void any_slip_in_a_cursor_is_noticed(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct chance chance = chance_new("cursor slips");
    str cursor = cursor_write(arena, 'k', id_new(arena, "key", INT64_C(1780000000000)));
    str id;

    (void)state;
    for (size_t n = 0; n < cursor.n; n++)
        assert_false(cursor_read(str_sub(cursor, 0, n), 'k', &id));
    for (int i = 0; i < 5000; i++) {
        char text[CURSOR_MAX_BYTES];
        memcpy(text, cursor.p, cursor.n);
        size_t at = (size_t)chance_below(&chance, cursor.n);
        text[at] = (char)(text[at] ^ (1 + (int)chance_below(&chance, 127)));
        assert_false(cursor_read((str){text, cursor.n}, 'k', &id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_told_from_other_texts),
        cmocka_unit_test(spellings_of_one_address_fold_alike),
        cmocka_unit_test(a_cut_text_ends_at_a_whole_character),
        cmocka_unit_test(ids_have_their_shape_and_sort_by_age),
        cmocka_unit_test(a_cursor_reads_back_in_its_own_list_only),
        cmocka_unit_test(any_slip_in_a_cursor_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
