/*
 * A filter over the digests of all secrets: what it does not have, does not exist. Inside keys/.
 *
 * A blocked Bloom filter: one block of 512 bits for each digest, six bits in it, 12 bits for each
 * digest it was made for; full, it takes about one unknown digest in 100 for a known one
 * (test_filter.c measures). Digests are spread evenly, so their own bytes choose the bits.
 *
 * Adding and asking are safe from any thread.
 */
#ifndef SALLYPORT_KEYS_FILTER_H
#define SALLYPORT_KEYS_FILTER_H

#include "crypto/digest.h"

struct filter;

struct filter *filter_new(size_t digests_max);
void filter_drop(struct filter **filter);

void filter_add(struct filter *filter, const struct sha256 *digest);
bool filter_has(const struct filter *filter, const struct sha256 *digest);

/* More were added than it was made for. */
bool filter_is_full(const struct filter *filter);
size_t filter_bytes(const struct filter *filter);

#endif
