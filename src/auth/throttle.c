/* Failed sign-ins, counted in memory under a lock. */
#include "auth/throttle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "crypto/digest.h"

#define uthash_malloc(bytes)  mem_new(bytes)
#define uthash_free(p, bytes) free(p)
#include <uthash.h>

#include "base/banned.h"

enum { COUNTERS_MAX = 65536 };

struct counter {
    UT_hash_handle hh;  /* by name */
    struct sha256 name; /* of what is counted: no email stays in memory */
    int64_t state;
};

/* Guarded by throttle.lock; the policies are set once at start. */
static struct {
    pthread_mutex_t lock;
    struct rate_policy per_account;
    struct rate_policy per_address;
    struct counter *counters; /* oldest first */
} throttle;

void throttle_start(int64_t per_account, int64_t per_address)
{
    pthread_mutex_init(&throttle.lock, NULL);
    throttle.per_account =
        (struct rate_policy){.requests = per_account, .window_ms = per_account * MINUTE_MS};
    throttle.per_address = (struct rate_policy){.requests = per_address, .window_ms = MINUTE_MS};
}

static void remove_locked(struct counter *counter)
{
    HASH_DEL(throttle.counters, counter);
    free(counter);
}

void throttle_stop(void)
{
    struct counter *counter, *next;

    HASH_ITER(hh, throttle.counters, counter, next)
    {
        remove_locked(counter);
    }
    pthread_mutex_destroy(&throttle.lock);
    memset(&throttle, 0, sizeof throttle);
}

static struct counter *find_locked(const struct sha256 *name)
{
    struct counter *counter;

    HASH_FIND(hh, throttle.counters, name, sizeof *name, counter);
    return counter;
}

static struct counter *get_locked(const struct sha256 *name)
{
    struct counter *counter = find_locked(name);

    if (counter)
        return counter;
    if (HASH_COUNT(throttle.counters) >= COUNTERS_MAX)
        remove_locked(throttle.counters);
    counter = mem_new(sizeof *counter);
    counter->name = *name;
    HASH_ADD(hh, throttle.counters, name, sizeof counter->name, counter);
    return counter;
}

static struct sha256 address_name(const struct net_addr *client)
{
    struct net_addr addr = net_addr_masked(client, client->family == NET_V6 ? 64 : 32);

    return digest_sha256((str){(const char *)&addr, sizeof addr});
}

static bool allows_locked(const struct sha256 *name, const struct rate_policy *policy,
                          struct rate_now now, int64_t *retry_after_ms)
{
    const struct counter *counter = find_locked(name);
    struct rate_verdict verdict;

    rate_judge(policy, counter ? counter->state : 0, now, 1, &verdict);
    if (!verdict.is_allowed && verdict.retry_after_ms > *retry_after_ms)
        *retry_after_ms = verdict.retry_after_ms;
    return verdict.is_allowed;
}

bool throttle_allows(str folded_email, const struct net_addr *client, struct rate_now now,
                     int64_t *retry_after_ms)
{
    struct sha256 account = digest_sha256(folded_email);
    struct sha256 address = address_name(client);

    *retry_after_ms = 0;
    pthread_mutex_lock(&throttle.lock);
    bool allows = allows_locked(&account, &throttle.per_account, now, retry_after_ms);
    if (client->family != NET_NONE)
        allows &= allows_locked(&address, &throttle.per_address, now, retry_after_ms);
    pthread_mutex_unlock(&throttle.lock);
    return allows;
}

static void charge_locked(const struct sha256 *name, const struct rate_policy *policy,
                          struct rate_now now)
{
    struct counter *counter = get_locked(name);
    struct rate_verdict verdict;

    counter->state = rate_judge(policy, counter->state, now, 1, &verdict);
}

void throttle_failed(str folded_email, const struct net_addr *client, struct rate_now now)
{
    struct sha256 account = digest_sha256(folded_email);
    struct sha256 address = address_name(client);

    pthread_mutex_lock(&throttle.lock);
    charge_locked(&account, &throttle.per_account, now);
    if (client->family != NET_NONE)
        charge_locked(&address, &throttle.per_address, now);
    pthread_mutex_unlock(&throttle.lock);
}

void throttle_succeeded(str folded_email)
{
    struct sha256 account = digest_sha256(folded_email);

    pthread_mutex_lock(&throttle.lock);
    struct counter *counter = find_locked(&account);
    if (counter)
        remove_locked(counter);
    pthread_mutex_unlock(&throttle.lock);
}
