/*
 * Open addressing over pointers. A reader follows a slot to a secret, and from there to what the
 * key may do and to its counts; a writer, under the lock, puts a new one in place of any of these,
 * and frees the old one after every section that may have seen it.
 */
#include "library/keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/hash.h"
#include "base/rcu.h"

enum { SLOTS_FIRST = 64, LOAD_MAX_PERCENT = 50 };

/* What a key may do; never changed, only replaced. */
struct rights {
    char id[SALLYPORT_ID_MAX_BYTES + 1];
    char owner_id[SALLYPORT_ID_MAX_BYTES + 1];
    struct decide_key policy; /* its cidrs are these */
    struct net_cidr cidrs[];
};

struct cached_key {
    _Atomic int64_t granted;
    _Atomic int64_t refused;
    /* The writers': */
    UT_hash_handle hh; /* by id */
    struct rights *rights;
    struct cached_secret *secrets;
};

struct cached_secret {
    struct sha256 digest;
    struct cached_key *key;
    _Atomic(struct rights *) rights; /* the key's; here too, for one step less on the way to it */
    int64_t rotated_at_ms;
    int64_t ends_at_ms;
    struct cached_secret *next; /* of this key; the writers' */
};

struct slots {
    size_t mask;
    _Atomic(struct cached_secret *) at[];
};

struct keys {
    _Atomic(struct slots *) slots;
    pthread_mutex_t lock; /* guards all that follows, and every change */
    struct cached_key *by_id;
    size_t digests_max;
    _Atomic size_t n; /* secrets */
    size_t n_used;    /* slots that are not empty: secrets and graves */
};

/* Where a secret was: a look-up goes on behind it. */
static struct cached_secret grave;

/* ---- reading ---- */

/* Digests are spread evenly, so eight bytes of one are a hash. */
static size_t hash_of(const struct sha256 *digest)
{
    size_t hash;

    memcpy(&hash, digest->bytes, sizeof hash);
    return hash;
}

static bool is_of(const struct cached_secret *secret, const struct sha256 *digest)
{
    return secret != &grave && memcmp(secret->digest.bytes, digest->bytes, SHA256_BYTES) == 0;
}

/* The secret of the digest and its slot, or NULL; there is always an empty slot to end at. */
static struct cached_secret *find(struct slots *slots, const struct sha256 *digest, size_t *out_at)
{
    for (size_t i = hash_of(digest) & slots->mask;; i = (i + 1) & slots->mask) {
        struct cached_secret *secret = atomic_load_explicit(&slots->at[i], memory_order_acquire);
        if (!secret || is_of(secret, digest)) {
            *out_at = i;
            return secret;
        }
    }
}

/* Decide and store the meters; where another thread was faster, decide again from its state. */
static struct verdict decide_metered(struct cached_key *key, const struct decide_key *policy,
                                     const struct decide_facts *facts)
{
    for (;;) {
        struct meters before = {atomic_load(&key->granted), atomic_load(&key->refused)};
        struct meters after = before;
        struct verdict verdict = decide(policy, facts, before, &after);

        if (after.granted != before.granted &&
            !atomic_compare_exchange_strong(&key->granted, &before.granted, after.granted))
            continue;
        if (after.refused != before.refused &&
            !atomic_compare_exchange_strong(&key->refused, &before.refused, after.refused))
            continue;
        return verdict;
    }
}

static void judge(struct cached_secret *secret, const struct decide_facts *facts,
                  struct judged *out)
{
    const struct rights *rights = atomic_load_explicit(&secret->rights, memory_order_acquire);

    out->policy = rights->policy;
    out->policy.rotated_at_ms = secret->rotated_at_ms;
    out->policy.secret_ends_at_ms = secret->ends_at_ms;
    out->verdict = decide_metered(secret->key, &out->policy, facts);
    out->policy.cidrs = NULL;
    out->policy.n_cidrs = 0;
    memcpy(out->id, rights->id, sizeof out->id);
    memcpy(out->owner_id, rights->owner_id, sizeof out->owner_id);
}

bool keys_decide(struct keys *keys, const struct sha256 *digest, const struct decide_facts *facts,
                 struct judged *out)
{
    size_t at;

