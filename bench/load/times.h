/* How long calls took: counts in buckets that are at most 1.6 % wide, for any number of calls. */
#ifndef SALLYPORT_BENCH_TIMES_H
#define SALLYPORT_BENCH_TIMES_H

#include <stdint.h>

enum { TIMES_BUCKETS = 64 * 58 };

struct times {
    uint64_t counts[TIMES_BUCKETS];
    uint64_t n;
    int64_t max_ns;
};

void times_add(struct times *times, int64_t ns);
void times_merge(struct times *into, const struct times *from);

/* The lower edge of the bucket that holds this share of the calls; 0 without calls. */
int64_t times_percentile_ns(const struct times *times, double share);

#endif
