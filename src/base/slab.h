/*
 * Equal things by number, in memory that is taken as it is needed and reused, never moved and never
 * given back. Numbers are half the size of pointers, and there is no header before each thing.
 *
 * slab_at may be called from any thread for a number that reached it through an atomic load with
 * acquire; all else under the lock of whoever owns the slab.
 */
#ifndef SALLYPORT_BASE_SLAB_H
#define SALLYPORT_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum { SLAB_CHUNK = 1024 };

struct slab {
    void **chunks;
    size_t bytes_each;
    uint32_t max;
    uint32_t n_used; /* the highest number that was ever taken */
    uint32_t n;      /* taken now */
    uint32_t spare;  /* the first of those given back; each begins with the number of the next */
};

void slab_start(struct slab *slab, size_t bytes_each, uint32_t max);
void slab_stop(struct slab *slab);

/* Zeroed; numbers begin with 1. 0: max are taken. */
uint32_t slab_take(struct slab *slab);

/* Wiped. Nobody may look at it any more. */
void slab_give(struct slab *slab, uint32_t number);

static inline void *slab_at(const struct slab *slab, uint32_t number)
{
    return (char *)slab->chunks[number / SLAB_CHUNK] + number % SLAB_CHUNK * slab->bytes_each;
}

/* What it holds on to. */
size_t slab_bytes(const struct slab *slab);

#endif
