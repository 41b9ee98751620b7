/* Rate limits: the generic cell rate algorithm, and fixed windows. */
#include "decide/limit.h"

#include <assert.h>

enum { NS_PER_MS = 1000000, COUNT_BITS = 24, FIXED_WINDOW_MIN_MS = 1000 };

static_assert(RATE_REQUESTS_MAX * RATE_REFUSED_FACTOR < 1 << COUNT_BITS, "a count fits its bits");

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/*
 * The state is the theoretical arrival time. A request moves it on by one interval, and passes if
 * that leaves it no more than a burst ahead of now. The interval is rounded up, so that no more
 * than the policy ever passes.
 *
 * A state more than a burst ahead was written at a later reading of the clock: now is then as if
 * nothing had come free since. More than two bursts ahead, it is of another policy or another
 * clock: it becomes a bucket that is empty now, which fills again within a window.
 */
static int64_t judge_gcra(const struct rate_policy *p, int64_t state, int64_t now_ns, int64_t cost,
                          struct rate_verdict *out)
{
    int64_t interval = divide_up(p->window_ms * NS_PER_MS, p->requests);
    int64_t burst = interval * p->requests;

    if (state - burst > now_ns + burst)
        state = now_ns + burst;
    int64_t arrival = state > now_ns ? state : now_ns;
    int64_t wait = arrival + interval * cost - burst - now_ns;
    out->is_allowed = wait <= 0;
    if (out->is_allowed)
        arrival = state = arrival + interval * cost;
    else
        out->retry_after_ms = divide_up(wait, NS_PER_MS);
    int64_t used = arrival - now_ns;
    out->remaining = used < burst ? (burst - used) / interval : 0;
    out->reset_ms = least(divide_up(used, NS_PER_MS), p->window_ms);
    return state;
}

/* The same two rules as above for a state of a later window. */
static int64_t judge_fixed(const struct rate_policy *p, int64_t state, int64_t wall_ms,
                           int64_t cost, struct rate_verdict *out)
{
    const int64_t count_mask = (INT64_C(1) << COUNT_BITS) - 1;
    int64_t window = wall_ms / p->window_ms;
    int64_t state_window = state >> COUNT_BITS;
    int64_t count = state & count_mask;

    assert(p->window_ms >= FIXED_WINDOW_MIN_MS);
    if (state_window < window)
        count = 0;
    else if (state_window == window + 1)
        window = state_window;
    out->is_allowed = count + cost <= p->requests;
    if (out->is_allowed)
        count += cost;
    out->remaining = count < p->requests ? p->requests - count : 0;
    out->reset_ms = (window + 1) * p->window_ms - wall_ms;
    if (!out->is_allowed)
        out->retry_after_ms = out->reset_ms;
    return window << COUNT_BITS | count;
}

int64_t rate_judge(const struct rate_policy *policy, int64_t state, struct rate_now now,
                   int64_t cost, struct rate_verdict *out)
{
    assert(cost >= 1);
    *out = (struct rate_verdict){.is_allowed = true};
    if (policy->requests == 0)
        return state;
    out->limit = policy->requests;
    out->window_ms = policy->window_ms;
    /* One more than the limit is refused like any greater cost, and cannot overflow. */
    int64_t bounded_cost = least(cost, policy->requests + 1);
    state = policy->algorithm == RATE_FIXED
                ? judge_fixed(policy, state, now.wall_ms, bounded_cost, out)
                : judge_gcra(policy, state, now.mono_ns, bounded_cost, out);
    if (cost > policy->requests)
        out->retry_after_ms = policy->window_ms;
    return state;
}

struct rate_policy rate_refused_policy(const struct rate_policy *policy)
{
    struct rate_policy refused = *policy;

    refused.requests *= RATE_REFUSED_FACTOR;
    return refused;
}
