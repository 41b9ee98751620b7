/* base/secret.h */
#include "unit.h"

#include "base/secret.h"

static void a_secret_is_a_copy(void **state)
{
    char source[] = "hunter2";
    DROP(secret) struct secret s = {0};

    (void)state;
    assert_false(secret_is_set(&s));
    assert_true(str_is_none(secret_reveal(&s)));
    assert_true(secret_set(&s, S("hunter2")));
    assert_true(secret_set(&s, str_of(source)));
    source[0] = 'X';
    assert_true(str_eq(secret_reveal(&s), S("hunter2")));
}

static void taking_wipes_the_source(void **state)
{
    char source[8] = "hunter2";
    DROP(secret) struct secret s = {0};

    (void)state;
    assert_true(secret_take(&s, source, 7));
    assert_memory_equal(source, "\0\0\0\0\0\0\0", 7);
    assert_true(str_eq(secret_reveal(&s), S("hunter2")));
}

static void too_long_a_secret_is_refused_and_leaves_none(void **state)
{
    static char source[SECRET_MAX_BYTES + 1];
    DROP(secret) struct secret s = {0};

    (void)state;
    memset(source, 'a', sizeof source);
    assert_true(secret_set(&s, (str){source, SECRET_MAX_BYTES}));
    assert_false(secret_set(&s, (str){source, SECRET_MAX_BYTES + 1}));
    assert_false(secret_is_set(&s));
    assert_false(secret_take(&s, source, sizeof source));
    assert_int_equal(source[0], 0);
    assert_int_equal(source[SECRET_MAX_BYTES], 0);
}

static void an_empty_secret_is_set_and_none_is_not(void **state)
{
    DROP(secret) struct secret s = {0};

    (void)state;
    assert_true(secret_set(&s, S("")));
    assert_true(secret_is_set(&s));
    assert_false(secret_set(&s, STR_NONE));
    assert_false(secret_is_set(&s));
}

static void a_secret_may_be_set_to_a_part_of_itself(void **state)
{
    DROP(secret) struct secret s = {0};

    (void)state;
    assert_true(secret_set(&s, S("Bearer abc")));
    assert_true(secret_set(&s, str_sub(secret_reveal(&s), 7, 3)));
    assert_true(str_eq(secret_reveal(&s), S("abc")));
}

static void comparing_finds_a_difference_anywhere(void **state)
{
    char a[64], b[64];

    (void)state;
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    assert_true(secret_eq(a, b, sizeof a));
    assert_true(secret_eq(a, b, 0));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= (char)0x80;
        assert_false(secret_eq(a, b, sizeof a));
        b[i] = 'x';
    }
}

static void dropping_twice_is_harmless(void **state)
{
    struct secret s = {0};

    (void)state;
    assert_true(secret_set(&s, S("x")));
    secret_drop(&s);
    secret_drop(&s);
    assert_false(secret_is_set(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_a_copy),
        cmocka_unit_test(taking_wipes_the_source),
        cmocka_unit_test(too_long_a_secret_is_refused_and_leaves_none),
        cmocka_unit_test(an_empty_secret_is_set_and_none_is_not),
        cmocka_unit_test(a_secret_may_be_set_to_a_part_of_itself),
        cmocka_unit_test(comparing_finds_a_difference_anywhere),
        cmocka_unit_test(dropping_twice_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
