/* base/arena.h */
#include "unit.h"

#include <stdalign.h>

#include "base/arena.h"

static bool is_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void memory_is_zeroed_and_aligned(void **state)
{
    DROP(arena) struct arena *a = arena_new();

    (void)state;
    for (size_t n = 1; n < 10000; n += n / 2 + 1) {
        char *p = arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        assert_true(is_zero(p, n));
        memset(p, 0xa5, n);
    }
}

static void memory_is_zeroed_after_a_reset(void **state)
{
    DROP(arena) struct arena *a = arena_new();

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 100; i++) {
            char *p = arena_alloc(a, 200);
            assert_true(is_zero(p, 200));
            memset(p, 0xa5, 200);
        }
        arena_reset(a);
    }
}

static void allocations_do_not_overlap(void **state)
{
    DROP(arena) struct arena *a = arena_new();
    char *p[500];

    (void)state;
    for (size_t i = 0; i < 500; i++) {
        p[i] = arena_alloc(a, i + 1);
        memset(p[i], (int)(i & 127), i + 1);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(p[i][k], i & 127);
}

static void nothing_can_be_asked_for(void **state)
{
    DROP(arena) struct arena *a = arena_new();

    (void)state;
    assert_non_null(arena_alloc(a, 0));
    assert_non_null(arena_array(a, 0, 8));
}

static void a_copy_is_another_text_and_ends_with_nul(void **state)
{
    DROP(arena) struct arena *a = arena_new();
    str text = S("hello");
    str copy = arena_dup(a, text);

    (void)state;
    assert_true(str_eq(copy, text));
    assert_ptr_not_equal(copy.p, text.p);
    assert_int_equal(copy.p[copy.n], '\0');
}

static void none_stays_none_and_empty_stays_empty(void **state)
{
    DROP(arena) struct arena *a = arena_new();

    (void)state;
    assert_true(str_is_none(arena_dup(a, STR_NONE)));
    assert_false(str_is_none(arena_dup(a, S(""))));
}

static void formatted_text_may_be_of_any_length(void **state)
{
    DROP(arena) struct arena *a = arena_new();

    (void)state;
    assert_true(str_eq(arena_printf(a, "%d-%s", 7, "x"), S("7-x")));
    assert_int_equal(arena_printf(a, "%10000d", 1).n, 10000);
    assert_false(str_is_none(arena_printf(a, "%s", "")));
}

static void dropping_takes_null_and_leaves_null(void **state)
{
    struct arena *a = NULL;

    (void)state;
    arena_drop(&a);
    a = arena_new();
    arena_drop(&a);
    assert_null(a);
}

/* Under AddressSanitizer every allocation is its own block on the heap. */
#if !defined(__SANITIZE_ADDRESS__)
static void lent_memory_is_used_first_and_wiped(void **state)
{
    alignas(max_align_t) char room[1024] = {1};
    struct arena *a = arena_new_on(room, sizeof room);
    char *inside = arena_alloc(a, 100);

    (void)state;
    assert_true(inside > room && inside + 100 <= room + sizeof room);
    assert_true(is_zero(inside, 100));
    memset(inside, 0xa5, 100);
    char *outside = arena_alloc(a, sizeof room);
    assert_true(outside < room || outside >= room + sizeof room);
    arena_reset(a);
    assert_true(is_zero(inside, 100));
    assert_ptr_equal(arena_alloc(a, 8), inside);
    arena_drop(&a);
    assert_null(a);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(memory_is_zeroed_after_a_reset),
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(nothing_can_be_asked_for),
        cmocka_unit_test(a_copy_is_another_text_and_ends_with_nul),
        cmocka_unit_test(none_stays_none_and_empty_stays_empty),
        cmocka_unit_test(formatted_text_may_be_of_any_length),
        cmocka_unit_test(dropping_takes_null_and_leaves_null),
#if !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(lent_memory_is_used_first_and_wiped),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
