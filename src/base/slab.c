/* Chunks of SLAB_CHUNK things; the list of chunks has room for all from the start. */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

static size_t chunks_of(uint32_t numbers)
{
    return (size_t)numbers / SLAB_CHUNK + 1;
}

void slab_start(struct slab *slab, size_t bytes_each, uint32_t max)
{
    *slab = (struct slab){.bytes_each = bytes_each, .max = max};
    slab->chunks = mem_new_array(chunks_of(max), sizeof *slab->chunks);
}

void slab_stop(struct slab *slab)
{
    for (size_t i = 0; slab->chunks && i < chunks_of(slab->max); i++)
        free(slab->chunks[i]);
    free(slab->chunks);
    *slab = (struct slab){0};
}

static uint32_t take_spare(struct slab *slab)
{
    uint32_t number = slab->spare;
    void *thing = slab_at(slab, number);

    memcpy(&slab->spare, thing, sizeof slab->spare);
    memset(thing, 0, sizeof slab->spare);
    return number;
}

static uint32_t take_new(struct slab *slab)
{
    if (slab->n_used == slab->max)
        return 0;
    uint32_t number = ++slab->n_used;
    void **chunk = &slab->chunks[number / SLAB_CHUNK];
    if (!*chunk)
        *chunk = mem_new_array(SLAB_CHUNK, slab->bytes_each);
    return number;
}

uint32_t slab_take(struct slab *slab)
{
    uint32_t number = slab->spare ? take_spare(slab) : take_new(slab);

    slab->n += number != 0;
    return number;
}

void slab_give(struct slab *slab, uint32_t number)
{
    void *thing = slab_at(slab, number);

    mem_wipe(thing, slab->bytes_each);
    memcpy(thing, &slab->spare, sizeof slab->spare);
    slab->spare = number;
    slab->n--;
}

size_t slab_bytes(const struct slab *slab)
{
    return chunks_of(slab->n_used) * SLAB_CHUNK * slab->bytes_each;
}
