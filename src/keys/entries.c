/* Two chained indexes over the slabs: by digest for readers, by id for whoever changes a key. */
#include "keys/entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

/* A key has one secret, and a second one while a rotation overlaps. */
enum { SECRETS_PERCENT = 125, SECRETS_LEAST = 1024 };

/* One allocation, with what the allocator adds. */
enum { PERSON_BYTES = 32 };

static uint32_t secrets_max(uint32_t keys_max)
{
    return (uint32_t)((uint64_t)keys_max * SECRETS_PERCENT / 100) + SECRETS_LEAST;
}

void entries_start(struct entries *e, uint32_t keys_max)
{
    size_t n = 1;

    while (n < keys_max)
        n *= 2;
    slab_start(&e->keys, sizeof(struct cached_key), keys_max);
    slab_start(&e->secrets, sizeof(struct cached_secret), secrets_max(keys_max));
    e->mask = (uint32_t)(n - 1);
    /* Zeroed by the kernel, so that what is not used of it takes no memory. */
    e->by_digest = mem_new_array(n, sizeof *e->by_digest);
    e->by_id = mem_new_array(n, sizeof *e->by_id);
}

void entries_stop(struct entries *e)
{
    for (uint32_t i = 1; i <= e->keys.n_used; i++)
        if (entries_key(e, i)->rights) {
            rights_release(entries_key(e, i)->rights);
            free(entries_key(e, i)->person);
        }
    slab_stop(&e->keys);
    slab_stop(&e->secrets);
    free((void *)e->by_digest);
    free(e->by_id);
    *e = (struct entries){0};
}

/* Digests are spread evenly, so any bytes of one are a hash. */
static _Atomic uint32_t *chain_of(const struct entries *e, const struct sha256 *digest)
{
    uint32_t hash;

    memcpy(&hash, digest->bytes, sizeof hash);
    return &e->by_digest[hash & e->mask];
}

uint32_t entries_find_secret(const struct entries *e, const struct sha256 *digest)
{
    uint32_t number = atomic_load_explicit(chain_of(e, digest), memory_order_acquire);

    while (number) {
        const struct cached_secret *secret = entries_secret(e, number);
        if (memcmp(secret->digest.bytes, digest->bytes, SHA256_BYTES) == 0)
            return number;
        number = atomic_load_explicit(&secret->next_by_digest, memory_order_acquire);
    }
    return 0;
}

/* ---- by id ---- */

/* FNV-1a; ids are of our own making. */
static uint32_t *id_chain_of(const struct entries *e, const struct packed_id *id)
{
    uint32_t hash = (2166136261u ^ id->kind) * 16777619u;

    for (size_t i = 0; i < sizeof id->body; i++)
        hash = (hash ^ id->body[i]) * 16777619u;
    return &e->by_id[hash & e->mask];
}

uint32_t entries_find_key(const struct entries *e, str id)
{
    struct packed_id packed = packed_id_of(id);
    uint32_t number = packed_id_is_none(&packed) ? 0 : *id_chain_of(e, &packed);

    while (number && !packed_id_eq(&entries_key(e, number)->id, &packed))
        number = entries_key(e, number)->next_by_id;
    return number;
}

uint32_t entries_add_key(struct entries *e, str id)
{
    uint32_t number = slab_take(&e->keys);
    struct packed_id packed = packed_id_of(id);
    uint32_t *chain = id_chain_of(e, &packed);

    assert(!packed_id_is_none(&packed));
    if (!number)
        return 0;
    struct cached_key *key = entries_key(e, number);
    key->id = packed;
    key->next_by_id = *chain;
    *chain = number;
    return number;
}

void entries_set_person(struct entries *e, struct cached_key *key, str person_id)
{
    if (key->person)
        e->n_persons--;
    free(key->person);
    key->person = NULL;
    if (str_is_none(person_id) || !person_id.n)
        return;
    key->person = mem_new(sizeof *key->person);
    *key->person = packed_id_of(person_id);
    e->n_persons++;
}

void entries_free_key(struct entries *e, uint32_t number)
{
    struct cached_key *key = entries_key(e, number);
    uint32_t *link = id_chain_of(e, &key->id);

    while (*link != number)
        link = &entries_key(e, *link)->next_by_id;
    *link = key->next_by_id;
    entries_set_person(e, key, STR_NONE);
    if (key->rights)
        rights_release(key->rights);
    slab_give(&e->keys, number);
}

/* ---- secrets ---- */

uint32_t entries_add_secret(struct entries *e, uint32_t key, const struct cached_secret *from)
{
    uint32_t number = slab_take(&e->secrets);
    _Atomic uint32_t *chain = chain_of(e, &from->digest);

    if (!number)
        return 0;
    struct cached_secret *secret = entries_secret(e, number);
    secret->digest = from->digest;
    secret->read_at_ns = from->read_at_ns;
    secret->rotated_at_ms = from->rotated_at_ms;
    secret->ends_at_ms = from->ends_at_ms;
    secret->key = key;
    secret->next_of_key = entries_key(e, key)->first_secret;
    entries_key(e, key)->first_secret = number;
    atomic_store_explicit(&secret->next_by_digest, atomic_load(chain), memory_order_relaxed);
    atomic_store_explicit(chain, number, memory_order_release);
    return number;
}

static void hide(struct entries *e, uint32_t number)
{
    const struct cached_secret *secret = entries_secret(e, number);
    _Atomic uint32_t *link = chain_of(e, &secret->digest);

    while (atomic_load(link) != number)
        link = &entries_secret(e, atomic_load(link))->next_by_digest;
    atomic_store_explicit(link, atomic_load(&secret->next_by_digest), memory_order_release);
}

void entries_hide_secrets(struct entries *e, uint32_t key)
{
    for (uint32_t i = entries_key(e, key)->first_secret; i; i = entries_secret(e, i)->next_of_key)
        hide(e, i);
}

void entries_free_secrets(struct entries *e, uint32_t key)
{
    uint32_t number = entries_key(e, key)->first_secret;

    while (number) {
        uint32_t next = entries_secret(e, number)->next_of_key;
        slab_give(&e->secrets, number);
        number = next;
    }
    entries_key(e, key)->first_secret = 0;
}

size_t entries_bytes(const struct entries *e)
{
    return slab_bytes(&e->keys) + slab_bytes(&e->secrets) + rights_bytes() +
           e->n_persons * PERSON_BYTES;
}