    rcu_thread_begin();
    rcu_enter();
    struct slots *slots = atomic_load_explicit(&keys->slots, memory_order_acquire);
    struct cached_secret *secret = find(slots, digest, &at);
    if (secret)
        judge(secret, facts, out);
    rcu_leave();
    return secret != NULL;
}

size_t keys_count(struct keys *keys)
{
    return atomic_load(&keys->n);
}

/* ---- writing ---- */

static struct slots *slots_new(size_t n)
{
    struct slots *slots = mem_new(sizeof *slots + n * sizeof *slots->at);

    slots->mask = n - 1;
    return slots;
}

struct keys *keys_new(size_t digests_max)
{
    struct keys *keys = mem_new(sizeof *keys);

    pthread_mutex_init(&keys->lock, NULL);
    keys->digests_max = digests_max;
    atomic_init(&keys->slots, slots_new(SLOTS_FIRST));
    return keys;
}

static void key_free(struct cached_key *key)
{
    free(key->rights);
    free(key);
}

void keys_drop(struct keys **keys)
{
    struct cached_key *key, *next;
    struct slots *slots = atomic_load(&(*keys)->slots);

    for (size_t i = 0; i <= slots->mask; i++) {
        struct cached_secret *secret = atomic_load(&slots->at[i]);
        if (secret != &grave)
            free(secret);
    }
    free(slots);
    HASH_ITER(hh, (*keys)->by_id, key, next)
    {
        HASH_DEL((*keys)->by_id, key);
        key_free(key);
    }
    pthread_mutex_destroy(&(*keys)->lock);
    free(*keys);
    *keys = NULL;
}

static void set_slot(struct slots *slots, size_t at, struct cached_secret *secret)
{
    atomic_store_explicit(&slots->at[at], secret, memory_order_release);
}

/* Room for one more: a new array, without the graves, of a size that leaves it half empty. */
static void make_room_locked(struct keys *keys)
{
    struct slots *old = atomic_load(&keys->slots);
    size_t n = SLOTS_FIRST;

    if ((keys->n_used + 1) * 100 <= (old->mask + 1) * LOAD_MAX_PERCENT)
        return;
    /* Half as much again as is needed, so that the next time is many changes away. */
    while (n * LOAD_MAX_PERCENT < (atomic_load(&keys->n) + 1) * 150)
        n *= 2;
    struct slots *slots = slots_new(n);
    for (size_t i = 0; i <= old->mask; i++) {
        struct cached_secret *secret = atomic_load(&old->at[i]);
        size_t at;
        if (secret && secret != &grave && !find(slots, &secret->digest, &at))
            set_slot(slots, at, secret);
    }
    atomic_store_explicit(&keys->slots, slots, memory_order_release);
    keys->n_used = atomic_load(&keys->n);
    rcu_wait();
    free(old);
}

static void copy_id(char out[SALLYPORT_ID_MAX_BYTES + 1], str id)
{
    memcpy(out, id.p, id.n);
}

static struct rights *rights_new(const struct library_key *key)
{
    size_t cidrs_bytes = key->policy.n_cidrs * sizeof *key->cidrs;
    struct rights *rights = mem_new(sizeof *rights + cidrs_bytes);

    copy_id(rights->id, key->id);
    copy_id(rights->owner_id, key->owner_id);
    rights->policy = key->policy;
    rights->policy.cidrs = rights->cidrs;
    if (cidrs_bytes)
        memcpy(rights->cidrs, key->cidrs, cidrs_bytes);
    return rights;
}

static bool is_same_limit(const struct rate_policy *a, const struct rate_policy *b)
{
    return a->requests == b->requests && a->window_ms == b->window_ms &&
           a->algorithm == b->algorithm;
}

/* The key of that id with these rights; *old is what it had, to be freed after a wait. */
static struct cached_key *set_rights_locked(struct keys *keys, const struct library_key *from,
                                            struct rights **old)
{
    struct rights *rights = rights_new(from);
    struct cached_key *key;

