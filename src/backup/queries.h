/* The statements of backup/, made from the catalogue's names. Inside backup/ only. */
#ifndef SALLYPORT_BACKUP_QUERIES_H
#define SALLYPORT_BACKUP_QUERIES_H

#include "backup/format.h"

/* The statements for one table; they live in the arena they were made in. */
struct table_sql {
    const char *first_page; /* $1: how many rows */
    const char *next_page;  /* $2 …: the primary key of the last row before it */
    const char *count;
    const char *any;
    const char *insert_many; /* rows_at_once rows */
    const char *insert_one;
    size_t rows_at_once;
    size_t n_keys; /* columns of the primary key */
};

/* E_INTERNAL_ERROR: the table has no primary key. */
enum err table_sql_make(struct cx *cx, struct arena *arena, const struct table *t,
                        struct table_sql *out);

/*
 * Values of the row that stands, as loans until the next.
 *
 * E_INTERNAL_ERROR  one is not of its column's type
 */
enum err table_row_values(struct cx *cx, const struct rows *rows, const struct table *t,
                          struct bind *values);

#endif
