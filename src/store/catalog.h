/*
 * A store as a whole, for what copies it: which tables it has, by the engine's own word, and which
 * schema that is; so that a later migration needs no list brought up to date.
 */
#ifndef SALLYPORT_STORE_CATALOG_H
#define SALLYPORT_STORE_CATALOG_H

#include "store/store.h"

/* ---- opening, other than to serve ---- */

/*
 * Open what another process may be serving: without a lock, without migrations; nothing is written.
 * Only store_read works on it. SQLite: its reader's files (-wal, -shm) may appear beside the
 * database.
 *
 * E_STORE_DOWN  as store_open; also if there is no database
 */
enum err store_open_reading(struct arena *arena, const struct store_options *options,
                            struct store **out, str *why);

/* As store_open, with its lock, but the schema stays as it is. */
enum err store_open_bare(struct arena *arena, const struct store_options *options,
                         struct store **out, str *why);

/* "sqlite", "postgresql" */
str store_engine(const struct store *store);

/* ---- the schema ---- */

/* The newest number this binary knows. */
int64_t schema_newest(void);

/*
 * The number of the schema; 0: this store has had no migration.
 *
 * E_STORE_DOWN  it is newer than ours, or of another build; the detail is a sentence
 */
enum err schema_find(struct cx *cx, struct tx *tx, int64_t *out);

/* Run the migrations up to that number, as part of this transaction. Nobody else does meanwhile. */
enum err schema_raise(struct cx *cx, struct tx *tx, int64_t number);

/* ---- the tables ---- */

enum column_type { COLUMN_INT, COLUMN_TEXT, COLUMN_BLOB };

struct column {
    str name;
    enum column_type type;
    int key_place; /* in the primary key, from 1; 0: not part of it */
};

struct table {
    str name;
    struct column *columns; /* in the order they were made in */
    size_t n_columns;
    str *parents; /* tables its foreign keys name, other than itself */
    size_t n_parents;
};

struct catalog {
    struct table *tables; /* no table before one that its rows refer to; else by name */
    size_t n_tables;
};

/*
 * All tables but the record of migrations. Texts live in the arena given.
 *
 * E_INTERNAL_ERROR  a column has a type that is none of ours, or tables refer to each other in a
 *                   circle: a migration that no store can be copied with
 */
enum err catalog_read(struct cx *cx, struct tx *tx, struct arena *arena, struct catalog *out);

/* NULL: there is none. */
const struct table *catalog_find(const struct catalog *catalog, str name);

#endif
