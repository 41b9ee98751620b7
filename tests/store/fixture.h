/* A store in a folder of its own, and single statements as work. */
#ifndef SALLYPORT_TESTS_STORE_FIXTURE_H
#define SALLYPORT_TESTS_STORE_FIXTURE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours is another */
#include <libpq-fe.h>

#include "base/log.h"
#include "base/time.h"
#include "store/store.h"

struct fixture {
    struct arena *arena;
    struct store *store;
    struct cx cx;
    char folder[64];
    char database[64];
    char url[512];
};

/* A PostgreSQL's URL with {name} in it; NULL: each fixture is an SQLite file of its own. */
static inline const char *fixture_template(void)
{
    return getenv("STORE_URL");
}

static inline bool on_sqlite(void)
{
    return fixture_template() == NULL;
}

static inline void fixture_name_url(char out[512], const char *name)
{
    const char *url = fixture_template(), *at = strstr(url, "{name}");

    assert_non_null(at);
    snprintf(out, 512, "%.*s%s%s", (int)(at - url), url, name, at + strlen("{name}"));
}

/* One statement by hand, past the store: on the test's database, or the one named. */
PRINTF_LIKE(2, 3) static inline void postgres_do(const char *database, const char *format, ...)
{
    char url[512], sql[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    fixture_name_url(url, database);
    PGconn *db = PQconnectdb(url);
    PGresult *r = PQexec(db, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) {
        print_error("%s: %s\n", sql, PQerrorMessage(db));
        abort();
    }
    PQclear(r);
    PQfinish(db);
}

static inline void fixture_init(struct fixture *f)
{
    static atomic_int n_made;

    *f = (struct fixture){.arena = arena_new()};
    if (!on_sqlite()) {
        snprintf(f->database, sizeof f->database, "store_%d_%d", (int)getpid(), n_made++);
        fixture_name_url(f->url, f->database);
        postgres_do("postgres", "CREATE DATABASE %s", f->database);
        return;
    }
    snprintf(f->folder, sizeof f->folder, "/tmp/sallyport-store-XXXXXX");
    if (!mkdtemp(f->folder))
        abort();
    snprintf(f->url, sizeof f->url, "sqlite:%s/test.db", f->folder);
}

static inline enum err fixture_try_open(struct fixture *f, str *why)
{
    enum err e = store_open(f->arena, &(struct store_options){.url = f->url}, &f->store, why);

    f->cx = (struct cx){.arena = f->arena, .now_ms = time_now_ms(), .store = f->store};
    return e;
}

static inline void fixture_open(struct fixture *f)
{
    str why = STR_NONE;

    if (fixture_try_open(f, &why) != E_OK) {
        print_error("%.*s\n", STR_ARG(why));
        assert_true(false);
    }
}

static inline void fixture_done(struct fixture *f)
{
    char command[128];

    store_drop(&f->store);
    arena_drop(&f->arena);
    if (f->database[0])
        postgres_do("postgres", "DROP DATABASE %s WITH (FORCE)", f->database);
    if (f->folder[0]) {
        snprintf(command, sizeof command, "rm -r '%s'", f->folder);
        if (system(command) != 0)
            abort();
    }
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    fixture_init(f);
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_done(*state);
    free(*state);
    return 0;
}

/* ---- single statements ---- */

struct one {
    const char *sql;
    struct binds binds;
    int64_t number;
};

static inline enum err one_exec(struct cx *cx, struct tx *tx, void *arg)
{
    struct one *o = arg;

    (void)cx;
    return tx_exec(tx, o->sql, o->binds, &o->number);
}

static inline enum err one_int(struct cx *cx, struct tx *tx, void *arg)
{
    struct one *o = arg;

    (void)cx;
    return tx_one_int(tx, o->sql, o->binds, &o->number);
}

static inline enum err exec_sql(struct fixture *f, const char *sql, struct binds binds)
{
    return store_run(&f->cx, one_exec, &(struct one){sql, binds, 0});
}

static inline int64_t int_sql(struct fixture *f, const char *sql, struct binds binds)
{
    struct one o = {sql, binds, -1};

    assert_int_equal(store_read(&f->cx, one_int, &o), E_OK);
    return o.number;
}

/* A table of this test alone, whatever an earlier run left behind. */
static inline void make_table(struct fixture *f, const char *drop, const char *create)
{
    assert_int_equal(exec_sql(f, drop, BIND()), E_OK);
    assert_int_equal(exec_sql(f, create, BIND()), E_OK);
}

static inline void quiet(void)
{
    log_start((enum log_level)(LOG_ERROR + 1), true);
}

#endif
