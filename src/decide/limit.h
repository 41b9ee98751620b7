/*
 * Rate limits as a pure function of a policy, a state of one integer, and the time.
 *
 * RATE_GCRA  the generic cell rate algorithm, burst = limit: requests + t * requests / window pass
 *            in the first t seconds. State: the theoretical arrival time, monotonic nanoseconds.
 * RATE_FIXED counts in windows aligned to the wall clock. State: window number << 24 | count.
 */
#ifndef SALLYPORT_DECIDE_LIMIT_H
#define SALLYPORT_DECIDE_LIMIT_H

#include "base/str.h"

enum rate_algorithm { RATE_GCRA, RATE_FIXED };

enum { RATE_REQUESTS_MAX = 1000000, RATE_WINDOW_MAX_S = 30 * 24 * 3600, RATE_REFUSED_FACTOR = 10 };

struct rate_policy {
    int64_t requests;  /* 0: no limit; else 1 … RATE_REQUESTS_MAX */
    int64_t window_ms; /* 1000 … RATE_WINDOW_MAX_S * 1000 */
    enum rate_algorithm algorithm;
};

struct rate_now {
    int64_t wall_ms;
    int64_t mono_ns;
};

struct rate_verdict {
    bool is_allowed;
    int64_t limit; /* requests of the policy; 0: none */
    int64_t window_ms;
    int64_t remaining;      /* whole requests that would still pass now */
    int64_t reset_ms;       /* until the full limit is there again */
    int64_t retry_after_ms; /* when refused: until a request of this cost passes */
};

/*
 * The new state; a refusal costs nothing. A state of 0 is a limit never used. Clocks may step back
 * without harm: time before the state's own is taken as its own. A state more than a window ahead
 * even of that is of another clock or policy: it is taken as a limit that is used up now, so that
 * it is whole again within a window.
 * cost is 1 … requests; more can never pass, and retry_after_ms is then the whole window.
 */
int64_t rate_judge(const struct rate_policy *policy, int64_t state, struct rate_now now,
                   int64_t cost, struct rate_verdict *out);

/* The bucket for refused calls: RATE_REFUSED_FACTOR times the policy. */
struct rate_policy rate_refused_policy(const struct rate_policy *policy);

#endif
