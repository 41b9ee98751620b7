/* Guess counting. */
#include "keys/guesses.h"

#include "base/time.h"
#include "limits/limits.h"

enum { ADDRESSES_MAX = 65536 };

/* A reload changes it. */
static _Atomic int64_t limit_a_minute;
/* Set at start, not changed until stop. */
static struct limits *addresses;

void guesses_start(int64_t a_minute)
{
    guesses_use(a_minute);
    addresses = limits_new(ADDRESSES_MAX);
}

void guesses_use(int64_t a_minute)
{
    limit_a_minute = a_minute;
}

void guesses_stop(void)
{
    limits_drop(&addresses);
}

struct rate_verdict guesses_count(const struct net_addr *client, struct rate_now now)
{
    struct rate_policy policy = {.requests = limit_a_minute, .window_ms = MINUTE_MS};
    struct net_addr room;

    if (policy.requests == 0 || client->family == NET_NONE)
        return (struct rate_verdict){.is_allowed = true};
    return limits_charge(addresses, &policy, limits_address(client, &room), now);
}
