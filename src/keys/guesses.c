/* Guess counting: a bounded table of addresses, each with a rate-limit state. */
#include "keys/guesses.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

#define uthash_malloc(bytes)  mem_new(bytes)
#define uthash_free(p, bytes) free(p)
#include <uthash.h>

#include "base/banned.h"

enum { ADDRESSES_MAX = 65536, V6_PREFIX = 64, V4_PREFIX = 32 };

struct guesser {
    UT_hash_handle hh; /* by addr */
    struct net_addr addr;
    int64_t state;
};

/* Guarded by guesses.lock; the policy is set once at start. */
static struct {
    pthread_mutex_t lock;
    struct rate_policy policy;
    struct guesser *list; /* oldest first: uthash keeps the order of adding */
} guesses;

void guesses_start(int64_t a_minute)
{
    pthread_mutex_init(&guesses.lock, NULL);
    guesses.policy = (struct rate_policy){.requests = a_minute, .window_ms = MINUTE_MS};
}

static void remove_locked(struct guesser *guesser)
{
    HASH_DEL(guesses.list, guesser);
    free(guesser);
}

void guesses_stop(void)
{
    struct guesser *guesser, *next;

    HASH_ITER(hh, guesses.list, guesser, next)
    {
        remove_locked(guesser);
    }
    pthread_mutex_destroy(&guesses.lock);
    memset(&guesses, 0, sizeof guesses);
}

/* When the table is full, the address added first makes room: the newest guessers are the ones to
 * hold back. */
static struct guesser *get_locked(const struct net_addr *addr)
{
    struct guesser *guesser;

    HASH_FIND(hh, guesses.list, addr, sizeof *addr, guesser);
    if (guesser)
        return guesser;
    if (HASH_COUNT(guesses.list) >= ADDRESSES_MAX)
        remove_locked(guesses.list);
    guesser = mem_new(sizeof *guesser);
    guesser->addr = *addr;
    HASH_ADD(hh, guesses.list, addr, sizeof guesser->addr, guesser);
    return guesser;
}

struct rate_verdict guesses_count(const struct net_addr *client, struct rate_now now)
{
    struct rate_verdict verdict = {.is_allowed = true};

    if (guesses.policy.requests == 0 || client->family == NET_NONE)
        return verdict;
    struct net_addr addr =
        net_addr_masked(client, client->family == NET_V6 ? V6_PREFIX : V4_PREFIX);
    pthread_mutex_lock(&guesses.lock);
    struct guesser *guesser = get_locked(&addr);
    guesser->state = rate_judge(&guesses.policy, guesser->state, now, 1, &verdict);
    pthread_mutex_unlock(&guesses.lock);
    return verdict;
}
