/* Tables for people: aligned columns, the first row their names; bytes that would steer a terminal
 * are shown as "?". */
#ifndef SALLYPORT_APP_COLUMNS_H
#define SALLYPORT_APP_COLUMNS_H

#include "base/arena.h"
#include "base/buf.h"

enum { COLUMNS_MAX = 8 };

enum tint { TINT_NONE, TINT_DIM, TINT_BOLD, TINT_GOOD, TINT_BAD, TINT_NOTE };

struct cell {
    str text;
    enum tint tint;
};

struct columns {
    struct arena *arena;
    size_t n;
    size_t width; /* of the terminal; the last column is wrapped to it. 0: no end */
    bool is_coloured;
    struct columns_row *first, *last;
    size_t widths[COLUMNS_MAX];
};

void columns_init(struct columns *table, struct arena *arena, size_t n);

/* n cells; their texts are loans until columns_write. */
void columns_row(struct columns *table, const struct cell *cells);
void columns_write(const struct columns *table, struct buf *out);

/* Printed width of UTF-8 text, in columns of a terminal. */
size_t text_width(str text);

/* The text in its tint, safe for a terminal. */
void put_tinted(struct buf *out, str text, enum tint tint, bool is_coloured);

#endif
