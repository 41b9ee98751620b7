/* Allocation that never returns NULL, and wiping. */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

void *mem_new(size_t bytes)
{
    return mem_new_array(1, bytes);
}

void *mem_new_array(size_t count, size_t bytes_each)
{
    void *p = calloc(count ? count : 1, bytes_each ? bytes_each : 1);

    if (!p) {
        fprintf(stderr, "sallyport: out of memory (%zu x %zu bytes)\n", count, bytes_each);
        abort();
    }
    return p;
}

void mem_wipe(void *p, size_t bytes)
{
    if (p && bytes)
        explicit_bzero(p, bytes);
}

void mem_wipe_free(void *p)
{
    if (!p)
        return;
    mem_wipe(p, malloc_usable_size(p));
    free(p);
}
