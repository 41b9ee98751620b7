/* keys/filter.h: it has all that was added, and little else. */
#include "unit.h"

#include <stdio.h>

#include "keys/filter.h"

enum { MANY = 100000 };

static struct sha256 numbered(int i)
{
    char text[24];
    int n = snprintf(text, sizeof text, "secret %d", i);

    return digest_sha256((str){text, (size_t)n});
}

static void what_was_added_is_there(void **state)
{
    struct filter *filter = filter_new(MANY);

    (void)state;
    for (int i = 0; i < MANY; i++) {
        struct sha256 digest = numbered(i);
        filter_add(filter, &digest);
    }
    for (int i = 0; i < MANY; i++) {
        struct sha256 digest = numbered(i);
        assert_true(filter_has(filter, &digest));
    }
    assert_false(filter_is_full(filter));
    filter_drop(&filter);
}

static void a_full_one_takes_one_unknown_in_a_hundred_for_a_known_one(void **state)
{
    struct filter *filter = filter_new(MANY);
    int wrong = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        struct sha256 digest = numbered(i);
        filter_add(filter, &digest);
    }
    for (int i = MANY; i < 2 * MANY; i++) {
        struct sha256 digest = numbered(i);
        wrong += filter_has(filter, &digest);
    }
    print_message("%d unknown digests, %d taken for known\n", MANY, wrong);
    assert_in_range(wrong, 1, MANY / 100);
    assert_in_range(filter_bytes(filter) * 8 / MANY, 10, 13);
    filter_drop(&filter);
}

static void one_too_many_makes_it_full(void **state)
{
    struct filter *filter = filter_new(2);

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct sha256 digest = numbered(i);
        assert_false(filter_is_full(filter));
        filter_add(filter, &digest);
    }
    assert_true(filter_is_full(filter));
    filter_drop(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_there),
        cmocka_unit_test(a_full_one_takes_one_unknown_in_a_hundred_for_a_known_one),
        cmocka_unit_test(one_too_many_makes_it_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
