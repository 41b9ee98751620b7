/*
 * Shared state: `table`. Readers look without a lock, by the rules of keys/entries.h; every change
 * is made under table.lock.
 */
#include "keys/table.h"

#include <pthread.h>

#include "base/rcu.h"
#include "places/places.h"

enum { LOOKS_FOR_WHOLE = 256, KEYS_MAX_DEFAULT = 1000 };

static struct {
    pthread_mutex_t lock;
    struct entries entries;
    struct used used;
    _Atomic uint64_t epoch;      /* raised by every change */
    _Atomic uint32_t generation; /* keys of an earlier one are stale */
    uint32_t hand;               /* where the last look for room ended */
    int64_t evictions;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

void table_start(int64_t keys_max)
{
    entries_start(&table.entries, (uint32_t)(keys_max ? keys_max : KEYS_MAX_DEFAULT));
    atomic_store(&table.epoch, 0);
    atomic_store(&table.generation, 0);
    table.hand = 0;
    table.evictions = 0;
}

void table_stop(void)
{
    entries_stop(&table.entries);
    usage_stop(&table.used);
}

void table_count(struct table_stats *out)
{
    pthread_mutex_lock(&table.lock);
    *out = (struct table_stats){.keys = table.entries.keys.n,
                                .bytes = (int64_t)entries_bytes(&table.entries),
                                .evictions = table.evictions};
    pthread_mutex_unlock(&table.lock);
}

/* ---- deciding ---- */

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

static struct decide_key policy_of(const struct cached_key *key, const struct cached_secret *secret)
{
    struct decide_key policy = key->rights->policy;

    policy.expires_at_ms = key->expires_at_ms;
    policy.rotated_at_ms = secret->rotated_at_ms;
    policy.secret_ends_at_ms = secret->ends_at_ms;
    return policy;
}

static str id_text(struct arena *arena, const struct packed_id *id)
{
    char text[PACKED_ID_TEXT_BYTES];

    return arena_dup(arena, (str){text, packed_id_text(id, text)});
}

/* Where a call comes from is looked up for those keys alone that ask for it. */
static struct verdict decide_located(struct cached_key *key, const struct decide_facts *facts,
                                     struct keys_answer *out)
{
    struct decide_facts located;

