/* The PostgreSQL engine: a pool of connections, and one transaction on one of them for each call.
 */
#include <assert.h>

#include "store/postgres.h"

#include "base/banned.h"
#include "base/log.h"
#include "base/mem.h"

enum { CONNECTIONS_DEFAULT = 16, CONNECTIONS_MAX = 1000 };

struct pg_store {
    struct store store;
    struct pg_pool pool;
    atomic_llong n_requests, n_commits, n_failed_commits;
};

static struct pg_store *pg_store_of(struct store *store)
{
    return (struct pg_store *)store;
}

/* ---- one transaction ---- */

/* Nothing of the transaction stays; a connection that cannot say so is closed. */
static void roll_back(struct pg_conn *c)
{
    if (!c->db)
        return;
    PGresult *r = PQstatus(c->db) == CONNECTION_OK ? pg_do(c, "ROLLBACK") : NULL;
    bool is_clean = pg_is_good(r) && PQtransactionStatus(c->db) == PQTRANS_IDLE;
    PQclear(r);
    if (!is_clean && c->db)
        pg_conn_close(c);
}

/* An answer other than COMMIT, from a server that is still there, means rolled back. */
static enum err commit(struct pg_store *s, struct pg_tx *tx)
{
    struct pg_conn *c = tx->conn;
    struct cx *cx = tx->tx.cx;
    PGresult *r = pg_do(c, "COMMIT");
    enum err e = E_OK;

    if (pg_is_good(r) && strcmp(PQcmdStatus(r), "COMMIT") == 0) {
        PQclear(r);
        atomic_fetch_add(&s->n_commits, 1);
        return E_OK;
    }
    atomic_fetch_add(&s->n_failed_commits, 1);
    if (c->db && PQtransactionStatus(c->db) == PQTRANS_IDLE) {
        e = pg_is_good(r) ? engine_down(cx, "the database rolled the change back")
                          : pg_fault(tx, r, "COMMIT");
    } else {
        log_event(cx, LOG_ERROR, "store.commit_unknown",
                  F("reason", "the connection was lost while a change was being committed"));
        e = engine_down(cx, "The connection to the database was lost while the change was being "
                            "made durable: it may have been made. Look before repeating it.");
        if (c->db)
            pg_conn_close(c);
    }
    PQclear(r);
    return e;
}

static enum err run_on(struct pg_store *s, struct pg_tx *tx, store_work work, void *arg)
{
    static const char read[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    static const char write[] = "BEGIN ISOLATION LEVEL READ COMMITTED";
    const char *begin = tx->is_read ? read : write;
    PGresult *r = pg_do(tx->conn, begin);
    enum err e = pg_is_good(r) ? E_OK : pg_fault(tx, r, begin);

    PQclear(r);
    if (e == E_OK)
        e = engine_call(&tx->tx, work, arg);
    if (e == E_OK && !tx->is_read)
        e = commit(s, tx);
    else
        roll_back(tx->conn);
    tx->conn->waits_long = false;
    return e;
}

/*
 * A connection that was lost before its COMMIT was sent has changed nothing, so the work runs again
 * once, on a new one; all others were made before the loss, and are made anew too.
 */
static enum err run(struct pg_store *s, struct cx *cx, store_work work, void *arg, bool is_read)
{
    for (int tries = 1;; tries++) {
        struct pg_tx tx = {.tx = {.engine = &postgres_engine, .cx = cx}, .is_read = is_read};
        TRY(pg_pool_take(&s->pool, cx, &tx.conn));
        uint64_t generation = tx.conn->generation;
        enum err e = run_on(s, &tx, work, arg);
        bool is_first = generation == atomic_load(&s->pool.generation);
        if ((tx.is_lost || tx.is_stale || (e == E_STORE_DOWN && !tx.conn->db)) && is_first)
            pg_pool_renew(&s->pool);
        pg_pool_give(&s->pool, tx.conn);
        if (!tx.is_lost || tries == 2)
            return e;
    }
}

static enum err postgres_run(struct store *store, struct cx *cx, store_work work, void *arg,
                             bool is_large)
{
    (void)is_large; /* nobody waits for it */
    atomic_fetch_add(&pg_store_of(store)->n_requests, 1);
    return run(pg_store_of(store), cx, work, arg, false);
}

static enum err postgres_read(struct store *store, struct cx *cx, store_work work, void *arg)
{
    return run(pg_store_of(store), cx, work, arg, true);
}

/* ---- checking, counting, the schema ---- */

static enum err look(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "SELECT count(*) FROM schema_migration";
    int64_t n;

    (void)cx;
    (void)arg;
    return tx_one_int(tx, sql, BIND(), &n);
}

static enum err postgres_check(struct store *store, struct cx *cx)
{
    return postgres_read(store, cx, look, NULL);
}

static void postgres_count(struct store *store, struct store_stats *out)
{
    struct pg_store *s = pg_store_of(store);

    *out = (struct store_stats){
        .requests = atomic_load(&s->n_requests),
        .commits = atomic_load(&s->n_commits),
        .failed_commits = atomic_load(&s->n_failed_commits),
    };
}

/* Two names with one hash wait for each other, and nothing worse. */
static enum err postgres_lock(struct tx *tx, const char *kind, str id)
{
    static const char sql[] = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))";

    return pg_exec(tx, sql, BIND(TEXT(str_of(kind)), TEXT(id)), NULL);
}

