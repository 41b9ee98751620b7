/*
 * The only door to what is kept: SQLite or PostgreSQL behind the same functions.
 *
 * Work is a function that reads, writes and decides inside a transaction, and may run again; it has
 * no other effect. Statements are written with $1, $2 …, one per function in a capability's
 * queries.c, as static const char[], so that an engine can keep them prepared by their address.
 */
#ifndef SALLYPORT_STORE_STORE_H
#define SALLYPORT_STORE_STORE_H

#include "base/cx.h"
#include "base/drop.h"
#include "base/str.h"

struct store;
struct tx;
struct rows;

struct store_options {
    const char *url; /* "sqlite:var/sallyport.db", "postgresql://host/database" */
    int readers;     /* SQLite: connections for reading; 0 = 4 */
    int connections; /* PostgreSQL: connections; 0 = 16 */
};

/*
 * Open, and bring the schema up to date. SQLite: take the lock, since one process owns the file.
 * PostgreSQL: several processes share the database.
 *
 * why   on failure: one sentence for the operator, in the caller's arena
 *
 * E_STORE_DOWN  cannot be opened, is in use by another process, or its schema is newer than ours
 */
enum err store_open(struct arena *arena, const struct store_options *options, struct store **out,
                    str *why);
void store_drop(struct store **store);

typedef enum err (*store_work)(struct cx *cx, struct tx *tx, void *arg);

/*
 * Run work in a read-write transaction; E_OK means that it is durable. A failure of work is rolled
 * back and returned as it is; nothing of it remains. Runs work again on E_STORE_BUSY.
 * Blocks; never called on an I/O thread, nor from inside work.
 *
 * On SQLite many calls share one commit: each has its savepoint, and all are answered after the
 * commit. work then runs on the writer's thread, while the caller waits.
 *
 * On PostgreSQL work has a connection of its own, in READ COMMITTED: each statement sees what was
 * committed before it. What a rule relies on is locked first, with tx_lock.
 *
 * E_STORE_DOWN  nothing was written; but on PostgreSQL, where the connection was lost while the
 *               change was being committed, it may have been: failure.detail says so
 */
enum err store_run(struct cx *cx, store_work work, void *arg);

/*
 * What belongs into the transaction of a request's change without being a part of it. While
 * cx->guard is set, store_run and store_run_large call `begins` before work and `ends` after it;
 * a failure of either is one of work. Once that is durable cx->guard is NULL: it is for one change.
 */
struct store_guard {
    enum err (*begins)(struct cx *cx, struct tx *tx, struct store_guard *guard);
    enum err (*ends)(struct cx *cx, struct tx *tx, struct store_guard *guard);
};

/* The same for work of many rows: it gets a commit of its own, so that others do not wait on it. */
enum err store_run_large(struct cx *cx, store_work work, void *arg);

/* Run work against one unchanging state; writing in it fails. */
enum err store_read(struct cx *cx, store_work work, void *arg);

/*
 * Work that belongs before a commit: where something in the transaction has called tx_closes, it
 * runs once more at its end, for all that share the commit. If it fails, so does the commit.
 *
 * On SQLite only, where nobody else commits meanwhile; on PostgreSQL it never runs. Set once,
 * before the first tx_closes.
 */
void store_set_closing(struct store *store, store_work closing);
void tx_closes(struct tx *tx);

/*
 * Something that other processes of a shared store may have in memory has changed: they hear of it
 * by store/watch.h once this transaction is committed, in the order of the commits. Called in the
 * work that makes the change; written at its end, so that nobody waits longer than for a commit.
 * Does nothing on SQLite, which one process has open.
 *
 * kind  a literal
 */
void tx_announce(struct tx *tx, const char *kind, str subject);

/* Is the store answering? For /readyz. */
enum err store_check(struct cx *cx);

/* May other processes change what is kept, so that what was read is true only for the moment? */
bool store_is_shared(const struct store *store);

/* Since it was opened, for metrics. */
struct store_stats {
    int64_t requests; /* store_run and store_run_large, each try */
    int64_t commits;  /* fewer than requests where several shared one */
    int64_t failed_commits;
    int64_t checkpoints;
};

void store_count(struct store *store, struct store_stats *out);

/* ---- statements ---- */

enum bind_kind { BIND_NULL, BIND_INT, BIND_TEXT, BIND_BLOB };

struct bind {
    enum bind_kind kind;
    int64_t number;
    str bytes;
};

struct binds {
    const struct bind *list;
    size_t n;
};

/* TEXT(STR_NONE) binds NULL. Text that is not UTF-8, or holds a NUL: E_INVALID_REQUEST. */
#define INT(value)  ((struct bind){.kind = BIND_INT, .number = (value)})
#define TEXT(value) ((struct bind){.kind = BIND_TEXT, .bytes = (value)})
#define BLOB(p_, n_)                                                                               \
    ((struct bind){.kind = BIND_BLOB, .bytes = {.p = (const char *)(p_), .n = (n_)}})

/* $1 is the first. BIND() binds nothing. */
#define BIND(...)                                                                                  \
    ((struct binds){                                                                               \
        .list = (const struct bind[]){__VA_ARGS__ __VA_OPT__(, ){.kind = BIND_NULL}},              \
        .n = sizeof((const struct bind[]){__VA_ARGS__ __VA_OPT__(, ){.kind = BIND_NULL}}) /        \
                 sizeof(struct bind) -                                                             \
             1})

/*
 * A statement that fails ends the transaction, on every engine: later ones fail alike, and work
 * that answers E_OK all the same gets that failure. To go on past a row that is already there,
 * write ON CONFLICT DO NOTHING and look at `changed`.
 */

/* changed may be NULL: rows inserted, updated or deleted. E_STORE_CONFLICT: a unique constraint. */
enum err tx_exec(struct tx *tx, const char *sql, struct binds binds, int64_t *changed);

/*
 * Nobody else passes tx_lock of the same kind and id until this transaction ends: for a rule about
 * several rows, read before they are written. Before the first of those statements, and in one
 * order everywhere. On SQLite there is one writer, so it does nothing.
 */
enum err tx_lock(struct tx *tx, const char *kind, str id);

/* Of the texts of one statement, the one for this engine: where the two truly differ. */
const char *tx_either(const struct tx *tx, const char *sqlite, const char *postgres);

/* The caller declares it DROP(rows); one set of rows per statement and transaction at a time. */
enum err tx_query(struct tx *tx, const char *sql, struct binds binds, struct rows **out);

/* True: a row is there, its values are loans until the next call. False: end, or *e is set. */
bool rows_next(struct rows *rows, enum err *e);
void rows_drop(struct rows **rows);

int64_t rows_int(const struct rows *rows, int column); /* NULL reads as 0 */
str rows_text(const struct rows *rows, int column);    /* text or blob; NULL reads as STR_NONE */

/* One row of one number. E_ABSENT: no row. */
enum err tx_one_int(struct tx *tx, const char *sql, struct binds binds, int64_t *out);

#endif
