/*
 * Keys in memory. Shared state: `table`, all of it guarded by table.lock; meters and usage are
 * atomics, or behind their own small lock, so that deciding takes the read side only.
 */
#include "keys/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/hash.h"

enum { ID_TEXT_BYTES = 40 };

/* One key: stays for the life of the process once it has been used. */
struct cached_key {
    UT_hash_handle hh; /* by id */
    char id[ID_TEXT_BYTES];
    char employer_id[ID_TEXT_BYTES];
    struct decide_key policy; /* of all its secrets; owns policy.cidrs */
    uint64_t stale_before;    /* secrets filled before this epoch are read again */
    _Atomic int64_t granted;
    _Atomic int64_t refused;
    pthread_mutex_t usage_lock;
    int64_t requests; /* not yet flushed */
    int64_t last_at_ms;
    struct net_addr last_addr;
    bool has_usage;
};

struct cached_secret {
    UT_hash_handle hh; /* by digest */
    struct sha256 digest;
    struct cached_key *key;
    int64_t rotated_at_ms;
    int64_t ends_at_ms;
    uint64_t filled_at; /* epoch */
    int64_t read_at_ns; /* monotonic: before the store was read */
};

static struct {
    pthread_rwlock_t lock;
    struct cached_key *keys;
    struct cached_secret *secrets;
    uint64_t epoch;     /* raised by every change */
    uint64_t all_stale; /* secrets filled before this epoch are stale */
} table;

void table_start(void)
{
    pthread_rwlock_init(&table.lock, NULL);
}

void table_stop(void)
{
    struct cached_secret *secret, *next_secret;
    struct cached_key *key, *next_key;

    HASH_ITER(hh, table.secrets, secret, next_secret)
    {
        HASH_DEL(table.secrets, secret);
        free(secret);
    }
    HASH_ITER(hh, table.keys, key, next_key)
    {
        HASH_DEL(table.keys, key);
        pthread_mutex_destroy(&key->usage_lock);
        free((void *)key->policy.cidrs);
        free(key);
    }
    pthread_rwlock_destroy(&table.lock);
    memset(&table, 0, sizeof table);
}

size_t table_count(void)
{
    pthread_rwlock_rdlock(&table.lock);
    size_t n = HASH_COUNT(table.keys);
    pthread_rwlock_unlock(&table.lock);
    return n;
}

/* ---- deciding ---- */