/* Migrations may take as long as they need, and others wait for them as long. The number is the
 * word "sallyport", cut to eight bytes. */
static enum err postgres_lock_schema(struct tx *tx)
{
    static const char sql[] = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                              "SELECT pg_advisory_xact_lock(x'73616c6c79706f72'::bigint)";

    pg_tx_of(tx)->conn->waits_long = true;
    return pg_script(tx, sql);
}

/* ---- life ---- */

const char *postgres_url(struct store *store)
{
    return pg_store_of(store)->pool.url;
}

static int connections_wanted(int asked)
{
    if (asked <= 0)
        return CONNECTIONS_DEFAULT;
    return asked < CONNECTIONS_MAX ? asked : CONNECTIONS_MAX;
}

static void postgres_drop(struct store *store)
{
    pg_pool_stop(&pg_store_of(store)->pool);
    free(store);
}

static enum err postgres_open(struct arena *arena, const struct store_options *options,
                              struct store **out, str *why)
{
    struct pg_store *s = mem_new(sizeof *s);

    s->store = (struct store){.engine = &postgres_engine, .is_shared = true};
    enum err e = pg_pool_start(&s->pool, str_of(options->url),
                               connections_wanted(options->connections), arena, why);
    if (e != E_OK) {
        free(s);
        return e;
    }
    *out = &s->store;
    return E_OK;
}

static const char columns_sql[] =
    "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),"
    " coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)"
    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
    " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    " AND a.attnum > 0 AND NOT a.attisdropped"
    " ORDER BY c.relname::text COLLATE \"C\", a.attnum";

static const char parents_sql[] =
    "SELECT c.relname::text, p.relname::text FROM pg_constraint k"
    " JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid"
    " WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace";

/* A transaction that reads is READ ONLY, and takes no lock that a writer waits for: no way of
 * opening is needed beside the one. */
const struct engine postgres_engine = {
    .scheme = {"postgresql", 10},
    .open = postgres_open,
    .open_reading = postgres_open,
    .drop = postgres_drop,
    .run = postgres_run,
    .read = postgres_read,
    .check = postgres_check,
    .count = postgres_count,
    .exec = pg_exec,
    .query = pg_query,
    .script = pg_script,
    .lock = postgres_lock,
    .lock_schema = postgres_lock_schema,
    .next = pg_next,
    .close = pg_close_rows,
    .int_at = pg_int_at,
    .text_at = pg_text_at,
    .columns_sql = columns_sql,
    .parents_sql = parents_sql,
};
