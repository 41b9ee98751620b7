/* A bounded table of rate-limit states. */
#include "limits/limits.h"

#include <pthread.h>

#include "base/banned.h"
#include "base/hash.h"
#include "crypto/digest.h"
#include "crypto/random.h"

enum { SEED_BYTES = 16, V4_PREFIX = 32, V6_PREFIX = 64 };

struct counter {
    UT_hash_handle hh; /* by name */
    struct sha256 name;
    int64_t state;
};

struct limits {
    pthread_mutex_t lock;
    struct counter *counters; /* guarded by lock; in the order of adding */
    size_t names_max;
    char seed[SEED_BYTES];
};

struct limits *limits_new(size_t names_max)
{
    struct limits *limits = mem_new(sizeof *limits);

    pthread_mutex_init(&limits->lock, NULL);
    limits->names_max = names_max;
    random_bytes(limits->seed, SEED_BYTES);
    return limits;
}

static void remove_locked(struct limits *limits, struct counter *counter)
{
    HASH_DEL(limits->counters, counter);
    free(counter);
}

void limits_drop(struct limits **limits)
{
    if (!*limits)
        return;
    while ((*limits)->counters)
        remove_locked(*limits, (*limits)->counters);
    pthread_mutex_destroy(&(*limits)->lock);
    free(*limits);
    *limits = NULL;
}

static struct sha256 seeded(const struct limits *limits, str name)
{
    return digest_hmac_sha256((str){limits->seed, SEED_BYTES}, name);
}

static struct counter *find_locked(const struct limits *limits, const struct sha256 *name)
{
    struct counter *counter;

    HASH_FIND(hh, limits->counters, name, sizeof *name, counter);
    return counter;
}

static struct counter *get_locked(struct limits *limits, const struct sha256 *name)
{
    struct counter *counter = find_locked(limits, name);

    if (counter)
        return counter;
    if (HASH_COUNT(limits->counters) >= limits->names_max)
        remove_locked(limits, limits->counters);
    counter = mem_new(sizeof *counter);
    counter->name = *name;
    HASH_ADD(hh, limits->counters, name, sizeof counter->name, counter);
    return counter;
}

struct rate_verdict limits_charge(struct limits *limits, const struct rate_policy *policy, str name,
                                  struct rate_now now)
{
    struct sha256 digest = seeded(limits, name);
    struct rate_verdict verdict;

    pthread_mutex_lock(&limits->lock);
    struct counter *counter = get_locked(limits, &digest);
    counter->state = rate_judge(policy, counter->state, now, 1, &verdict);
    pthread_mutex_unlock(&limits->lock);
    return verdict;
}

struct rate_verdict limits_look(struct limits *limits, const struct rate_policy *policy, str name,
                                struct rate_now now)
{
    struct sha256 digest = seeded(limits, name);
    struct rate_verdict verdict;

    pthread_mutex_lock(&limits->lock);
    const struct counter *counter = find_locked(limits, &digest);
    rate_judge(policy, counter ? counter->state : 0, now, 1, &verdict);
    pthread_mutex_unlock(&limits->lock);
    return verdict;
}

void limits_forget(struct limits *limits, str name)
{
    struct sha256 digest = seeded(limits, name);

    pthread_mutex_lock(&limits->lock);
    struct counter *counter = find_locked(limits, &digest);
    if (counter)
        remove_locked(limits, counter);
    pthread_mutex_unlock(&limits->lock);
}

str limits_address(const struct net_addr *addr, struct net_addr *room)
{
    *room = net_addr_masked(addr, addr->family == NET_V6 ? V6_PREFIX : V4_PREFIX);
    return (str){(const char *)room, sizeof *room};
}