static void count_use(struct cached_key *key, const struct decide_facts *facts)
{
    pthread_mutex_lock(&key->usage_lock);
    key->requests++;
    key->last_at_ms = facts->now.wall_ms;
    key->last_addr = facts->client;
    key->has_usage = true;
    pthread_mutex_unlock(&key->usage_lock);
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

static struct decide_key policy_of(const struct cached_secret *secret)
{
    struct decide_key policy = secret->key->policy;

    policy.rotated_at_ms = secret->rotated_at_ms;
    policy.secret_ends_at_ms = secret->ends_at_ms;
    return policy;
}

static void answer_locked(struct arena *arena, struct cached_secret *secret,
                          const struct decide_facts *facts, struct keys_answer *out)
{
    struct cached_key *key = secret->key;

    out->key = policy_of(secret);
    out->is_known = true;
    out->verdict = decide_metered(key, &out->key, facts);
    /* The explanation of a refusal never shows the list, so its array stays behind. */
    out->key.cidrs = NULL;
    out->key.n_cidrs = 0;
    out->who = (struct principal){
        .kind = PRINCIPAL_KEY,
        .id = arena_dup(arena, str_of(key->id)),
        .employer_id = arena_dup(arena, str_of(key->employer_id)),
        .home_employer_id = arena_dup(arena, str_of(key->employer_id)),
        .scopes = key->policy.scopes,
    };
    if (out->verdict.code == E_OK)
        count_use(key, facts);
}

static bool is_fresh_locked(const struct cached_secret *secret, int64_t since_ns)
{
    return secret && secret->filled_at >= secret->key->stale_before &&
           secret->filled_at >= table.all_stale && secret->read_at_ns >= since_ns;
}

bool table_decide(struct arena *arena, const struct sha256 *digest, int64_t since_ns,
                  const struct decide_facts *facts, struct keys_answer *out)
{
    struct cached_secret *secret;

    pthread_rwlock_rdlock(&table.lock);
    HASH_FIND(hh, table.secrets, digest->bytes, SHA256_BYTES, secret);
    bool is_fresh = is_fresh_locked(secret, since_ns);
    if (is_fresh)
        answer_locked(arena, secret, facts, out);
    pthread_rwlock_unlock(&table.lock);
    return is_fresh;
}

/* ---- filling ---- */

static void copy_id(char out[ID_TEXT_BYTES], str id)
{
    size_t n = id.n < ID_TEXT_BYTES - 1 ? id.n : ID_TEXT_BYTES - 1;

    memcpy(out, id.p, n);
    out[n] = '\0';
}

static struct cached_key *key_get_locked(str id)
{
    struct cached_key *key;

    HASH_FIND(hh, table.keys, id.p, id.n, key);
    if (!key) {
        key = mem_new(sizeof *key);
        copy_id(key->id, id);
        pthread_mutex_init(&key->usage_lock, NULL);
        HASH_ADD_KEYPTR(hh, table.keys, key->id, id.n, key);
    }
    return key;
}

static struct cached_secret *secret_get_locked(const struct sha256 *digest)
{
    struct cached_secret *secret;

    HASH_FIND(hh, table.secrets, digest->bytes, SHA256_BYTES, secret);
    if (!secret) {
        secret = mem_new(sizeof *secret);
        secret->digest = *digest;
        HASH_ADD_KEYPTR(hh, table.secrets, secret->digest.bytes, SHA256_BYTES, secret);
    }
    return secret;
}

static void set_policy_locked(struct cached_key *cached, const struct key_row *row)
{
    const struct key *key = &row->key;
    struct net_cidr *cidrs = mem_new_array(key->n_cidrs, sizeof *cidrs);

    if (key->n_cidrs)
        memcpy(cidrs, key->cidrs, key->n_cidrs * sizeof *cidrs);
    free((void *)cached->policy.cidrs);
    cached->policy = (struct decide_key){
        .revoked_at_ms = key->revoked_at_ms,
        .is_active = key->is_active,
        .not_before_ms = key->not_before_ms,
        .expires_at_ms = key->expires_at_ms,
        .employer_is_active = row->employer_is_active,
        .employer_is_approved = row->employer_is_approved,
        .cidrs = cidrs,
        .n_cidrs = key->n_cidrs,
        .scopes = key->scopes,
        .rate = key->rate,
    };
}

uint64_t table_epoch(void)
{
    pthread_rwlock_rdlock(&table.lock);
    uint64_t epoch = table.epoch;
    pthread_rwlock_unlock(&table.lock);
    return epoch;
}

bool table_put(uint64_t epoch, int64_t read_at_ns, const struct key_row *row)
{
    pthread_rwlock_wrlock(&table.lock);
    bool is_current = epoch == table.epoch;
    if (is_current) {
        struct cached_key *key = key_get_locked(row->key.id);
        struct cached_secret *secret = secret_get_locked(&row->secret.digest);
        copy_id(key->employer_id, row->key.employer_id);
        bool was_other_limit = key->policy.rate.requests != row->key.rate.requests ||
                               key->policy.rate.window_ms != row->key.rate.window_ms ||
                               key->policy.rate.algorithm != row->key.rate.algorithm;
        if (was_other_limit) {
            /* A state counted under another limit means nothing under this one. */
            atomic_store(&key->granted, 0);
            atomic_store(&key->refused, 0);
        }
        set_policy_locked(key, row);
        secret->key = key;
        secret->rotated_at_ms = row->secret.rotated_at_ms;
        secret->ends_at_ms = row->secret.ends_at_ms;
        secret->filled_at = epoch;
        secret->read_at_ns = read_at_ns;
    }
    pthread_rwlock_unlock(&table.lock);
    return is_current;
}

void table_touch(str key_id)
{
    struct cached_key *key;

    pthread_rwlock_wrlock(&table.lock);
    uint64_t epoch = ++table.epoch;
    HASH_FIND(hh, table.keys, key_id.p, key_id.n, key);
    if (key)
        key->stale_before = epoch;
    pthread_rwlock_unlock(&table.lock);
}

void table_touch_all(void)
{
    pthread_rwlock_wrlock(&table.lock);
    table.all_stale = ++table.epoch;
    pthread_rwlock_unlock(&table.lock);
}

/* ---- usage ---- */

size_t table_take_usage(struct arena *arena, struct usage *list, size_t max)
{
    size_t n = 0;

    pthread_rwlock_rdlock(&table.lock);
    for (struct cached_key *key = table.keys; key && n < max; key = key->hh.next) {
        pthread_mutex_lock(&key->usage_lock);
        if (key->has_usage) {
            bool has_addr = key->last_addr.family != NET_NONE;
            list[n++] = (struct usage){
                .id = arena_dup(arena, str_of(key->id)),
                .requests = key->requests,
                .last_at_ms = key->last_at_ms,
                .last_ip = has_addr ? net_addr_write(arena, &key->last_addr) : STR_NONE,
            };
            key->requests = 0;
            key->has_usage = false;
        }
        pthread_mutex_unlock(&key->usage_lock);
    }
    pthread_rwlock_unlock(&table.lock);
    return n;
}

void table_give_back_usage(const struct usage *list, size_t n)
{
    pthread_rwlock_rdlock(&table.lock);
    for (size_t i = 0; i < n; i++) {
        struct cached_key *key;
        HASH_FIND(hh, table.keys, list[i].id.p, list[i].id.n, key);
        if (!key)
            continue;
        pthread_mutex_lock(&key->usage_lock);
        key->requests += list[i].requests;
        key->has_usage = true;
        pthread_mutex_unlock(&key->usage_lock);
    }
    pthread_rwlock_unlock(&table.lock);
}
