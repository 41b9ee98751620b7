/*
 * What an engine provides to store.c, and nothing a capability may use. A store, a transaction and
 * a set of rows of an engine begin with the structs below.
 *
 * An engine runs work through engine_call. It never retries by itself: store.c does that when an
 * engine answers E_STORE_BUSY.
 */
#ifndef SALLYPORT_STORE_ENGINE_H
#define SALLYPORT_STORE_ENGINE_H

#include "store/store.h"

enum { STORE_DOWN_RETRY_S = 5 };

struct engine;

struct store {
    const struct engine *engine;
    bool is_shared;     /* as store_is_shared */
    store_work closing; /* as store_set_closing, or NULL */
};

/* What tx_announce was called with; in the arena of tx->cx. */
struct announcement {
    struct announcement *next;
    const char *kind;
    str subject;
};

struct tx {
    const struct engine *engine;
    struct cx *cx;
    enum err failed; /* the first statement that failed ends the transaction; else E_OK */
    bool closes;     /* as tx_closes */
    int open_rows;
    struct announcement *announced; /* the last first; on a shared store only */
};

struct rows {
    const struct engine *engine;
    struct tx *tx;
};

struct engine {
    str scheme; /* of its URLs: "sqlite" */

    /* As store_open, but without the migrations. */
    enum err (*open)(struct arena *arena, const struct store_options *options, struct store **out,
                     str *why);
    /* As store_open_reading. */
    enum err (*open_reading)(struct arena *arena, const struct store_options *options,
                             struct store **out, str *why);
    void (*drop)(struct store *store);

    /* One try of store_run, store_run_large, store_read. */
    enum err (*run)(struct store *store, struct cx *cx, store_work work, void *arg, bool is_large);
    enum err (*read)(struct store *store, struct cx *cx, store_work work, void *arg);
    enum err (*check)(struct store *store, struct cx *cx);
    void (*count)(struct store *store, struct store_stats *out);

    enum err (*exec)(struct tx *tx, const char *sql, struct binds binds, int64_t *changed);
    enum err (*query)(struct tx *tx, const char *sql, struct binds binds, struct rows **out);

    /* Several statements without values, as a migration has them. */
    enum err (*script)(struct tx *tx, const char *sql);

    /* As tx_lock. */
    enum err (*lock)(struct tx *tx, const char *kind, str id);

    /* Nobody else changes the schema until the end of this transaction. */
    enum err (*lock_schema)(struct tx *tx);

    bool (*next)(struct rows *rows, enum err *e);
    void (*close)(struct rows *rows);
    int64_t (*int_at)(const struct rows *rows, int column);
    str (*text_at)(const struct rows *rows, int column);

    /* The catalogue. Each column of each table, a table's together and in order: table, column,
     * type, place in the primary key or 0. Each foreign key: its table, the table it names. */
    const char *columns_sql;
    const char *parents_sql;
};

/* For one that wraps another; NULL: no engine has this URL's scheme. */
const struct engine *engine_of(str url);

/*
 * Run work once in an open transaction: empties cx->failure first, and answers tx->failed where
 * work overlooked it. The engine then commits on E_OK, and rolls back on anything else.
 */
enum err engine_call(struct tx *tx, store_work work, void *arg);

/* E_STORE_DOWN with Retry-After; the detail is for the caller of the API. */
enum err engine_down(struct cx *cx, const char *detail);

extern const struct engine sqlite_engine;
extern const struct engine postgres_engine;

#endif
