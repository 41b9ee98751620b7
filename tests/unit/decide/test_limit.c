/* decide/limit.h */
#include "unit.h"

#include "base/time.h"
#include "chance.h"
#include "decide/limit.h"

#define MS INT64_C(1000000)

static const struct rate_policy per_minute = {120, 60 * SECOND_MS, RATE_GCRA};
static const struct rate_policy fixed_minute = {120, 60 * SECOND_MS, RATE_FIXED};

/* Both clocks at once; far from zero, as they are in life. */
static struct rate_now at_ms(int64_t ms)
{
    return (struct rate_now){INT64_C(1772668800000) + ms, (1000000 + ms) * MS};
}

static struct rate_verdict call(const struct rate_policy *p, int64_t *state, int64_t ms,
                                int64_t cost)
{
    struct rate_verdict v;

    *state = rate_judge(p, *state, at_ms(ms), cost, &v);
    return v;
}

static int64_t passed_at(const struct rate_policy *p, int64_t *state, int64_t ms)
{
    int64_t n = 0;

    while (call(p, state, ms, 1).is_allowed)
        n++;
    return n;
}

/* ---- both ---- */

static void no_policy_lets_everything_pass(void **state)
{
    const struct rate_policy none = {0};
    int64_t s = 77;
    struct rate_verdict v = call(&none, &s, 0, 1000000000);

    (void)state;
    assert_true(v.is_allowed);
    assert_int_equal(v.limit, 0);
    assert_int_equal(s, 77);
}

static void the_whole_limit_passes_at_once_and_no_more(void **state)
{
    int64_t gcra = 0, fixed = 0;

    (void)state;
    assert_int_equal(passed_at(&per_minute, &gcra, 0), 120);
    assert_int_equal(passed_at(&fixed_minute, &fixed, 0), 120);
}

static void a_refusal_changes_nothing(void **state)
{
    int64_t gcra = 0, fixed = 0;

    (void)state;
    passed_at(&per_minute, &gcra, 0);
    passed_at(&fixed_minute, &fixed, 0);
    int64_t gcra_before = gcra, fixed_before = fixed;
    assert_false(call(&per_minute, &gcra, 10, 1).is_allowed);
    assert_false(call(&fixed_minute, &fixed, 10, 1).is_allowed);
    assert_int_equal(gcra, gcra_before);
    assert_int_equal(fixed, fixed_before);
}

static void the_first_call_leaves_the_rest(void **state)
{
    int64_t s = 0;
    struct rate_verdict v = call(&per_minute, &s, 0, 1);

    (void)state;
    assert_true(v.is_allowed);
    assert_int_equal(v.limit, 120);
    assert_int_equal(v.window_ms, 60000);
    assert_int_equal(v.remaining, 119);
    assert_int_equal(v.reset_ms, 500);
    assert_int_equal(v.retry_after_ms, 0);
}

static void a_call_may_cost_more_than_one(void **state)
{
    int64_t gcra = 0, fixed = 0;

    (void)state;
    assert_int_equal(call(&per_minute, &gcra, 0, 100).remaining, 20);
    assert_false(call(&per_minute, &gcra, 0, 21).is_allowed);
    assert_int_equal(call(&per_minute, &gcra, 0, 20).remaining, 0);
    assert_int_equal(call(&fixed_minute, &fixed, 0, 100).remaining, 20);
    assert_false(call(&fixed_minute, &fixed, 0, 21).is_allowed);
    assert_int_equal(call(&fixed_minute, &fixed, 0, 20).remaining, 0);
}

static void a_cost_above_the_limit_never_passes_and_says_the_whole_window(void **state)
{
    static const int64_t costs[] = {121, 1000000000, INT64_MAX};
    const struct rate_policy slow = {1, (int64_t)RATE_WINDOW_MAX_S * 1000, RATE_GCRA};

    (void)state;
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        int64_t gcra = 0, fixed = 0, s = 0;
        struct rate_verdict v = call(&per_minute, &gcra, 0, costs[i]);
        assert_false(v.is_allowed);
        assert_int_equal(v.retry_after_ms, 60000);
        v = call(&fixed_minute, &fixed, 0, costs[i]);
        assert_false(v.is_allowed);
        assert_int_equal(v.retry_after_ms, 60000);
        assert_false(call(&slow, &s, 0, costs[i]).is_allowed);
    }
}

