/* Request memory: a list of blocks, wiped and freed together. */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ONE_BLOCK_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ONE_BLOCK_EACH 1
#endif
#endif
#ifndef ARENA_ONE_BLOCK_EACH
#define ARENA_ONE_BLOCK_EACH 0
#endif

enum { ARENA_BLOCK_BYTES = 4096 };

struct block {
    struct block *next;
    size_t used;
    size_t cap;
    bool is_lent;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *newest;
    bool is_lent;
};

static struct block *block_new(size_t cap, struct block *next)
{
    struct block *b = mem_new(sizeof *b + cap);

    b->cap = cap;
    b->next = next;
    return b;
}

static void block_free(struct block *b)
{
    bool is_lent = b->is_lent;

    mem_wipe(b, sizeof *b + b->used);
    if (!is_lent)
        free(b);
}

struct arena *arena_new(void)
{
    return mem_new(sizeof(struct arena));
}

static size_t aligned(size_t bytes)
{
    size_t align = alignof(max_align_t);

    return (bytes + align - 1) / align * align;
}

struct arena *arena_new_on(void *memory, size_t bytes)
{
    size_t head = aligned(sizeof(struct arena));
    struct arena *a = memory;
    struct block *first = (struct block *)((char *)memory + head);

    assert(bytes > head + sizeof *first);
    *a = (struct arena){.is_lent = true};
    if (ARENA_ONE_BLOCK_EACH)
        return a;
    *first = (struct block){.cap = bytes - head - sizeof *first, .is_lent = true};
    memset(first->bytes, 0, first->cap);
    a->newest = first;
    return a;
}

void arena_reset(struct arena *a)
{
    struct block *b = a->newest;

    while (b && !b->is_lent && (b->next || b->cap > ARENA_BLOCK_BYTES || ARENA_ONE_BLOCK_EACH)) {
        struct block *next = b->next;
        block_free(b);
        b = next;
    }
    if (b) {
        mem_wipe(b->bytes, b->used);
        b->used = 0;
    }
    a->newest = b;
}

void arena_drop(struct arena **a)
{
    if (!*a)
        return;
    arena_reset(*a);
    if ((*a)->newest)
        block_free((*a)->newest);
    if (!(*a)->is_lent)
        free(*a);
    *a = NULL;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t need = aligned(bytes);
    struct block *b = a->newest;

    if (ARENA_ONE_BLOCK_EACH) {
        b = a->newest = block_new(bytes, b);
        need = bytes;
    } else if (!b || b->cap - b->used < need) {
        b = a->newest = block_new(need > ARENA_BLOCK_BYTES ? need : ARENA_BLOCK_BYTES, b);
    }
    void *p = b->bytes + b->used;
    b->used += need;
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t bytes_each)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, bytes_each, &bytes))
        abort();
    return arena_alloc(a, bytes);
}

str arena_dup(struct arena *a, str s)
{
    if (str_is_none(s))
        return s;
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (str){p, s.n};
}

/* Where the next allocation would be, and how much fits there; NULL: it will be in another block.
 */
static char *next_room(const struct arena *a, size_t *n)
{
    const struct block *b = a->newest;

    *n = !b || ARENA_ONE_BLOCK_EACH ? 0 : b->cap - b->used;
    return *n ? (char *)b->bytes + b->used : NULL;
}

/* Into what is left of the block first: to ask for the length alone costs as much as to print. */
str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_list again;
    size_t room;
    char *there = next_room(a, &room);

    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(there, room, format, args);
    va_end(args);
    if (n < 0)
        abort();
    bool fits = aligned((size_t)n + 1) <= room;
    if (there && !fits)
        mem_wipe(there, room); /* what is allocated is zero */
    char *p = arena_alloc(a, (size_t)n + 1);
    if (!fits)
        vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return (str){p, (size_t)n};
}
