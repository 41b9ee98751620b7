#include "keys/filter.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

enum { BLOCK_BITS = 512, WORD_BITS = 64, BITS_EACH = 12, BITS_SET = 6 };

struct filter {
    uint64_t n_blocks;
    size_t max;
    _Atomic size_t n;
    _Atomic uint64_t words[];
};

struct filter *filter_new(size_t digests_max)
{
    uint64_t n_blocks = (uint64_t)digests_max * BITS_EACH / BLOCK_BITS + 1;
    struct filter *filter = mem_new(sizeof *filter + n_blocks * BLOCK_BITS / 8);

    filter->n_blocks = n_blocks;
    filter->max = digests_max;
    return filter;
}

void filter_drop(struct filter **filter)
{
    free(*filter);
    *filter = NULL;
}

/* Bytes 4 to 7 choose the block, those from 8 on the bits; the first four are the key table's. */
static size_t first_word(const struct filter *filter, const struct sha256 *digest)
{
    uint32_t hash;

    memcpy(&hash, digest->bytes + 4, sizeof hash);
    return (size_t)((hash * filter->n_blocks) >> 32) * (BLOCK_BITS / WORD_BITS);
}

static unsigned bit_of(const struct sha256 *digest, int i)
{
    uint16_t hash;

    memcpy(&hash, digest->bytes + 8 + 2 * i, sizeof hash);
    return hash % BLOCK_BITS;
}

void filter_add(struct filter *filter, const struct sha256 *digest)
{
    size_t word = first_word(filter, digest);

    for (int i = 0; i < BITS_SET; i++) {
        unsigned bit = bit_of(digest, i);
        atomic_fetch_or_explicit(&filter->words[word + bit / WORD_BITS],
                                 UINT64_C(1) << bit % WORD_BITS, memory_order_release);
    }
    atomic_fetch_add(&filter->n, 1);
}

bool filter_has(const struct filter *filter, const struct sha256 *digest)
{
    size_t word = first_word(filter, digest);

    for (int i = 0; i < BITS_SET; i++) {
        unsigned bit = bit_of(digest, i);
        uint64_t bits =
            atomic_load_explicit(&filter->words[word + bit / WORD_BITS], memory_order_acquire);
        if (!(bits >> bit % WORD_BITS & 1))
            return false;
    }
    return true;
}

bool filter_is_full(const struct filter *filter)
{
    return atomic_load(&filter->n) > filter->max;
}

size_t filter_bytes(const struct filter *filter)
{
    return filter->n_blocks * BLOCK_BITS / 8;
}
