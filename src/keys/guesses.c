/* Guess counting. */
#include "keys/guesses.h"

#include "base/time.h"
#include "limits/limits.h"

enum { ADDRESSES_MAX = 65536 };

/* Set at start, not changed until stop. */
static struct rate_policy policy;
static struct limits *addresses;

void guesses_start(int64_t a_minute)
{
    policy = (struct rate_policy){.requests = a_minute, .window_ms = MINUTE_MS};
    addresses = limits_new(ADDRESSES_MAX);
}

void guesses_stop(void)
{
    limits_drop(&addresses);
}

struct rate_verdict guesses_count(const struct net_addr *client, struct rate_now now)
{
    struct net_addr room;

    if (policy.requests == 0 || client->family == NET_NONE)
        return (struct rate_verdict){.is_allowed = true};
    return limits_charge(addresses, &policy, limits_address(client, &room), now);
}
