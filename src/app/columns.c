/* Aligned columns. */
#include "app/columns.h"

#include <string.h>
#include <utf8proc.h>

#include "base/banned.h"

enum { GAP = 2, LAST_COLUMN_LEAST = 24, OWN_LINE_INDENT = 4 };

struct columns_row {
    struct columns_row *next;
    struct cell cells[COLUMNS_MAX];
};

static const char *const tints[] = {
    [TINT_NONE] = "",         [TINT_DIM] = "\033[2m",  [TINT_BOLD] = "\033[1m",
    [TINT_GOOD] = "\033[32m", [TINT_BAD] = "\033[31m", [TINT_NOTE] = "\033[36m",
};

/* One character: its bytes, and its columns. Bytes that are no UTF-8 come one by one. */
static size_t next_char(str text, size_t *columns)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.n, &c);

    *columns = n > 0 && c >= 0x20 && c != 0x7f ? (size_t)utf8proc_charwidth(c) : 1;
    return n > 0 ? (size_t)n : 1;
}

size_t text_width(str text)
{
    size_t sum = 0, columns;

    while (text.n) {
        text = str_sub(text, next_char(text, &columns), text.n);
        sum += columns;
    }
    return sum;
}

static bool is_steering(str c)
{
    unsigned char first = (unsigned char)c.p[0];

    /* Controls of ASCII, and those of Latin-1, which are two bytes. */
    return first < 0x20 || first == 0x7f || (c.n == 1 && first >= 0x80) ||
           (c.n == 2 && first == 0xc2 && (unsigned char)c.p[1] < 0xa0);
}

static void put_printable(struct buf *out, str text)
{
    size_t columns;

    while (text.n) {
        str c = str_sub(text, 0, next_char(text, &columns));
        buf_put(out, is_steering(c) ? S("?") : c);
        text = str_sub(text, c.n, text.n);
    }
}

void put_tinted(struct buf *out, str text, enum tint tint, bool is_coloured)
{
    bool is_tinted = is_coloured && tint != TINT_NONE && text.n;

    if (is_tinted)
        buf_put(out, str_of(tints[tint]));
    put_printable(out, text);
    if (is_tinted)
        buf_put(out, S("\033[0m"));
}

static void put_spaces(struct buf *out, size_t n)
{
    while (n--)
        buf_put_byte(out, ' ');
}

void columns_init(struct columns *table, struct arena *arena, size_t n)
{
    *table = (struct columns){.arena = arena, .n = n};
}

void columns_row(struct columns *table, const struct cell *cells)
{
    struct columns_row *row = ARENA_NEW(table->arena, struct columns_row);

    memcpy(row->cells, cells, table->n * sizeof *cells);
    for (size_t i = 0; i < table->n; i++) {
        size_t width = text_width(cells[i].text);
        table->widths[i] = width > table->widths[i] ? width : table->widths[i];
    }
    if (table->last)
        table->last->next = row;
    else
        table->first = row;
    table->last = row;
}

/* As many whole words as go into `width`, one at least; *rest is what follows the space. */
static str cut_line(str *rest, size_t width)
{
    str whole = *rest;
    size_t fits = 0, at = 0, n;

    for (size_t column = 0; at < whole.n; at += n, column++) {
        size_t columns;
        n = next_char(str_sub(whole, at, whole.n), &columns);
        if (whole.p[at] == ' ' && (column <= width || fits == 0))
            fits = at;
        if (column >= width && fits)
            break;
    }
    if (at >= whole.n || fits == 0) {
        *rest = STR_NONE;
        return whole;
    }
    *rest = str_sub(whole, fits + 1, whole.n);
    return str_sub(whole, 0, fits);
}

static void put_line_end(struct buf *out, size_t indent)
{
    buf_put_byte(out, '\n');
    put_spaces(out, indent);
}

/* In the room that is left of the line, or on lines of its own where there is next to none. */
static void put_last(const struct columns *table, const struct cell *cell, size_t indent,
                     struct buf *out)
{
    size_t room = table->width > indent ? table->width - indent : 0;
    bool is_wide = table->width > 0 && text_width(cell->text) > room;
    str rest = cell->text;

    if (is_wide && room < LAST_COLUMN_LEAST) {
        indent = OWN_LINE_INDENT;
        room = table->width > indent ? table->width - indent : SIZE_MAX;
        put_line_end(out, indent);
    }
    while (rest.n) {
        put_tinted(out, cut_line(&rest, is_wide ? room : SIZE_MAX), cell->tint, table->is_coloured);
        if (rest.n)
            put_line_end(out, indent);
    }
    buf_put_byte(out, '\n');
}

static void put_row(const struct columns *table, const struct cell *cells, struct buf *out)
{
    size_t last = table->n - 1;
    size_t indent = 0;

    for (size_t i = 0; i < last; i++) {
        put_tinted(out, cells[i].text, cells[i].tint, table->is_coloured);
        put_spaces(out, table->widths[i] + GAP - text_width(cells[i].text));
        indent += table->widths[i] + GAP;
    }
    put_last(table, &cells[last], indent, out);
}

void columns_write(const struct columns *table, struct buf *out)
{
    for (const struct columns_row *row = table->first; row; row = row->next)
        put_row(table, row->cells, out);
}
