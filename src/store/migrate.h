/*
 * The schema, as numbered migrations that are part of the binary. Each runs once, in a transaction
 * of its own, and is recorded with the SHA-256 of its text: one that has run is never edited. Where
 * the engines differ, a migration has a text for each.
 */
#ifndef SALLYPORT_STORE_MIGRATE_H
#define SALLYPORT_STORE_MIGRATE_H

#include "store/store.h"

struct migration {
    int number; /* from 1, without gaps */
    const char *name;
    const char *sql;
    const char *postgres; /* NULL: sql is for both engines */
};

/* Written by script/lib/embed-migrations.py from src/store/migrations. */
extern const struct migration migrations[];
extern const size_t n_migrations;

/* The SHA-256 of its text for one of the engines, in hex, as it is recorded. */
str migration_digest(struct arena *arena, const struct migration *m, bool is_for_postgres);

/*
 * Run what has not run yet.
 *
 * E_STORE_DOWN  the schema is newer than ours, a recorded migration is not the one we have, or one
 *               failed; cx->failure.detail is a sentence for the operator
 */
enum err migrate(struct cx *cx);

/* How many are recorded, all of them known to be ours; fails as migrate() does. */
enum err migrate_count(struct cx *cx, struct tx *tx, size_t *out);

/* Run those up to `number` that have not run, inside of a transaction. */
enum err migrate_in_tx(struct cx *cx, struct tx *tx, size_t number);

#endif
