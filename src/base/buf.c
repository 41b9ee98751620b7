/* Growing byte buffers with a ceiling. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

enum { BUF_FIRST_BYTES = 256 };

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_init_on(struct buf *b, void *memory, size_t bytes)
{
    /* vsnprintf insists on a NUL after what it writes. */
    *b = (struct buf){.p = memory, .cap = bytes - 1, .max = bytes - 1, .is_lent = true};
}

void buf_drop(struct buf *b)
{
    if (b->is_lent) {
        buf_clear(b);
        return;
    }
    if (b->p) {
        mem_wipe(b->p, b->cap);
        free(b->p);
    }
    buf_init(b, b->max);
}

/*
 * Not realloc: what it moves away from would be left unwiped. There is one byte more than cap, for
 * the NUL that vsnprintf insists on.
 */
static void grow_to(struct buf *b, size_t cap)
{
    char *p = mem_new(cap + 1);

    if (b->n)
        memcpy(p, b->p, b->n);
    if (b->p) {
        mem_wipe(b->p, b->cap);
        free(b->p);
    }
    b->p = p;
    b->cap = cap;
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->is_full || n > b->max - b->n) {
        b->is_full = true;
        return NULL;
    }
    if (!b->p || n > b->cap - b->n) {
        size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
        while (cap - b->n < n)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        grow_to(b, cap);
    }
    return b->p + b->n;
}

void buf_grown(struct buf *b, size_t n)
{
    b->n += n;
}

void buf_put(struct buf *b, str s)
{
    char *room = s.n ? buf_room(b, s.n) : NULL;

    if (!room)
        return;
    memcpy(room, s.p, s.n);
    b->n += s.n;
}

void buf_put_byte(struct buf *b, char c)
{
    char *room = buf_room(b, 1);

    if (!room)
        return;
    *room = c;
    b->n++;
}

/* By hand: each reply has several, and printf costs more than all the rest of a number. */
void buf_put_int(struct buf *b, int64_t value)
{
    char digits[STR_INT_BYTES];

    buf_put(b, (str){digits, str_write_int(value, digits)});
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_list again;

    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = n <= 0 ? NULL : buf_room(b, (size_t)n);
    if (room) {
        vsnprintf(room, (size_t)n + 1, format, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_shift(struct buf *b, size_t n)
{
    if (n >= b->n) {
        buf_clear(b);
        return;
    }
    size_t rest = b->n - n;
    memmove(b->p, b->p + n, rest);
    mem_wipe(b->p + rest, n);
    b->n = rest;
}

void buf_clear(struct buf *b)
{
    if (b->n)
        mem_wipe(b->p, b->n);
    b->n = 0;
    b->is_full = false;
}

str buf_str(const struct buf *b)
{
    return (str){b->p ? b->p : "", b->n};
}
