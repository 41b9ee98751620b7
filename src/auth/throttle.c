/* Failed sign-ins, per account and per address. */
#include "auth/throttle.h"

#include "base/time.h"
#include "limits/limits.h"

enum { NAMES_MAX = 65536 };

/* Set at start, not changed until stop. */
static struct rate_policy per_account;
static struct rate_policy per_address;
static struct limits *accounts;
static struct limits *addresses;

void throttle_start(int64_t account_failures, int64_t address_failures)
{
    per_account = (struct rate_policy){.requests = account_failures,
                                       .window_ms = account_failures * MINUTE_MS};
    per_address = (struct rate_policy){.requests = address_failures, .window_ms = MINUTE_MS};
    accounts = limits_new(NAMES_MAX);
    addresses = limits_new(NAMES_MAX);
}

void throttle_stop(void)
{
    limits_drop(&accounts);
    limits_drop(&addresses);
}

bool throttle_allows(str folded_email, const struct net_addr *client, struct rate_now now,
                     int64_t *retry_after_ms)
{
    struct rate_verdict account = limits_look(accounts, &per_account, folded_email, now);
    struct rate_verdict address = {.is_allowed = true};
    struct net_addr room;

    if (client->family != NET_NONE)
        address = limits_look(addresses, &per_address, limits_address(client, &room), now);
    *retry_after_ms = account.retry_after_ms > address.retry_after_ms ? account.retry_after_ms
                                                                      : address.retry_after_ms;
    return account.is_allowed && address.is_allowed;
}

void throttle_failed(str folded_email, const struct net_addr *client, struct rate_now now)
{
    struct net_addr room;

    limits_charge(accounts, &per_account, folded_email, now);
    if (client->family != NET_NONE)
        limits_charge(addresses, &per_address, limits_address(client, &room), now);
}

void throttle_succeeded(str folded_email)
{
    limits_forget(accounts, folded_email);
}
