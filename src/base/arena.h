/*
 * Memory for the life of one request, freed (and wiped) all at once.
 *
 * Never returns NULL. Under AddressSanitizer each allocation is its own block, so that overruns
 * are seen. One thread at a time.
 */
#ifndef SALLYPORT_BASE_ARENA_H
#define SALLYPORT_BASE_ARENA_H

#include "base/drop.h"
#include "base/str.h"

struct arena;

struct arena *arena_new(void);

/*
 * An arena that begins in memory which is there already, outlives it, and is aligned for any type;
 * only what does not fit there comes from the heap (under AddressSanitizer all of it does).
 */
struct arena *arena_new_on(void *memory, size_t bytes);

void arena_reset(struct arena *a); /* wipes; keeps the first block if it is a small one */
void arena_drop(struct arena **a);

void *arena_alloc(struct arena *a, size_t bytes); /* zeroed, aligned for any type */
void *arena_array(struct arena *a, size_t count, size_t bytes_each);

/* Copies are NUL-terminated too, the NUL not counted; STR_NONE stays STR_NONE. */
str arena_dup(struct arena *a, str s);
str arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif
