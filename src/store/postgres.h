/*
 * The parts of the PostgreSQL engine: connections with their prepared statements, and the pool they
 * are taken from. Only postgres*.c include this.
 *
 * Wire protocol, SQLSTATEs and libpq: PostgreSQL 15 documentation, chapters 34, 55 and appendix A.
 */
#ifndef SALLYPORT_STORE_POSTGRES_H
#define SALLYPORT_STORE_POSTGRES_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/engine.h"

/* ---- connections (postgres_conn.c, postgres_statement.c): one thread at a time ---- */

/* Statements kept prepared, by the address of their text: 32 sets of 4, the least used goes. */
enum { PG_SETS = 32, PG_WAYS = 4 };

struct pg_statement;

struct pg_conn {
    PGconn *db; /* NULL: closed */
    const char *url;
    uint64_t generation; /* of the pool, when it was opened */
    bool waits_long;     /* for a migration, its own or another's */
    bool waits_short;    /* for whom silence means something: store/watch.h */
    uint64_t uses;
    uint64_t n_prepared; /* names them */
    struct pg_statement *kept[PG_SETS][PG_WAYS];
    struct pg_conn *next_idle;
};

struct pg_tx {
    struct tx tx;
    struct pg_conn *conn;
    bool is_read;
    bool is_lost;  /* the connection went away */
    bool is_stale; /* a kept statement no longer fits the schema */
};

static inline struct pg_tx *pg_tx_of(struct tx *tx)
{
    return (struct pg_tx *)tx;
}

/* why: one sentence for the operator, in the arena; never holds the password. */
enum err pg_conn_open(struct pg_conn *c, const char *url, struct arena *arena, str *why);
void pg_conn_close(struct pg_conn *c);

/*
 * The last answer to what was sent, or the first that is an error; the caller clears it. NULL: none
 * came in time, and the connection is closed. is_sent is what libpq's PQsend… answered.
 */
PGresult *pg_answer(struct pg_conn *c, int is_sent);

/* Statements without values, as a literal. */
PGresult *pg_do(struct pg_conn *c, const char *sql);

bool pg_is_good(const PGresult *r);

/* What a failed answer means to the caller; faults are logged here, in PostgreSQL's words. */
enum err pg_fault(struct pg_tx *tx, const PGresult *r, const char *sql);

/* A fault of the code, not of the server: logged, and E_INTERNAL_ERROR. */
enum err pg_misused(struct cx *cx, const char *reason, const char *sql);

void pg_statements_drop(struct pg_conn *c);

enum err pg_exec(struct tx *tx, const char *sql, struct binds binds, int64_t *changed);
enum err pg_query(struct tx *tx, const char *sql, struct binds binds, struct rows **out);
enum err pg_script(struct tx *tx, const char *sql);
bool pg_next(struct rows *rows, enum err *e);
void pg_close_rows(struct rows *rows);
int64_t pg_int_at(const struct rows *rows, int column);
str pg_text_at(const struct rows *rows, int column);

/* ---- the pool (postgres_pool.c) ---- */

struct pg_waiter;

struct pg_pool {
    char *url;
    struct pg_conn *conns;
    int n_conns;
    atomic_ullong generation; /* raised: connections opened before are closed, not used again */

    pthread_mutex_t lock; /* guards the rest */
    struct pg_conn *idle;
    struct pg_waiter *first;
    struct pg_waiter **last;
    int64_t failed_at_ms; /* monotonic; 0: the last try to connect succeeded */
};

/* Opens one connection, so that a wrong URL is told at the start. */
enum err pg_pool_start(struct pg_pool *p, str url, int n, struct arena *arena, str *why);
void pg_pool_stop(struct pg_pool *p);

/* First come, first served. E_STORE_DOWN: none is to be had in time, or PostgreSQL is away. */
enum err pg_pool_take(struct pg_pool *p, struct cx *cx, struct pg_conn **out);
void pg_pool_give(struct pg_pool *p, struct pg_conn *c);

/* As given to store_open; lives as long as the store. */
const char *postgres_url(struct store *store);

/* PostgreSQL went away, or its schema changed: what is open or prepared is of no more use. */
void pg_pool_renew(struct pg_pool *p);

#endif
