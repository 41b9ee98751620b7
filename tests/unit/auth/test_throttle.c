/* auth/throttle.h */
#include "unit.h"

#include <stdio.h>

#include "auth/throttle.h"

static struct net_addr addr(const char *text)
{
    struct net_addr out = {0};

    assert_true(net_addr_parse(str_of(text), &out));
    return out;
}

static bool allowed(const char *email, const char *from, int64_t at_s, int64_t *retry_after_ms)
{
    struct net_addr client = addr(from);

    return throttle_allows(str_of(email), &client,
                           (struct rate_now){at_s * 1000, (at_s + 1) * INT64_C(1000000000)},
                           retry_after_ms);
}

/* An attempt that fails, if it may go on. */
static bool attempt(const char *email, const char *from, int64_t at_s, int64_t *retry_after_ms)
{
    struct net_addr client = addr(from);

    if (!allowed(email, from, at_s, retry_after_ms))
        return false;
    throttle_failed(str_of(email), &client,
                    (struct rate_now){at_s * 1000, (at_s + 1) * INT64_C(1000000000)});
    return true;
}

static int start(void **state)
{
    (void)state;
    throttle_start(5, 20);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    throttle_stop();
    return 0;
}

static void the_sixth_attempt_in_a_row_waits_a_minute(void **state)
{
    int64_t retry_after_ms;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(attempt("a@b", "192.0.2.1", 0, &retry_after_ms));
    assert_false(attempt("a@b", "192.0.2.1", 0, &retry_after_ms));
    assert_in_range(retry_after_ms, 1, 60000);
    assert_true(attempt("other@b", "192.0.2.1", 0, &retry_after_ms));
    assert_true(attempt("a@b", "192.0.2.1", 61, &retry_after_ms));
}

static void success_starts_the_account_anew(void **state)
{
    int64_t retry_after_ms;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(attempt("a@b", "192.0.2.1", 0, &retry_after_ms));
    throttle_succeeded(S("a@b"));
    assert_true(attempt("a@b", "192.0.2.1", 0, &retry_after_ms));
}

static void one_address_cannot_try_many_accounts(void **state)
{
    char email[16];
    int64_t retry_after_ms;
    int passed = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(email, sizeof email, "u%d@b", i);
        passed += attempt(email, "2001:db8::1", 0, &retry_after_ms);
    }
    assert_int_equal(passed, 20);
    assert_false(attempt("u99@b", "2001:db8::ffff", 0, &retry_after_ms)); /* the same /64 */
    assert_true(attempt("u99@b", "2001:db8:0:1::1", 0, &retry_after_ms));
}

static void people_who_sign_in_rightly_are_not_slowed(void **state)
{
    int64_t retry_after_ms;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(allowed("a@b", "192.0.2.1", 0, &retry_after_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_sixth_attempt_in_a_row_waits_a_minute, start, stop),
        cmocka_unit_test_setup_teardown(success_starts_the_account_anew, start, stop),
        cmocka_unit_test_setup_teardown(people_who_sign_in_rightly_are_not_slowed, start, stop),
        cmocka_unit_test_setup_teardown(one_address_cannot_try_many_accounts, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
