#include "keys/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

enum { STASH_FIRST = 64 };

static void join(struct used *used, struct cached_key *key, uint32_t number)
{
    uint32_t first = atomic_load(&used->first);

    do
        key->next_used = first;
    while (!atomic_compare_exchange_weak(&used->first, &first, number));
}

static bool try_noting(struct cached_key *key)
{
    return !atomic_exchange_explicit(&key->is_noting, true, memory_order_acquire);
}

static void begin_noting(struct cached_key *key)
{
    while (!try_noting(key)) {
    }
}

static void end_noting(struct cached_key *key)
{
    atomic_store_explicit(&key->is_noting, false, memory_order_release);
}

/* What is taken moves from `requests` to n_taken while it is being noted: so their sum, read
 * there, never falls. */
static uint32_t note(struct cached_key *key, int64_t now_ms, const struct net_addr *client,
                     int64_t *count)
{
    key->last_at_ms = now_ms;
    key->last_addr = *client;
    uint32_t before = atomic_fetch_add(&key->requests, 1);
    if (count)
        *count = key->n_taken + before + 1;
    end_noting(key);
    return before;
}

void usage_note(struct used *used, struct cached_key *key, uint32_t number, int64_t now_ms,
                const struct net_addr *client, int64_t *count)
{
    uint32_t before;

    if (count)
        begin_noting(key);
    /* Whoever finds another at it was not the last either. */
    if (count || try_noting(key))
        before = note(key, now_ms, client, count);
    else
        before = atomic_fetch_add(&key->requests, 1);
    if (before == 0)
        join(used, key, number);
}

void usage_count(struct cached_key *key, int64_t *count, int64_t *last_at_ms)
{
    begin_noting(key);
    *count = key->n_taken + atomic_load(&key->requests);
    *last_at_ms = key->last_at_ms;
    end_noting(key);
}

void usage_learn(struct cached_key *key, int64_t n_stored, int64_t last_at_ms)
{
    begin_noting(key);
    if (key->n_taken < n_stored)
        key->n_taken = n_stored;
    if (key->last_at_ms < last_at_ms)
        key->last_at_ms = last_at_ms;
    end_noting(key);
}

static struct stashed take_one(struct cached_key *key)
{
    begin_noting(key);
    struct stashed taken = {.id = key->id,
                            .requests = atomic_exchange(&key->requests, 0),
                            .last_at_ms = key->last_at_ms,
                            .addr = key->last_addr};
    key->n_taken += taken.requests;
    end_noting(key);
    return taken;
}

/* The next of the list; false at its end. */
static bool take_next(struct used *used, struct entries *entries, struct stashed *out)
{
    if (!used->taking)
        used->taking = atomic_exchange(&used->first, 0);
    if (!used->taking)
        return false;
    struct cached_key *key = entries_key(entries, used->taking);
    /* First this: once the count is taken, a use may put the key into the next list. */
    used->taking = key->next_used;
    *out = take_one(key);
    return true;
}

static struct usage show(struct arena *arena, const struct stashed *from)
{
    bool has_addr = from->addr.family != NET_NONE;
    char id[PACKED_ID_TEXT_BYTES];

    return (struct usage){
        .id = arena_dup(arena, (str){id, packed_id_text(&from->id, id)}),
        .requests = from->requests,
        .last_at_ms = from->last_at_ms,
        .last_ip = has_addr ? net_addr_write(arena, &from->addr) : STR_NONE,
    };
}

size_t usage_take(struct used *used, struct entries *entries, struct arena *arena,
                  struct usage *list, size_t max)
{
    struct stashed one;
    size_t n = 0;

    while (n < max && used->n_stashed)
        list[n++] = show(arena, &used->stash[--used->n_stashed]);
    while (n < max && take_next(used, entries, &one))
        list[n++] = show(arena, &one);
    return n;
}

static void stash(struct used *used, const struct stashed *one)
{
    if (used->n_stashed == used->stash_room) {
        size_t room = used->stash_room ? used->stash_room * 2 : STASH_FIRST;
        struct stashed *larger = mem_new_array(room, sizeof *larger);
        if (used->n_stashed)
            memcpy(larger, used->stash, used->n_stashed * sizeof *larger);
        free(used->stash);
        used->stash = larger;
        used->stash_room = room;
    }
    used->stash[used->n_stashed++] = *one;
}

static struct stashed stashed_of(const struct usage *line)
{
    struct stashed one = {.id = packed_id_of(line->id),
                          .requests = (uint32_t)line->requests,
                          .last_at_ms = line->last_at_ms};

    if (line->last_ip.n && !net_addr_parse(line->last_ip, &one.addr))
        one.addr = (struct net_addr){0};
    return one;
}

static bool give_back(struct cached_key *key, uint32_t requests)
{
    begin_noting(key);
    key->n_taken -= requests;
    bool is_first = atomic_fetch_add(&key->requests, requests) == 0;
    end_noting(key);
    return is_first;
}

void usage_give_back(struct used *used, struct entries *entries, const struct usage *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t number = entries_find_key(entries, list[i].id);
        struct cached_key *key = number ? entries_key(entries, number) : NULL;
        struct stashed one = stashed_of(&list[i]);
        if (!key)
            stash(used, &one);
        else if (give_back(key, one.requests))
            join(used, key, number);
    }
}

void usage_stash(struct used *used, struct entries *entries)
{
    struct stashed one;

    while (take_next(used, entries, &one))
        stash(used, &one);
}

void usage_stop(struct used *used)
{
    free(used->stash);
    *used = (struct used){0};
}
