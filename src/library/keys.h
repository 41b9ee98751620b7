/*
 * The keys of a table, by the digest of their secrets: read without locks, changed under one.
 *
 * A key that is replaced or removed is freed when no reader can see it any more.
 */
#ifndef SALLYPORT_LIBRARY_KEYS_H
#define SALLYPORT_LIBRARY_KEYS_H

#include "crypto/digest.h"
#include "library/rules.h"

struct keys;

struct keys *keys_new(size_t digests_max);
void keys_drop(struct keys **keys); /* while nobody reads */

size_t keys_count(struct keys *keys);

/* False: digests_max are there, and this one is new. */
bool keys_put(struct keys *keys, const struct sha256 *digest, const struct library_key *key);

/* False: there is none. */
bool keys_remove(struct keys *keys, str id);

/* What a decision says, and of whom; ids end with NUL. */
struct judged {
    struct verdict verdict;
    struct decide_key policy; /* without its addresses */
    char id[SALLYPORT_ID_MAX_BYTES + 1];
    char owner_id[SALLYPORT_ID_MAX_BYTES + 1];
};

/* Decide and charge. False: there is no such key, and *out is as it was. */
bool keys_decide(struct keys *keys, const struct sha256 *digest, const struct decide_facts *facts,
                 struct judged *out);

#endif
