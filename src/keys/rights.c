/* Interned by their bytes: a record without pointers, written the same way for equal rights. */
#include "keys/rights.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/hash.h"

/* What is the same in all keys of it; zeroed before it is filled, since padding is compared too. */
struct content {
    int64_t revoked_at_ms;
    int64_t not_before_ms;
    uint64_t scopes;
    int64_t requests;
    int64_t window_ms;
    uint32_t api;
    uint32_t algorithm;
    uint32_t n_cidrs;
    bool is_active;
    bool employer_is_active;
    bool employer_is_approved;
    bool person_is_inactive;
    bool is_instance;
    uint8_t employer_bytes;
    char employer_id[64];
    struct places places;
    struct net_cidr cidrs[];
};

struct shared {
    struct rights rights;
    UT_hash_handle hh; /* by content */
    uint32_t n_holders;
    struct content content; /* the last: its cidrs follow */
};

static struct shared *all;
static size_t bytes;

static size_t content_bytes(const struct key *key)
{
    return sizeof(struct content) + key->n_cidrs * sizeof(struct net_cidr);
}

static void fill(struct content *c, const struct key_row *row)
{
    const struct key *key = &row->key;

    c->revoked_at_ms = key->revoked_at_ms;
    c->not_before_ms = key->not_before_ms;
    c->scopes = key->scopes.bits;
    c->requests = key->rate.requests;
    c->window_ms = key->rate.window_ms;
    c->api = key->api;
    c->algorithm = key->rate.algorithm;
    c->n_cidrs = (uint32_t)key->n_cidrs;
    c->is_active = key->is_active;
    c->employer_is_active = row->employer_is_active;
    c->employer_is_approved = row->employer_is_approved;
    c->person_is_inactive = row->person_is_inactive;
    c->is_instance = key->is_instance;
    c->places = row->places;
    c->employer_bytes =
        (uint8_t)(key->employer_id.n < sizeof c->employer_id ? key->employer_id.n
                                                             : sizeof c->employer_id);
    memcpy(c->employer_id, key->employer_id.p, c->employer_bytes);
    if (key->n_cidrs)
        memcpy(c->cidrs, key->cidrs, key->n_cidrs * sizeof *c->cidrs);
}

static struct rights rights_of(const struct content *c)
{
    return (struct rights){
        .policy =
            {
                .api = c->api,
                .employer_id = {c->employer_id, c->employer_bytes},
                .revoked_at_ms = c->revoked_at_ms,
                .is_active = c->is_active,
                .not_before_ms = c->not_before_ms,
                .employer_is_active = c->employer_is_active,
                .employer_is_approved = c->employer_is_approved,
                .person_is_inactive = c->person_is_inactive,
                .cidrs = c->cidrs,
                .n_cidrs = c->n_cidrs,
                .scopes = {c->scopes},
                .places = c->places.is_limited ? &c->places : NULL,
                .rate = {c->requests, c->window_ms, (enum rate_algorithm)c->algorithm},
            },
        .is_instance = c->is_instance,
    };
}

const struct rights *rights_hold(const struct key_row *row)
{
    size_t n = content_bytes(&row->key);
    struct shared *made = mem_new(offsetof(struct shared, content) + n);
    struct shared *found;

    fill(&made->content, row);
    HASH_FIND(hh, all, &made->content, n, found);
    if (found) {
        free(made);
    } else {
        found = made;
        found->rights = rights_of(&found->content);
        HASH_ADD_KEYPTR(hh, all, &found->content, n, found);
        bytes += offsetof(struct shared, content) + n;
    }
    found->n_holders++;
    return &found->rights;
}

void rights_release(const struct rights *rights)
{
    struct shared *shared = (struct shared *)(void *)rights; /* its first member */

    if (--shared->n_holders)
        return;
    HASH_DEL(all, shared);
    bytes -= offsetof(struct shared, content) + sizeof(struct content) +
             shared->content.n_cidrs * sizeof(struct net_cidr);
    free(shared);
}

size_t rights_bytes(void)
{
    return bytes;
}