static void the_bucket_for_refusals_is_ten_times_the_limit(void **state)
{
    struct rate_policy refused = rate_refused_policy(&per_minute);
    const struct rate_policy none = {0};

    (void)state;
    assert_int_equal(refused.requests, 1200);
    assert_int_equal(refused.window_ms, 60000);
    assert_int_equal(rate_refused_policy(&none).requests, 0);
}

static void the_largest_bucket_for_refusals_can_be_counted(void **state)
{
    const struct rate_policy largest = {RATE_REQUESTS_MAX, 1000, RATE_FIXED};
    struct rate_policy refused = rate_refused_policy(&largest);
    int64_t s = 0;

    (void)state;
    assert_true(call(&refused, &s, 0, refused.requests - 1).is_allowed);
    assert_int_equal(call(&refused, &s, 0, 1).remaining, 0);
    assert_false(call(&refused, &s, 0, 1).is_allowed);
}

/* ---- GCRA ---- */

static void gcra_gives_one_back_each_interval(void **state)
{
    int64_t s = 0;

    (void)state;
    passed_at(&per_minute, &s, 0);
    assert_int_equal(passed_at(&per_minute, &s, 499), 0);
    assert_int_equal(passed_at(&per_minute, &s, 500), 1);
    assert_int_equal(passed_at(&per_minute, &s, 1999), 2);
    assert_int_equal(passed_at(&per_minute, &s, 2000), 1);
    assert_int_equal(passed_at(&per_minute, &s, 62000), 120);
}

static void gcra_says_when_to_come_back(void **state)
{
    int64_t s = 0;

    (void)state;
    passed_at(&per_minute, &s, 0);
    assert_int_equal(call(&per_minute, &s, 0, 1).retry_after_ms, 500);
    assert_int_equal(call(&per_minute, &s, 499, 1).retry_after_ms, 1);
    assert_int_equal(call(&per_minute, &s, 0, 120).retry_after_ms, 60000);
    assert_int_equal(call(&per_minute, &s, 0, 1).reset_ms, 60000);
}

static void gcra_takes_an_earlier_time_as_the_latest_it_knows(void **state)
{
    int64_t s = 0;

    (void)state;
    passed_at(&per_minute, &s, 0);
    /* Two threads whose clocks differ must not win anything by taking turns. */
    for (int i = 0; i < 1000; i++) {
        assert_false(call(&per_minute, &s, -700, 1).is_allowed);
        assert_false(call(&per_minute, &s, 0, 1).is_allowed);
    }
    assert_int_equal(passed_at(&per_minute, &s, 500), 1);
}

static void gcra_is_whole_again_within_a_window_after_a_great_step_back(void **state)
{
    int64_t s = 0;

    (void)state;
    passed_at(&per_minute, &s, HOUR_MS);
    struct rate_verdict v = call(&per_minute, &s, 0, 1);
    assert_false(v.is_allowed);
    assert_int_equal(v.retry_after_ms, 500);
    assert_int_equal(passed_at(&per_minute, &s, 60000), 120);
}

static void gcra_is_whole_again_within_a_window_after_a_change_of_policy(void **state)
{
    const struct rate_policy ten_an_hour = {10, HOUR_MS, RATE_GCRA};
    int64_t s = 0;

    (void)state;
    passed_at(&ten_an_hour, &s, 0);
    assert_int_equal(passed_at(&per_minute, &s, 0), 0);
    assert_int_equal(passed_at(&per_minute, &s, 500), 1);
    assert_int_equal(passed_at(&per_minute, &s, 60500), 120);
}

static struct rate_policy any_policy(struct chance *c, enum rate_algorithm algorithm)
{
    static const int64_t requests[] = {1, 2, 3, 7, 10, 60, 120, 999};
    static const int64_t windows_ms[] = {1000, 3000, 7000, 60000};

    return (struct rate_policy){requests[chance_below(c, 8)], windows_ms[chance_below(c, 4)],
                                algorithm};
}

