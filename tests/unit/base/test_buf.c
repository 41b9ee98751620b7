/* base/buf.h */
#include "unit.h"

#include "base/buf.h"

#include "chance.h"

static void pieces_are_put_one_after_the_other(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_put(&b, S("a="));
    buf_put_int(&b, INT64_MIN);
    buf_put_byte(&b, ';');
    buf_printf(&b, "%03d", 7);
    buf_put(&b, STR_NONE);
    buf_printf(&b, "%s", "");
    assert_true(str_eq(buf_str(&b), S("a=-9223372036854775808;007")));
    assert_false(b.is_full);
}

static void an_unused_buffer_is_an_empty_text(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_str(&b).n, 0);
    assert_false(str_is_none(buf_str(&b)));
}

static void exactly_the_maximum_fits(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 5);
    buf_put(&b, S("12345"));
    assert_false(b.is_full);
    buf_put(&b, S(""));
    assert_false(b.is_full);
    buf_put_byte(&b, '6');
    assert_true(b.is_full);
    assert_true(str_eq(buf_str(&b), S("12345")));
}

static void formatted_text_may_fill_the_buffer_to_its_maximum(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 5);
    buf_printf(&b, "%d", 12345);
    assert_false(b.is_full);
    assert_true(str_eq(buf_str(&b), S("12345")));
}

static void formatted_text_may_fill_a_large_buffer_to_its_maximum(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 1024);
    buf_printf(&b, "%1000d%024d", 1, 2);
    assert_false(b.is_full);
    assert_int_equal(b.n, 1024);
}

static void after_a_piece_that_does_not_fit_nothing_is_added(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 4);
    buf_put(&b, S("12"));
    buf_put(&b, S("345"));
    buf_put(&b, S("6"));
    buf_printf(&b, "%d", 7);
    assert_true(b.is_full);
    assert_true(str_eq(buf_str(&b), S("12")));
}

static void clearing_makes_room_again(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 2);
    buf_put(&b, S("123"));
    buf_clear(&b);
    buf_put(&b, S("12"));
    assert_false(b.is_full);
    assert_true(str_eq(buf_str(&b), S("12")));
}

static void clearing_wipes(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 10);
    buf_put(&b, S("secret"));
    buf_clear(&b);
    assert_memory_equal(b.p, "\0\0\0\0\0\0", 6);
}

static void shifting_keeps_the_end_and_wipes_what_it_left(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 10);
    buf_put(&b, S("abcdef"));
    buf_shift(&b, 4);
    assert_true(str_eq(buf_str(&b), S("ef")));
    assert_memory_equal(b.p + 2, "\0\0\0\0", 4);
    buf_shift(&b, 99);
    assert_int_equal(b.n, 0);
}

static void room_is_counted_in_when_it_is_used(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 1000);
    char *room = buf_room(&b, 600);
    assert_non_null(room);
    memset(room, 'x', 600);
    buf_grown(&b, 300);
    assert_int_equal(b.n, 300);
    assert_non_null(buf_room(&b, 700));
    assert_false(b.is_full);
    assert_null(buf_room(&b, 701));
    assert_true(b.is_full);
}

static void no_room_at_all_is_still_a_place(void **state)
{
    DROP(buf) struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_non_null(buf_room(&b, 0));
    assert_false(b.is_full);
}

static void dropping_twice_is_harmless(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    buf_put(&b, S("x"));
    buf_drop(&b);
    buf_drop(&b);
    assert_int_equal(b.max, 10);
    assert_int_equal(b.n, 0);
}

static void any_pieces_give_their_sum(void **state)
{
    struct chance c = chance_new("buf of pieces");
    static char want[20000];

    (void)state;
    for (int round = 0; round < 200; round++) {
        DROP(buf) struct buf b;
        size_t n = 0;
        buf_init(&b, sizeof want);
        while (n < sizeof want) {
            size_t piece = chance_below(&c, 700) + 1;
            piece = piece < sizeof want - n ? piece : sizeof want - n;
            chance_bytes(&c, want + n, piece);
            buf_put(&b, (str){want + n, piece});
            n += piece;
        }
        assert_false(b.is_full);
        assert_true(str_eq(buf_str(&b), (str){want, n}));
    }
}

static void lent_memory_is_filled_to_the_last_byte_but_one(void **state)
{
    char room[9];
    struct buf b;

    (void)state;
    buf_init_on(&b, room, sizeof room);
    buf_put(&b, S("abcd"));
    buf_printf(&b, "%d", 1234);
    assert_true(str_eq(buf_str(&b), S("abcd1234")));
    assert_ptr_equal(b.p, room);
    buf_put_byte(&b, '!');
    assert_true(b.is_full);
    assert_int_equal(b.n, 8);
    buf_drop(&b);
    assert_int_equal(b.n, 0);
    assert_int_equal(room[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_put_one_after_the_other),
        cmocka_unit_test(an_unused_buffer_is_an_empty_text),
        cmocka_unit_test(exactly_the_maximum_fits),
        cmocka_unit_test(formatted_text_may_fill_the_buffer_to_its_maximum),
        cmocka_unit_test(formatted_text_may_fill_a_large_buffer_to_its_maximum),
        cmocka_unit_test(after_a_piece_that_does_not_fit_nothing_is_added),
        cmocka_unit_test(clearing_makes_room_again),
        cmocka_unit_test(clearing_wipes),
        cmocka_unit_test(shifting_keeps_the_end_and_wipes_what_it_left),
        cmocka_unit_test(room_is_counted_in_when_it_is_used),
        cmocka_unit_test(no_room_at_all_is_still_a_place),
        cmocka_unit_test(dropping_twice_is_harmless),
        cmocka_unit_test(any_pieces_give_their_sum),
        cmocka_unit_test(lent_memory_is_filled_to_the_last_byte_but_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
