/*
 * A byte buffer that grows up to a maximum given when it is made, and is wiped when dropped.
 *
 * Writing past the maximum sets is_full and drops the rest, so that a writer checks once, at the
 * end, and not after every piece.
 */
#ifndef SALLYPORT_BASE_BUF_H
#define SALLYPORT_BASE_BUF_H

#include "base/drop.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
    bool is_full;
    bool is_lent; /* the memory is the caller's */
};

void buf_init(struct buf *b, size_t max_bytes);

/* In memory that is there already, which outlives the buffer; it never grows. The maximum is one
 * byte less than bytes, which are one or more. */
void buf_init_on(struct buf *b, void *memory, size_t bytes);
void buf_drop(struct buf *b); /* wipes, frees, leaves an empty buffer of the same maximum */

void buf_put(struct buf *b, str s);
void buf_put_byte(struct buf *b, char c);
void buf_put_int(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for n more bytes at the end, or NULL (is_full); buf_grown(n) then counts them in. */
char *buf_room(struct buf *b, size_t n);
void buf_grown(struct buf *b, size_t n);

/* Forget the first n bytes, moving the others to the front. */
void buf_shift(struct buf *b, size_t n);

/* Forget everything and wipe it; the memory stays. */
void buf_clear(struct buf *b);

str buf_str(const struct buf *b);

#endif