/* Steps that cross the window a few times, with pauses and bursts among them. */
static int64_t any_step_ms(struct chance *c, const struct rate_policy *p)
{
    int64_t mean = p->window_ms / p->requests;

    switch (chance_below(c, 8)) {
    case 0:
        return (int64_t)chance_below(c, (uint64_t)p->window_ms * 2);
    case 1:
    case 2:
        return (int64_t)chance_below(c, (uint64_t)mean * 3 + 2);
    default:
        return (int64_t)chance_below(c, (uint64_t)mean + 2) / 4;
    }
}

enum { CALLS = 1500 };

struct admitted {
    int64_t at_ms[CALLS], cost[CALLS];
    size_t n;
};

static void run(struct chance *c, const struct rate_policy *p, struct admitted *out)
{
    int64_t s = 0, now_ms = 0;

    out->n = 0;
    for (int i = 0; i < CALLS; i++) {
        now_ms += any_step_ms(c, p);
        int64_t cost =
            chance_below(c, 10) ? 1 : 1 + (int64_t)chance_below(c, (uint64_t)p->requests);
        struct rate_verdict v = call(p, &s, now_ms, cost);
        assert_in_range(v.remaining, 0, p->requests);
        assert_in_range(v.reset_ms, 0, p->window_ms);
        if (v.is_allowed) {
            out->at_ms[out->n] = now_ms;
            out->cost[out->n++] = cost;
        }
    }
}

static void gcra_never_admits_more_than_its_bound_in_any_stretch_of_time(void **state)
{
    struct chance c = chance_new("GCRA bound");
    static struct admitted a;

    (void)state;
    for (int round = 0; round < 40; round++) {
        struct rate_policy p = any_policy(&c, RATE_GCRA);
        run(&c, &p, &a);
        for (size_t i = 0; i < a.n; i++) {
            int64_t sum = 0;
            for (size_t k = i; k < a.n; k++) {
                int64_t t_ms = a.at_ms[k] - a.at_ms[i];
                sum += a.cost[k];
                /* requests + t * requests / window, without division */
                if (sum * p.window_ms > p.requests * (p.window_ms + t_ms))
                    flunk("%lld in %lld ms, limit %lld in %lld ms", (long long)sum, (long long)t_ms,
                          (long long)p.requests, (long long)p.window_ms);
            }
        }
    }
}

static void assert_patience_pays(enum rate_algorithm algorithm, const char *property)
{
    struct chance c = chance_new(property);

    for (int round = 0; round < 200; round++) {
        struct rate_policy p = any_policy(&c, algorithm);
        int64_t s = 0, now_ms = 0;
        for (int i = 0; i < 200; i++) {
            now_ms += any_step_ms(&c, &p);
            int64_t cost = 1 + (int64_t)chance_below(&c, (uint64_t)p.requests);
            struct rate_verdict v = call(&p, &s, now_ms, cost);
            if (v.is_allowed)
                continue;
            assert_true(v.retry_after_ms > 0);
            now_ms += v.retry_after_ms;
            assert_true(call(&p, &s, now_ms, cost).is_allowed);
        }
    }
}

static void who_waits_as_told_by_gcra_is_admitted(void **state)
{
    (void)state;
    assert_patience_pays(RATE_GCRA, "GCRA patience");
}

static void who_comes_a_millisecond_early_is_refused_by_gcra(void **state)
{
    struct chance c = chance_new("GCRA impatience");

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct rate_policy p = any_policy(&c, RATE_GCRA);
        int64_t s = 0;
        int64_t now_ms = (int64_t)chance_below(&c, 100000);
        passed_at(&p, &s, now_ms);
        struct rate_verdict v = call(&p, &s, now_ms, 1);
        assert_false(call(&p, &s, now_ms + v.retry_after_ms - 1, 1).is_allowed);
    }
}

static void what_remains_is_what_passes(void **state)
{
    struct chance c = chance_new("remaining");

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct rate_policy p = any_policy(&c, chance_below(&c, 2) ? RATE_GCRA : RATE_FIXED);
        int64_t s = 0, now_ms = 0;
        for (int i = 0; i < 20; i++) {
            now_ms += any_step_ms(&c, &p);
            struct rate_verdict v = call(&p, &s, now_ms, 1);
            int64_t copy = s;
            assert_int_equal(passed_at(&p, &copy, now_ms), v.remaining);
        }
    }
}

