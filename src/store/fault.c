/*
 * The fault-injecting engine. Inside work it takes the place of the real engine in struct tx,
 * counts each call, and passes on those that are not to fail.
 */
#include "store/fault.h"

#include <stdatomic.h>

#include "base/banned.h"
#include "base/mem.h"
#include "store/engine.h"

struct fault_store {
    struct store store;
    struct store *real;
    /* Work runs on the threads of the real engine, but for one caller at a time. */
    atomic_llong calls, fails_at;
    _Atomic enum fault_kind kind;
    atomic_bool has_come;
};

/* The one whose work this thread is in: a struct tx does not say. */
static _Thread_local struct fault_store *current;

static struct fault_store *fault_of(struct store *store)
{
    return (struct fault_store *)store;
}

static bool is_next(struct fault_store *f)
{
    bool is_it = atomic_fetch_add(&f->calls, 1) + 1 == atomic_load(&f->fails_at);

    if (is_it)
        atomic_store(&f->has_come, true);
    return is_it;
}

static enum err fault(struct fault_store *f, struct cx *cx)
{
    enum fault_kind kind = atomic_load(&f->kind);

    if (kind == FAULT_AFTER || !is_next(f))
        return E_OK;
    return kind == FAULT_BUSY ? E_STORE_BUSY : engine_down(cx, "a fault");
}

static enum err fault_after(struct fault_store *f, struct cx *cx)
{
    if (atomic_load(&f->kind) != FAULT_AFTER || !is_next(f))
        return E_OK;
    return engine_down(cx, "the change may have been made: its answer was lost");
}

/* ---- work ---- */

struct wrapped {
    struct fault_store *fault;
    store_work work;
    void *arg;
    bool commits; /* the call that makes it durable is one that can fail */
};

static enum err run_wrapped(struct cx *cx, struct tx *tx, void *arg)
{
    const struct wrapped *w = arg;
    const struct engine *real = tx->engine;

    current = w->fault;
    tx->engine = w->fault->store.engine;
    enum err e = w->work(cx, tx, w->arg);
    tx->engine = real;
    current = NULL;
    if (e != E_OK || tx->failed != E_OK || !w->commits)
        return e;
    return fault(w->fault, cx);
}

static enum err fault_run(struct store *store, struct cx *cx, store_work work, void *arg,
                          bool is_large)
{
    struct fault_store *f = fault_of(store);
    struct wrapped wrapped = {f, work, arg, true};

    TRY(fault(f, cx));
    TRY(f->real->engine->run(f->real, cx, run_wrapped, &wrapped, is_large));
    return fault_after(f, cx);
}

static enum err fault_read(struct store *store, struct cx *cx, store_work work, void *arg)
{
    struct fault_store *f = fault_of(store);
    struct wrapped wrapped = {f, work, arg, false};

    TRY(fault(f, cx));
    return f->real->engine->read(f->real, cx, run_wrapped, &wrapped);
}

static enum err fault_check(struct store *store, struct cx *cx)
{
    struct fault_store *f = fault_of(store);

    TRY(fault(f, cx));
    return f->real->engine->check(f->real, cx);
}

static void fault_count(struct store *store, struct store_stats *out)
{
    store_count(fault_of(store)->real, out);
}

/* ---- statements ---- */

static enum err fault_exec(struct tx *tx, const char *sql, struct binds binds, int64_t *changed)
{
    TRY(fault(current, tx->cx));
    return current->real->engine->exec(tx, sql, binds, changed);
}

static enum err fault_query(struct tx *tx, const char *sql, struct binds binds, struct rows **out)
{
    TRY(fault(current, tx->cx));
    return current->real->engine->query(tx, sql, binds, out);
}

static enum err fault_script(struct tx *tx, const char *sql)
{
    TRY(fault(current, tx->cx));
    return current->real->engine->script(tx, sql);
}

static enum err fault_lock(struct tx *tx, const char *kind, str id)
{
    TRY(fault(current, tx->cx));
    return current->real->engine->lock(tx, kind, id);
}

static enum err fault_lock_schema(struct tx *tx)
{
    TRY(fault(current, tx->cx));
    return current->real->engine->lock_schema(tx);
}

static bool fault_next(struct rows *rows, enum err *e)
{
    *e = fault(current, rows->tx->cx);
    return *e == E_OK && current->real->engine->next(rows, e);
}

static void fault_close(struct rows *rows)
{
    current->real->engine->close(rows);
}

static int64_t fault_int_at(const struct rows *rows, int column)
{
    return current->real->engine->int_at(rows, column);
}

static str fault_text_at(const struct rows *rows, int column)
{
    return current->real->engine->text_at(rows, column);
}

/* ---- life ---- */

static void fault_drop(struct store *store)
{
    free(fault_of(store));
}

static const struct engine fault_engine = {
    .scheme = {"fault", 5},
    .drop = fault_drop,
    .run = fault_run,
    .read = fault_read,
    .check = fault_check,
    .count = fault_count,
    .exec = fault_exec,
    .query = fault_query,
    .script = fault_script,
    .lock = fault_lock,
    .lock_schema = fault_lock_schema,
    .next = fault_next,
    .close = fault_close,
    .int_at = fault_int_at,
    .text_at = fault_text_at,
};

struct store *fault_wrap(struct store *real)
{
    struct fault_store *f = mem_new(sizeof *f);

    f->store = (struct store){.engine = &fault_engine, .is_shared = real->is_shared};
    f->real = real;
    return &f->store;
}

void fault_at(struct store *store, int64_t nth, enum fault_kind kind)
{
    struct fault_store *f = fault_of(store);

    atomic_store(&f->calls, 0);
    atomic_store(&f->fails_at, nth);
    atomic_store(&f->kind, kind);
    atomic_store(&f->has_come, false);
}

int64_t fault_calls(struct store *store)
{
    return atomic_load(&fault_of(store)->calls);
}

bool fault_has_come(struct store *store)
{
    return atomic_load(&fault_of(store)->has_come);
}
