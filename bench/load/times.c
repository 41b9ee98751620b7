/* Buckets: 64 to each power of two. Below 64 ns each is one nanosecond. */
#include "bench/load/times.h"

enum { STEPS = 64, STEP_BITS = 6 };

static int bucket_of(uint64_t ns)
{
    if (ns < STEPS)
        return (int)ns;
    int exponent = 63 - __builtin_clzll(ns);
    int step = (int)(ns >> (exponent - STEP_BITS)) - STEPS;
    return (exponent - STEP_BITS + 1) * STEPS + step;
}

static int64_t lower_edge(int bucket)
{
    if (bucket < STEPS)
        return bucket;
    int shift = bucket / STEPS - 1;
    return (int64_t)(STEPS + bucket % STEPS) << shift;
}

void times_add(struct times *times, int64_t ns)
{
    times->counts[bucket_of(ns < 0 ? 0 : (uint64_t)ns)]++;
    times->n++;
    if (ns > times->max_ns)
        times->max_ns = ns;
}

void times_merge(struct times *into, const struct times *from)
{
    for (int i = 0; i < TIMES_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->n += from->n;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

int64_t times_percentile_ns(const struct times *times, double share)
{
    uint64_t wanted = (uint64_t)((double)times->n * share);
    uint64_t passed = 0;

    for (int i = 0; i < TIMES_BUCKETS; i++) {
        passed += times->counts[i];
        if (passed > wanted || (passed == times->n && passed))
            return lower_edge(i);
    }
    return 0;
}