/* ---- fixed windows ---- */

static void a_fixed_window_begins_anew_on_the_minute(void **state)
{
    int64_t s = 0;

    (void)state;
    assert_int_equal(passed_at(&fixed_minute, &s, 59999), 120);
    assert_int_equal(call(&fixed_minute, &s, 59999, 1).retry_after_ms, 1);
    assert_int_equal(passed_at(&fixed_minute, &s, 60000), 120);
    assert_int_equal(call(&fixed_minute, &s, 60000, 1).reset_ms, 60000);
}

static void a_fixed_window_takes_an_earlier_time_as_its_own(void **state)
{
    int64_t s = 0;

    (void)state;
    assert_int_equal(passed_at(&fixed_minute, &s, 60000), 120);
    for (int i = 0; i < 100; i++) {
        assert_false(call(&fixed_minute, &s, 59999, 1).is_allowed);
        assert_false(call(&fixed_minute, &s, 60000, 1).is_allowed);
    }
    assert_int_equal(call(&fixed_minute, &s, 59999, 1).retry_after_ms, 60001);
}

static void a_fixed_window_is_whole_again_within_a_window_after_a_great_step_back(void **state)
{
    int64_t s = 0;

    (void)state;
    passed_at(&fixed_minute, &s, HOUR_MS);
    assert_int_equal(passed_at(&fixed_minute, &s, 0), 0);
    assert_int_equal(passed_at(&fixed_minute, &s, 60000), 120);
}

static void a_fixed_window_never_admits_more_than_its_limit(void **state)
{
    struct chance c = chance_new("fixed bound");
    static struct admitted a;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct rate_policy p = any_policy(&c, RATE_FIXED);
        int64_t window = -1, sum = 0;
        run(&c, &p, &a);
        for (size_t i = 0; i < a.n; i++) {
            int64_t this_window = at_ms(a.at_ms[i]).wall_ms / p.window_ms;
            sum = this_window == window ? sum + a.cost[i] : a.cost[i];
            window = this_window;
            assert_true(sum <= p.requests);
        }
    }
}

static void who_waits_as_told_by_a_fixed_window_is_admitted(void **state)
{
    (void)state;
    assert_patience_pays(RATE_FIXED, "fixed patience");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_policy_lets_everything_pass),
        cmocka_unit_test(the_whole_limit_passes_at_once_and_no_more),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(the_first_call_leaves_the_rest),
        cmocka_unit_test(a_call_may_cost_more_than_one),
        cmocka_unit_test(a_cost_above_the_limit_never_passes_and_says_the_whole_window),
        cmocka_unit_test(the_bucket_for_refusals_is_ten_times_the_limit),
        cmocka_unit_test(the_largest_bucket_for_refusals_can_be_counted),
        cmocka_unit_test(gcra_gives_one_back_each_interval),
        cmocka_unit_test(gcra_says_when_to_come_back),
        cmocka_unit_test(gcra_takes_an_earlier_time_as_the_latest_it_knows),
        cmocka_unit_test(gcra_is_whole_again_within_a_window_after_a_great_step_back),
        cmocka_unit_test(gcra_is_whole_again_within_a_window_after_a_change_of_policy),
        cmocka_unit_test(gcra_never_admits_more_than_its_bound_in_any_stretch_of_time),
        cmocka_unit_test(who_waits_as_told_by_gcra_is_admitted),
        cmocka_unit_test(who_comes_a_millisecond_early_is_refused_by_gcra),
        cmocka_unit_test(what_remains_is_what_passes),
        cmocka_unit_test(a_fixed_window_begins_anew_on_the_minute),
        cmocka_unit_test(a_fixed_window_takes_an_earlier_time_as_its_own),
        cmocka_unit_test(a_fixed_window_is_whole_again_within_a_window_after_a_great_step_back),
        cmocka_unit_test(a_fixed_window_never_admits_more_than_its_limit),
        cmocka_unit_test(who_waits_as_told_by_a_fixed_window_is_admitted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
