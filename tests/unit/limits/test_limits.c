/* limits/limits.h */
#include "unit.h"

#include <stdio.h>

#include "limits/limits.h"

static const struct rate_policy two_a_minute = {.requests = 2, .window_ms = 60000};
static const struct rate_now now = {1780000000000, 5000000000000};

static void a_name_passes_as_often_as_its_policy_says(void **state)
{
    struct limits *limits = limits_new(10);

    (void)state;
    assert_true(limits_charge(limits, &two_a_minute, S("a"), now).is_allowed);
    assert_true(limits_charge(limits, &two_a_minute, S("a"), now).is_allowed);
    assert_false(limits_charge(limits, &two_a_minute, S("a"), now).is_allowed);
    assert_true(limits_charge(limits, &two_a_minute, S("b"), now).is_allowed);
    limits_drop(&limits);
    assert_null(limits);
}

static void looking_costs_nothing(void **state)
{
    struct limits *limits = limits_new(10);

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(limits_look(limits, &two_a_minute, S("a"), now).is_allowed);
    assert_int_equal(limits_charge(limits, &two_a_minute, S("a"), now).remaining, 1);
    limits_drop(&limits);
}

static void what_is_forgotten_starts_anew(void **state)
{
    struct limits *limits = limits_new(10);

    (void)state;
    limits_charge(limits, &two_a_minute, S("a"), now);
    limits_charge(limits, &two_a_minute, S("a"), now);
    limits_forget(limits, S("a"));
    limits_forget(limits, S("never seen"));
    assert_int_equal(limits_charge(limits, &two_a_minute, S("a"), now).remaining, 1);
    limits_drop(&limits);
}

static void the_oldest_name_makes_room(void **state)
{
    struct limits *limits = limits_new(3);
    char name[8];

    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "n%d", i);
        limits_charge(limits, &two_a_minute, str_of(name), now);
    }
    assert_int_equal(limits_look(limits, &two_a_minute, S("n0"), now).remaining, 1); /* anew */
    assert_int_equal(limits_look(limits, &two_a_minute, S("n1"), now).remaining, 0);
    limits_drop(&limits);
}

static void one_ipv6_customer_is_one_name(void **state)
{
    struct net_addr addr, a, b;

    (void)state;
    assert_true(net_addr_parse(S("2001:db8::1"), &addr));
    str one = limits_address(&addr, &a);
    assert_true(net_addr_parse(S("2001:db8::ffff:1"), &addr));
    assert_true(str_eq(one, limits_address(&addr, &b)));
    assert_true(net_addr_parse(S("2001:db8:0:1::1"), &addr));
    assert_false(str_eq(one, limits_address(&addr, &b)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_passes_as_often_as_its_policy_says),
        cmocka_unit_test(looking_costs_nothing),
        cmocka_unit_test(what_is_forgotten_starts_anew),
        cmocka_unit_test(the_oldest_name_makes_room),
        cmocka_unit_test(one_ipv6_customer_is_one_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