    if (!out->key.places)
        return decide_metered(key, &out->key, facts);
    located = *facts;
    located.country = out->country = places_find(&facts->client);
    return decide_metered(key, &out->key, &located);
}

static void answer(struct arena *arena, const struct cached_secret *secret,
                   const struct decide_facts *facts, struct keys_answer *out)
{
    struct cached_key *key = entries_key(&table.entries, secret->key);

    out->key = policy_of(key, secret);
    out->key.employer_id = arena_dup(arena, key->rights->policy.employer_id);
    out->is_known = true;
    out->verdict = decide_located(key, facts, out);
    /* The explanation of a refusal never shows these lists, so they stay behind. */
    out->key.cidrs = NULL;
    out->key.n_cidrs = 0;
    out->key.places = NULL;
    out->who = (struct principal){
        .kind = PRINCIPAL_KEY,
        .id = id_text(arena, &key->id),
        .employer_id = out->key.employer_id,
        .home_employer_id = out->key.employer_id,
        .scopes = out->key.scopes,
        .is_instance = key->rights->is_instance,
    };
    out->person_id = key->person ? id_text(arena, key->person) : STR_NONE;
    bool is_use = out->verdict.code == E_OK && !facts->is_peek;
    if (facts->is_counted)
        usage_count(key, &out->n_uses, &out->last_at_ms);
    if (is_use)
        usage_note(&table.used, key, secret->key, facts->now.wall_ms, &facts->client,
                   facts->is_counted ? &out->n_uses : NULL);
    /* Looked at first: a line that is only read is shared by all processors. */
    if (!atomic_load_explicit(&key->is_hot, memory_order_relaxed))
        atomic_store_explicit(&key->is_hot, true, memory_order_relaxed);
}

static bool is_fresh(const struct cached_secret *secret, int64_t since_ns)
{
    const struct cached_key *key = entries_key(&table.entries, secret->key);

    return !atomic_load(&key->is_stale) && key->generation == atomic_load(&table.generation) &&
           secret->read_at_ns >= since_ns;
}

static bool is_known(const struct cached_secret *secret, const struct decide_facts *facts)
{
    return decide_is_known(&entries_key(&table.entries, secret->key)->rights->policy, facts);
}

enum table_found table_decide(struct arena *arena, const struct sha256 *digest, int64_t since_ns,
                              const struct decide_facts *facts, struct keys_answer *out)
{
    enum table_found found = TABLE_ABSENT;

    rcu_thread_begin();
    rcu_enter();
    uint32_t number = entries_find_secret(&table.entries, digest);
    const struct cached_secret *secret = number ? entries_secret(&table.entries, number) : NULL;
    if (secret && is_fresh(secret, since_ns))
        found = is_known(secret, facts) ? TABLE_DECIDED : TABLE_FOREIGN;
    if (found == TABLE_DECIDED)
        answer(arena, secret, facts, out);
    rcu_leave();
    return found;
}

/* ---- room ---- */

static bool is_whole(const struct cached_key *key, struct rate_now now)
{
    const struct rate_policy *policy = &key->rights->policy.rate;
    struct rate_verdict after_one;

    rate_judge(policy, atomic_load(&key->granted), now, 1, &after_one);
    return after_one.limit == 0 || after_one.remaining == policy->requests - 1;
}

/* Second chance: who was used since the hand last came by is passed over once. */
static bool may_leave(struct cached_key *key)
{
    return key->rights && !atomic_exchange(&key->is_hot, false) && atomic_load(&key->requests) == 0;
}

static uint32_t step_hand_locked(void)
{
    table.hand = table.hand % table.entries.keys.n_used + 1;
    return table.hand;
}

/* Anybody but `but`. Ends: two rounds make every key one that may leave, if its use is put aside.
 */
static uint32_t choose_locked(uint32_t but, struct rate_now now)
{
    uint32_t second_best = 0;

    for (uint32_t looks = 1;; looks++) {
        uint32_t number = step_hand_locked();
        struct cached_key *key = entries_key(&table.entries, number);
        if (looks % (2 * table.entries.keys.n_used) == 0)
            usage_stash(&table.used, &table.entries);
        if (number == but || !may_leave(key))
            continue;
        if (is_whole(key, now))
            return number;
        second_best = second_best ? second_best : number;
        if (looks >= LOOKS_FOR_WHOLE)
            return second_best;
    }
}

static void evict_locked(uint32_t but, struct rate_now now)
{
    uint32_t number = choose_locked(but, now);

    entries_hide_secrets(&table.entries, number);
    rcu_wait();
    if (atomic_load(&entries_key(&table.entries, number)->requests))
        usage_stash(&table.used, &table.entries);
    entries_free_secrets(&table.entries, number);
    entries_free_key(&table.entries, number);
    table.evictions++;
}

/* ---- filling ---- */

static bool is_same_limit(const struct rate_policy *a, const struct rate_policy *b)
{
    return a->requests == b->requests && a->window_ms == b->window_ms &&
           a->algorithm == b->algorithm;
}

/* A key never changes hands, so its person does not count. */
static bool is_as_read_locked(const struct cached_key *key, const struct rights *rights,
                              const struct key_row *row)
{
    return key->rights == rights && key->expires_at_ms == row->key.expires_at_ms &&
           !atomic_load(&key->is_stale) && key->generation == atomic_load(&table.generation);
}

/* Its other secrets are read again when they are used: the change may have been about them. */
static void rewrite_locked(struct cached_key *key, uint32_t number, const struct rights *rights,
                           const struct key_row *row)
{
    atomic_store(&key->is_stale, true);
    entries_hide_secrets(&table.entries, number);
    rcu_wait();
    entries_free_secrets(&table.entries, number);
    if (!is_same_limit(&key->rights->policy.rate, &rights->policy.rate)) {
        /* A state counted under another limit means nothing under this one. */
        atomic_store(&key->granted, 0);
        atomic_store(&key->refused, 0);
    }
    rights_release(key->rights);
    key->rights = rights;
    key->expires_at_ms = row->key.expires_at_ms;
    key->generation = atomic_load(&table.generation);
    atomic_store(&key->is_stale, false);
}

static uint32_t add_key_locked(const struct rights *rights, const struct key_row *row,
                               struct rate_now now)
{
    if (table.entries.keys.n == table.entries.keys.max)
        evict_locked(0, now);
    uint32_t number = entries_add_key(&table.entries, row->key.id);
    struct cached_key *key = entries_key(&table.entries, number);
    key->rights = rights;
    entries_set_person(&table.entries, key, row->key.owner_id);
    usage_learn(key, row->key.request_count, row->key.last_used_at_ms);
    key->expires_at_ms = row->key.expires_at_ms;
    key->generation = atomic_load(&table.generation);
    atomic_store(&key->is_hot, true);
    return number;
}

static uint32_t put_key_locked(const struct key_row *row, struct rate_now now)
{
    uint32_t number = entries_find_key(&table.entries, row->key.id);
    const struct rights *rights = rights_hold(row);

    if (!number)
        return add_key_locked(rights, row, now);
    struct cached_key *key = entries_key(&table.entries, number);
    usage_learn(key, row->key.request_count, row->key.last_used_at_ms);
    if (is_as_read_locked(key, rights, row))
        rights_release(rights);
    else
        rewrite_locked(key, number, rights, row);
    return number;
}

static bool is_same_secret(const struct cached_secret *a, const struct cached_secret *b)
{
    return a->rotated_at_ms == b->rotated_at_ms && a->ends_at_ms == b->ends_at_ms &&
           a->read_at_ns == b->read_at_ns;
}

static void put_secret_locked(uint32_t key, const struct cached_secret *secret, struct rate_now now)
{
    uint32_t number = entries_find_secret(&table.entries, &secret->digest);

    if (number && is_same_secret(entries_secret(&table.entries, number), secret))
        return;
    if (number) {
        /* Not just this one: a chain is taken apart by key. */
        uint32_t of = entries_secret(&table.entries, number)->key;
        entries_hide_secrets(&table.entries, of);
        rcu_wait();
        entries_free_secrets(&table.entries, of);
    }
    while (!entries_add_secret(&table.entries, key, secret))
        evict_locked(key, now);
}

static void put_locked(const struct key_row *row, struct rate_now read_at)
{
    struct cached_secret secret = {.digest = row->secret.digest,
                                   .read_at_ns = read_at.mono_ns,
                                   .rotated_at_ms = row->secret.rotated_at_ms,
                                   .ends_at_ms = row->secret.ends_at_ms};

    put_secret_locked(put_key_locked(row, read_at), &secret, read_at);
}

uint64_t table_epoch(void)
{
    return atomic_load(&table.epoch);
}

bool table_put(uint64_t epoch, struct rate_now read_at, const struct key_row *row)
{
    rcu_thread_begin();
    pthread_mutex_lock(&table.lock);
    bool is_current = epoch == atomic_load(&table.epoch);
    if (is_current)
        put_locked(row, read_at);
    pthread_mutex_unlock(&table.lock);
    return is_current;
}

void table_touch(str key_id)
{
    pthread_mutex_lock(&table.lock);
    atomic_fetch_add(&table.epoch, 1);
    uint32_t number = entries_find_key(&table.entries, key_id);
    if (number)
        atomic_store(&entries_key(&table.entries, number)->is_stale, true);
    pthread_mutex_unlock(&table.lock);
}

void table_touch_all(void)
{
    pthread_mutex_lock(&table.lock);
    atomic_fetch_add(&table.epoch, 1);
    atomic_fetch_add(&table.generation, 1);
    pthread_mutex_unlock(&table.lock);
}

/* ---- usage ---- */

size_t table_take_usage(struct arena *arena, struct usage *list, size_t max)
{
    pthread_mutex_lock(&table.lock);
    size_t n = usage_take(&table.used, &table.entries, arena, list, max);
    pthread_mutex_unlock(&table.lock);
    return n;
}

size_t table_count_homeless(void)
{
    pthread_mutex_lock(&table.lock);
    size_t n = table.used.n_stashed;
    pthread_mutex_unlock(&table.lock);
    return n;
}

void table_give_back_usage(const struct usage *list, size_t n)
{
    pthread_mutex_lock(&table.lock);
    usage_give_back(&table.used, &table.entries, list, n);
    pthread_mutex_unlock(&table.lock);
}