    HASH_FIND(hh, keys->by_id, from->id.p, from->id.n, key);
    if (!key) {
        key = mem_new(sizeof *key);
        key->rights = rights;
        HASH_ADD_KEYPTR(hh, keys->by_id, rights->id, from->id.n, key);
        return key;
    }
    *old = key->rights;
    key->rights = rights;
    for (struct cached_secret *secret = key->secrets; secret; secret = secret->next)
        atomic_store_explicit(&secret->rights, rights, memory_order_release);
    key->hh.key = rights->id; /* the hash's own text went with the old rights */
    /* A state counted under another limit means nothing under this one. */
    if (!is_same_limit(&(*old)->policy.rate, &rights->policy.rate)) {
        atomic_store(&key->granted, 0);
        atomic_store(&key->refused, 0);
    }
    return key;
}

static void join_key_locked(struct cached_secret *secret, struct cached_key *key)
{
    secret->key = key;
    atomic_store_explicit(&secret->rights, key->rights, memory_order_relaxed);
    secret->next = key->secrets;
    key->secrets = secret;
}

/* A key that has lost its last secret goes, and is returned; NULL if others are left. */
static struct cached_key *leave_key_locked(struct keys *keys, struct cached_secret *secret)
{
    struct cached_key *key = secret->key;
    struct cached_secret **link = &key->secrets;

    while (*link != secret)
        link = &(*link)->next;
    *link = secret->next;
    if (key->secrets)
        return NULL;
    HASH_DEL(keys->by_id, key);
    return key;
}

/* What a change has put out of reach. */
struct garbage {
    struct cached_secret *secret;
    struct rights *rights;
    struct cached_key *key;
};

static void free_after_readers(const struct garbage *garbage)
{
    if (!garbage->secret && !garbage->rights && !garbage->key)
        return;
    rcu_wait();
    free(garbage->secret);
    free(garbage->rights);
    if (garbage->key)
        key_free(garbage->key);
}

static void put_locked(struct keys *keys, struct cached_secret *secret,
                       const struct library_key *from, struct garbage *garbage)
{
    struct slots *slots = atomic_load(&keys->slots);
    size_t at;
    struct cached_secret *before = find(slots, &secret->digest, &at);

    join_key_locked(secret, set_rights_locked(keys, from, &garbage->rights));
    set_slot(slots, at, secret);
    if (before) {
        garbage->key = leave_key_locked(keys, before);
        garbage->secret = before;
    } else {
        atomic_fetch_add(&keys->n, 1);
        keys->n_used++;
    }
}

static bool has_room_locked(struct keys *keys, const struct sha256 *digest)
{
    size_t at;

    return atomic_load(&keys->n) < keys->digests_max ||
           find(atomic_load(&keys->slots), digest, &at) != NULL;
}

bool keys_put(struct keys *keys, const struct sha256 *digest, const struct library_key *key)
{
    struct garbage garbage = {0};

    pthread_mutex_lock(&keys->lock);
    bool has_room = has_room_locked(keys, digest);
    if (has_room) {
        struct cached_secret *secret = mem_new(sizeof *secret);
        *secret = (struct cached_secret){.digest = *digest,
                                         .rotated_at_ms = key->policy.rotated_at_ms,
                                         .ends_at_ms = key->policy.secret_ends_at_ms};
        make_room_locked(keys);
        put_locked(keys, secret, key, &garbage);
        free_after_readers(&garbage);
    }
    pthread_mutex_unlock(&keys->lock);
    return has_room;
}

static void bury_secrets_locked(struct keys *keys, const struct cached_key *key)
{
    struct slots *slots = atomic_load(&keys->slots);
    size_t at;

    for (struct cached_secret *secret = key->secrets; secret; secret = secret->next) {
        find(slots, &secret->digest, &at);
        set_slot(slots, at, &grave);
        atomic_fetch_sub(&keys->n, 1);
    }
}

static void free_secrets(struct cached_secret *secret)
{
    while (secret) {
        struct cached_secret *next = secret->next;
        free(secret);
        secret = next;
    }
}

bool keys_remove(struct keys *keys, str id)
{
    struct cached_key *key;

    pthread_mutex_lock(&keys->lock);
    HASH_FIND(hh, keys->by_id, id.p, id.n, key);
    if (key) {
        HASH_DEL(keys->by_id, key);
        bury_secrets_locked(keys, key);
        rcu_wait();
        free_secrets(key->secrets);
        key_free(key);
    }
    pthread_mutex_unlock(&keys->lock);
    return key != NULL;
}
