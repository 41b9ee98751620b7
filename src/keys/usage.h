/*
 * How often keys were used since that was last written down. Inside keys/ only.
 *
 * A key is in the list of used ones from its first use on, until its count is taken; so a second's
 * flush costs what was used in it, not what is in memory.
 */
#ifndef SALLYPORT_KEYS_USAGE_H
#define SALLYPORT_KEYS_USAGE_H

#include "keys/entries.h"

struct usage {
    str id;
    int64_t requests;
    int64_t last_at_ms;
    str last_ip;
};

/* Usage that has no key in memory to stay with. */
struct stashed {
    struct packed_id id;
    uint32_t requests;
    int64_t last_at_ms;
    struct net_addr addr;
};

struct used {
    _Atomic uint32_t first; /* of the list, the latest first */
    uint32_t taking;        /* the rest of a list that was taken off; under the lock, as is: */
    struct stashed *stash;
    size_t n_stashed, stash_room;
};

/* Within a read section. *count, unless NULL: how often it was used, this time included. */
void usage_note(struct used *used, struct cached_key *key, uint32_t number, int64_t now_ms,
                const struct net_addr *client, int64_t *count);

/* How often it was used, and when last. */
void usage_count(struct cached_key *key, int64_t *count, int64_t *last_at_ms);

/* Under the lock: what the store has of it. */
void usage_learn(struct cached_key *key, int64_t n_stored, int64_t last_at_ms);

/* ---- under the lock ---- */

/* Up to max lines into list (texts in the arena); returns how many. */
size_t usage_take(struct used *used, struct entries *entries, struct arena *arena,
                  struct usage *list, size_t max);

/* Count them again: with their keys, or in the stash. */
void usage_give_back(struct used *used, struct entries *entries, const struct usage *list,
                     size_t n);

/* All that is counted moves to the stash: no key is in the list any more. */
void usage_stash(struct used *used, struct entries *entries);

void usage_stop(struct used *used);

#endif
