/* base/slab.h */
#include "unit.h"

#include "base/slab.h"

enum { MAX = 5000 };

struct thing {
    uint64_t a, b, c;
};

static struct slab slab;

static int start(void **state)
{
    (void)state;
    slab_start(&slab, sizeof(struct thing), MAX);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    slab_stop(&slab);
    return 0;
}

static void each_number_is_a_thing_of_its_own(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= MAX; i++) {
        uint32_t number = slab_take(&slab);
        assert_int_equal(number, i);
        *(struct thing *)slab_at(&slab, number) = (struct thing){i, i, i};
    }
    for (uint32_t i = 1; i <= MAX; i++)
        assert_int_equal(((struct thing *)slab_at(&slab, i))->c, i);
    assert_int_equal(slab_take(&slab), 0);
    assert_int_equal(slab.n, MAX);
}

static void what_is_given_back_is_taken_again_and_zeroed(void **state)
{
    static const struct thing zero;

    (void)state;
    for (int i = 0; i < MAX; i++) {
        uint32_t number = slab_take(&slab);
        *(struct thing *)slab_at(&slab, number) = (struct thing){1, 2, 3};
    }
    size_t bytes = slab_bytes(&slab);
    slab_give(&slab, 7);
    slab_give(&slab, 4000);
    assert_int_equal(slab.n, MAX - 2);
    assert_int_equal(slab_take(&slab), 4000);
    assert_int_equal(slab_take(&slab), 7);
    assert_memory_equal(slab_at(&slab, 7), &zero, sizeof zero);
    assert_int_equal(slab_take(&slab), 0);
    assert_int_equal(slab_bytes(&slab), bytes);
}

static void memory_is_taken_as_it_is_needed(void **state)
{
    (void)state;
    slab_take(&slab);
    assert_true(slab_bytes(&slab) <= SLAB_CHUNK * sizeof(struct thing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_number_is_a_thing_of_its_own, start, stop),
        cmocka_unit_test_setup_teardown(what_is_given_back_is_taken_again_and_zeroed, start, stop),
        cmocka_unit_test_setup_teardown(memory_is_taken_as_it_is_needed, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
