/* The door: finds the engine, brings the schema up to date, runs work again when it lost a race. */
#include "store/store.h"

#include <assert.h>
#include <time.h>

#include "base/banned.h"
#include "base/text.h"
#include "base/time.h"
#include "store/catalog.h"
#include "store/engine.h"
#include "store/migrate.h"

enum { RUN_TRIES_MAX = 6, RETRY_LONGEST_MS = 50 };

static const struct engine *const engines[] = {&sqlite_engine, &postgres_engine};

/* Whether this thread is inside work: a store call from there would wait for itself. */
static _Thread_local bool is_in_work;

const struct engine *engine_of(str url)
{
    str scheme = str_cut(&url, S(":"));

    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (str_ieq(scheme, engines[i]->scheme))
            return engines[i];
    return NULL;
}

enum err engine_call(struct tx *tx, store_work work, void *arg)
{
    tx->failed = E_OK;
    tx->cx->failure = (struct failure){0};
    is_in_work = true;
    enum err e = work(tx->cx, tx, arg);
    is_in_work = false;
    assert(tx->open_rows == 0);
    return e == E_OK ? tx->failed : e;
}

enum err engine_down(struct cx *cx, const char *detail)
{
    cx->failure = (struct failure){.retry_after_s = STORE_DOWN_RETRY_S};
    return fail(cx, E_STORE_DOWN, "%s", detail);
}

/* ---- opening ---- */

static enum err find_engine(struct arena *arena, const struct store_options *options,
                            const struct engine **out, str *why)
{
    *out = engine_of(str_of(options->url));
    if (*out)
        return E_OK;
    *why = arena_printf(arena, "\"%s\" names no store: write sqlite:var/sallyport.db",
                        options->url ? options->url : "");
    return E_STORE_DOWN;
}

enum err store_open_bare(struct arena *arena, const struct store_options *options,
                         struct store **out, str *why)
{
    const struct engine *engine;

    TRY(find_engine(arena, options, &engine, why));
    return engine->open(arena, options, out, why);
}

enum err store_open_reading(struct arena *arena, const struct store_options *options,
                            struct store **out, str *why)
{
    const struct engine *engine;

    TRY(find_engine(arena, options, &engine, why));
    return engine->open_reading(arena, options, out, why);
}

enum err store_open(struct arena *arena, const struct store_options *options, struct store **out,
                    str *why)
{
    struct store *store = NULL;

    TRY(store_open_bare(arena, options, &store, why));
    struct cx cx = {
        .arena = arena, .now_ms = time_now_ms(), .store = store, .doing = "opening the store"};
    enum err e = migrate(&cx);
    if (e != E_OK) {
        *why = cx.failure.detail.n ? cx.failure.detail : err_info(e)->message;
        store_drop(&store);
        return E_STORE_DOWN;
    }
    *out = store;
    return E_OK;
}

str store_engine(const struct store *store)
{
    return store->engine->scheme;
}

void store_drop(struct store **store)
{
    if (*store)
        (*store)->engine->drop(*store);
    *store = NULL;
}

enum err store_check(struct cx *cx)
{
    return cx->store->engine->check(cx->store, cx);
}

bool store_is_shared(const struct store *store)
{
    return store->is_shared;
}

void store_set_closing(struct store *store, store_work closing)
{
    store->closing = closing;
}

void tx_closes(struct tx *tx)
{
    tx->closes = true;
}

void store_count(struct store *store, struct store_stats *out)
{
    store->engine->count(store, out);
}

/* ---- work ---- */

enum way { WAY_GROUPED, WAY_LARGE, WAY_READ };

static enum err run_once(struct cx *cx, store_work work, void *arg, enum way way)
{
    const struct engine *engine = cx->store->engine;

    if (way == WAY_READ)
        return engine->read(cx->store, cx, work, arg);
    return engine->run(cx->store, cx, work, arg, way == WAY_LARGE);
}

static void pause_after(int tries)
{
    int ms = 1 << tries;
    struct timespec t = {.tv_nsec = (ms < RETRY_LONGEST_MS ? ms : RETRY_LONGEST_MS) * 1000000L};

    nanosleep(&t, NULL);
}

static enum err run(struct cx *cx, store_work work, void *arg, enum way way)
{
    assert(!is_in_work);
    for (int tries = 1; tries <= RUN_TRIES_MAX; tries++) {
        enum err e = run_once(cx, work, arg, way);
        if (e != E_STORE_BUSY)
            return e;
        pause_after(tries);
    }
    return engine_down(cx, "the same data is being changed by too many at once");
}

struct change {
    store_work work;
    void *arg;
};

