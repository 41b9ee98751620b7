/*
 * The memory of the key table: keys and their secrets in slabs, found by digest without a lock.
 * Inside keys/ only.
 *
 * A reader goes from a digest's chain to a secret and its key, within one read section
 * (base/rcu.h). All else is under table.lock of keys/table.c. What a reader may be looking at is
 * not changed but for its atomics: a key's plain fields are written while it is stale, after a wait
 * for the readers that may have seen it fresh, and numbers are given back after such a wait.
 */
#ifndef SALLYPORT_KEYS_ENTRIES_H
#define SALLYPORT_KEYS_ENTRIES_H

#include <assert.h>
#include <stdatomic.h>

#include "base/slab.h"
#include "crypto/digest.h"
#include "keys/packed_id.h"
#include "keys/rights.h"

struct cached_key {
    struct packed_id id;
    struct net_addr last_addr; /* this, last_at_ms and n_taken: of whoever has set is_noting */
    atomic_bool is_noting;
    atomic_bool is_stale;
    atomic_bool is_hot; /* used since the last look for somebody to leave */
    uint32_t next_by_id;
    const struct rights *rights;
    struct packed_id *person; /* whose own key it is; NULL: the employer's */
    int64_t expires_at_ms;
    _Atomic int64_t granted; /* struct meters */
    _Atomic int64_t refused;
    int64_t last_at_ms;
    int64_t n_taken;           /* uses that the store has, or will have when a flush is done */
    _Atomic uint32_t requests; /* not yet taken; from the first on the key is in the list of used */
    uint32_t next_used;
    uint32_t first_secret;
    uint32_t generation; /* of the table, when it was filled */
};

struct cached_secret {
    struct sha256 digest;
    _Atomic uint32_t next_by_digest;
    uint32_t key;
    uint32_t next_of_key;
    int64_t read_at_ns; /* monotonic: before the store was read */
    int64_t rotated_at_ms;
    int64_t ends_at_ms;
};

static_assert(sizeof(struct cached_key) <= 120, "a million of them is a lot");
static_assert(sizeof(struct cached_secret) <= 72, "a million of them is a lot");

struct entries {
    struct slab keys;
    struct slab secrets;
    size_t n_persons;
    uint32_t mask; /* of both indexes */
    _Atomic uint32_t *by_digest;
    uint32_t *by_id;
};

void entries_start(struct entries *e, uint32_t keys_max);
void entries_stop(struct entries *e);

static inline struct cached_key *entries_key(const struct entries *e, uint32_t number)
{
    return slab_at(&e->keys, number);
}

static inline struct cached_secret *entries_secret(const struct entries *e, uint32_t number)
{
    return slab_at(&e->secrets, number);
}

/* Within a read section or under the lock; 0: it is not there. */
uint32_t entries_find_secret(const struct entries *e, const struct sha256 *digest);

/* ---- under the lock ---- */

uint32_t entries_find_key(const struct entries *e, str id);
/* 0: there is no room. */
uint32_t entries_add_key(struct entries *e, str id);

/* Of a key that no reader sees; '' or STR_NONE: nobody. */
void entries_set_person(struct entries *e, struct cached_key *key, str person_id);

/* Complete but for its chain; visible from then on. 0: there is no room. */
uint32_t entries_add_secret(struct entries *e, uint32_t key, const struct cached_secret *secret);

/* Out of all readers' sight, except of those in a section now. */
void entries_hide_secrets(struct entries *e, uint32_t key);

/* After a wait for those: its secrets, and the key itself. */
void entries_free_secrets(struct entries *e, uint32_t key);
void entries_free_key(struct entries *e, uint32_t key);

size_t entries_bytes(const struct entries *e);

#endif
