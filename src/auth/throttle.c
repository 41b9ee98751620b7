/* Failed sign-ins, per account and per address. */
#include "auth/throttle.h"

#include "base/time.h"
#include "limits/limits.h"

enum { NAMES_MAX = 65536 };

/* A reload changes them. */
static _Atomic int64_t failures_per_account;
static _Atomic int64_t failures_per_address;
/* Set at start, not changed until stop. */
static struct limits *accounts;
static struct limits *addresses;

static struct rate_policy account_policy(void)
{
    int64_t failures = failures_per_account;

    return (struct rate_policy){.requests = failures, .window_ms = failures * MINUTE_MS};
}

static struct rate_policy address_policy(void)
{
    return (struct rate_policy){.requests = failures_per_address, .window_ms = MINUTE_MS};
}

void throttle_start(int64_t account_failures, int64_t address_failures)
{
    throttle_use(account_failures, address_failures);
    accounts = limits_new(NAMES_MAX);
    addresses = limits_new(NAMES_MAX);
}

void throttle_use(int64_t account_failures, int64_t address_failures)
{
    failures_per_account = account_failures;
    failures_per_address = address_failures;
}

void throttle_stop(void)
{
    limits_drop(&accounts);
    limits_drop(&addresses);
}

bool throttle_allows(str folded_email, const struct net_addr *client, struct rate_now now,
                     int64_t *retry_after_ms)
{
    struct rate_policy per_account = account_policy(), per_address = address_policy();
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
    struct rate_policy per_account = account_policy(), per_address = address_policy();
    struct net_addr room;

    limits_charge(accounts, &per_account, folded_email, now);
    if (client->family != NET_NONE)
        limits_charge(addresses, &per_address, limits_address(client, &room), now);
}

void throttle_succeeded(str folded_email)
{
    limits_forget(accounts, folded_email);
}