static enum err run_guarded(struct cx *cx, struct tx *tx, const struct change *change)
{
    if (!cx->guard)
        return change->work(cx, tx, change->arg);
    TRY(cx->guard->begins(cx, tx, cx->guard));
    TRY(change->work(cx, tx, change->arg));
    return cx->guard->ends(cx, tx, cx->guard);
}

/* The first takes the lock that every announcement waits for, so nothing may come after them. */
static enum err write_announced(struct tx *tx)
{
    static const char sql[] = "SELECT change_announce($1, $2)";

    for (const struct announcement *a = tx->announced; a; a = a->next)
        TRY(tx_exec(tx, sql, BIND(TEXT(str_of(a->kind)), TEXT(a->subject)), NULL));
    return E_OK;
}

static enum err run_change(struct cx *cx, struct tx *tx, void *arg)
{
    tx->announced = NULL;
    TRY(run_guarded(cx, tx, arg));
    return write_announced(tx);
}

static enum err change(struct cx *cx, store_work work, void *arg, enum way way)
{
    struct change change = {work, arg};

    TRY(run(cx, run_change, &change, way));
    cx->guard = NULL;
    return E_OK;
}

void tx_announce(struct tx *tx, const char *kind, str subject)
{
    if (!store_is_shared(tx->cx->store))
        return;
    struct announcement *a = ARENA_NEW(tx->cx->arena, struct announcement);
    *a = (struct announcement){tx->announced, kind, arena_dup(tx->cx->arena, subject)};
    tx->announced = a;
}

enum err store_run(struct cx *cx, store_work work, void *arg)
{
    return change(cx, work, arg, WAY_GROUPED);
}

enum err store_run_large(struct cx *cx, store_work work, void *arg)
{
    return change(cx, work, arg, WAY_LARGE);
}

enum err store_read(struct cx *cx, store_work work, void *arg)
{
    return run(cx, work, arg, WAY_READ);
}

/* ---- statements ---- */

static enum err note(struct tx *tx, enum err e)
{
    if (e != E_OK)
        tx->failed = e;
    return e;
}

/* What one engine would take, another would not: texts are UTF-8, and hold no NUL. */
static enum err check_texts(struct tx *tx, struct binds binds)
{
    TRY(tx->failed);
    for (size_t i = 0; i < binds.n; i++) {
        str text = binds.list[i].bytes;
        if (binds.list[i].kind == BIND_TEXT && text.n &&
            (memchr(text.p, 0, text.n) || text_valid_prefix(text).n != text.n))
            return note(
                tx, fail(tx->cx, E_INVALID_REQUEST, "A text is not valid UTF-8, or holds a NUL."));
    }
    return E_OK;
}

enum err tx_exec(struct tx *tx, const char *sql, struct binds binds, int64_t *changed)
{
    TRY(check_texts(tx, binds));
    return note(tx, tx->engine->exec(tx, sql, binds, changed));
}

enum err tx_lock(struct tx *tx, const char *kind, str id)
{
    TRY(tx->failed);
    return note(tx, tx->engine->lock(tx, kind, id));
}

const char *tx_either(const struct tx *tx, const char *sqlite, const char *postgres)
{
    return store_is_shared(tx->cx->store) ? postgres : sqlite;
}

enum err tx_query(struct tx *tx, const char *sql, struct binds binds, struct rows **out)
{
    TRY(check_texts(tx, binds));
    TRY(note(tx, tx->engine->query(tx, sql, binds, out)));
    (*out)->engine = tx->engine;
    (*out)->tx = tx;
    tx->open_rows++;
    return E_OK;
}

bool rows_next(struct rows *rows, enum err *e)
{
    *e = rows->tx->failed;
    if (*e != E_OK)
        return false;
    bool is_there = rows->engine->next(rows, e);
    IGNORE_ERR(note(rows->tx, *e));
    return is_there;
}

void rows_drop(struct rows **rows)
{
    if (!*rows)
        return;
    (*rows)->tx->open_rows--;
    (*rows)->engine->close(*rows);
    *rows = NULL;
}

int64_t rows_int(const struct rows *rows, int column)
{
    return rows->engine->int_at(rows, column);
}

str rows_text(const struct rows *rows, int column)
{
    return rows->engine->text_at(rows, column);
}

enum err tx_one_int(struct tx *tx, const char *sql, struct binds binds, int64_t *out)
{
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    TRY(tx_query(tx, sql, binds, &rows));
    if (!rows_next(rows, &e))
        return e == E_OK ? E_ABSENT : e;
    *out = rows_int(rows, 0);
    return E_OK;
}
