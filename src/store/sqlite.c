/* The SQLite engine: one file, one writer, a few readers. */
#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>

#include "store/sqlite.h"

#include "base/banned.h"
#include "base/mem.h"

enum { READERS_DEFAULT = 4, READERS_MAX = 64 };

struct reader {
    struct conn conn;
    struct reader *next_idle;
};

/* A caller in the queue for a reader; who gives one back hands it to the first. */
struct waiter {
    struct waiter *next;
    struct reader *given;
    sem_t done;
};

struct sqlite_store {
    struct store store;
    struct db_file file;
    bool is_visitor; /* there are readers, and nothing else */
    struct checkpointer checkpointer;
    struct writer writer;
    struct reader *readers;
    int n_readers;

    pthread_mutex_t lock; /* guards what follows */
    struct reader *idle;
    struct waiter *first;
    struct waiter **last;
};

static struct sqlite_store *sqlite_of(struct store *store)
{
    return (struct sqlite_store *)store;
}

void thread_start(pthread_t *out, void *(*run)(void *), void *arg)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(rc == 0);
}

/* ---- readers ---- */

static struct reader *take_reader(struct sqlite_store *s)
{
    struct waiter me = {0};

    pthread_mutex_lock(&s->lock);
    struct reader *r = s->idle;
    if (r) {
        s->idle = r->next_idle;
        pthread_mutex_unlock(&s->lock);
        return r;
    }
    sem_init(&me.done, 0, 0);
    *s->last = &me;
    s->last = &me.next;
    pthread_mutex_unlock(&s->lock);
    while (sem_wait(&me.done) != 0)
        assert(errno == EINTR);
    sem_destroy(&me.done);
    return me.given;
}

static void give_reader(struct sqlite_store *s, struct reader *r)
{
    pthread_mutex_lock(&s->lock);
    struct waiter *w = s->first;
    if (w) {
        s->first = w->next;
        if (!s->first)
            s->last = &s->first;
        w->given = r;
        sem_post(&w->done);
    } else {
        r->next_idle = s->idle;
        s->idle = r;
    }
    pthread_mutex_unlock(&s->lock);
}

static enum err read_on(struct conn *c, struct cx *cx, store_work work, void *arg)
{
    struct sqlite_tx tx = {.tx = {.engine = &sqlite_engine, .cx = cx}, .conn = c};
    int rc = conn_do(c, "BEGIN");

    if (rc != SQLITE_OK)
        return conn_fault(c, cx, rc, "BEGIN");
    enum err e = engine_call(&tx.tx, work, arg);
    if (!sqlite3_get_autocommit(c->db))
        conn_do(c, "ROLLBACK"); /* nothing was written; unlike COMMIT it cannot fail */
    return e;
}

static enum err sqlite_read(struct store *store, struct cx *cx, store_work work, void *arg)
{
    struct sqlite_store *s = sqlite_of(store);
    struct reader *r = take_reader(s);
    enum err e = read_on(&r->conn, cx, work, arg);

    give_reader(s, r);
    return e;
}

/* ---- running, checking ---- */

static enum err sqlite_run(struct store *store, struct cx *cx, store_work work, void *arg,
                           bool is_large)
{
    struct sqlite_store *s = sqlite_of(store);

    if (s->is_visitor)
        return conn_misused(cx, "a store that was opened for reading is written", "BEGIN");
    return writer_run(&s->writer, cx, work, arg, is_large);
}

static enum err look(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "SELECT count(*) FROM schema_migration";
    int64_t n;

    (void)cx;
    (void)arg;
    return tx_one_int(tx, sql, BIND(), &n);
}

/* A change that leaves all as it was: SQLite would not write a row set to what it is already. */
static enum err touch(struct cx *cx, struct tx *tx, void *arg)
{
    static const char put[] = "INSERT INTO schema_migration VALUES (0, 'probe', '', 0)";
    static const char take[] = "DELETE FROM schema_migration WHERE number = 0";

    (void)cx;
    (void)arg;
    TRY(tx_exec(tx, put, BIND(), NULL));
    return tx_exec(tx, take, BIND(), NULL);
}

/* A commit that failed leaves the store down until one succeeds, so one is tried: a server that is
 * not ready gets no requests that would try it. */
static enum err sqlite_check(struct store *store, struct cx *cx)
{
    TRY(sqlite_read(store, cx, look, NULL));
    if (atomic_load(&sqlite_of(store)->writer.is_down))
        return sqlite_run(store, cx, touch, NULL, false);
    return E_OK;
}

static void sqlite_count(struct store *store, struct store_stats *out)
{
    struct sqlite_store *s = sqlite_of(store);

    *out = (struct store_stats){
        .requests = atomic_load(&s->writer.n_requests),
        .commits = atomic_load(&s->writer.n_commits),
        .failed_commits = atomic_load(&s->writer.n_failed_commits),
        .checkpoints = atomic_load(&s->checkpointer.n_checkpoints),
    };
}

static enum err sqlite_lock(struct tx *tx, const char *kind, str id)
{
    (void)tx;
    (void)kind;
    (void)id;
    return E_OK;
}

/* One process owns the file: there is nobody else. */
static enum err sqlite_lock_schema(struct tx *tx)
{
    (void)tx;
    return E_OK;
}

/* ---- life ---- */

/* Before SQLite's first call: its memory statistics are one lock that all threads would share. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void close_readers(struct sqlite_store *s)
{
    for (int i = 0; i < s->n_readers; i++)
        conn_close(&s->readers[i].conn);
    free(s->readers);
}

static enum err open_readers(struct sqlite_store *s, int n, struct arena *arena, str *why)
{
    enum conn_role role = s->is_visitor ? CONN_VISITOR : CONN_READER;

    s->readers = mem_new_array((size_t)n, sizeof *s->readers);
    for (; s->n_readers < n; s->n_readers++) {
        struct reader *r = &s->readers[s->n_readers];
        TRY(conn_open(&r->conn, s->file.path, role, arena, why));
        r->next_idle = s->idle;
        s->idle = r;
    }
    return E_OK;
}

/* The writer before the checkpoints, which it calls; the last to close moves the log into the
 * database. */
static void sqlite_drop(struct store *store)
{
    struct sqlite_store *s = sqlite_of(store);

    close_readers(s);
    if (!s->is_visitor) {
        writer_stop(&s->writer);
        checkpointer_stop(&s->checkpointer);
    }
    pthread_mutex_destroy(&s->lock);
    db_file_release(&s->file);
    free(s);
}

static int readers_wanted(int asked)
{
    if (asked <= 0)
        return READERS_DEFAULT;
    return asked < READERS_MAX ? asked : READERS_MAX;
}

static enum err open_parts(struct sqlite_store *s, int n_readers, struct arena *arena, str *why)
{
    if (s->is_visitor) {
        enum err e = open_readers(s, n_readers, arena, why);
        if (e != E_OK)
            close_readers(s);
        return e;
    }
    TRY(writer_start(&s->writer, s->file.path, &s->checkpointer, arena, why));
    enum err e = checkpointer_start(&s->checkpointer, s->file.path, arena, why);
    if (e == E_OK) {
        e = open_readers(s, n_readers, arena, why);
        if (e == E_OK)
            return E_OK;
        close_readers(s);
        checkpointer_stop(&s->checkpointer);
    }
    writer_stop(&s->writer);
    return e;
}

static enum err open_as(struct arena *arena, const struct store_options *options, bool is_visitor,
                        struct store **out, str *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    str path = str_of(options->url);

    pthread_once(&once, configure);
    str_cut(&path, S(":"));
    struct sqlite_store *s = mem_new(sizeof *s);
    s->store.engine = &sqlite_engine;
    s->last = &s->first;
    s->is_visitor = is_visitor;
    enum err e = is_visitor ? db_file_find(arena, path, &s->file, why)
                            : db_file_claim(arena, path, &s->file, why);
    if (e == E_OK) {
        pthread_mutex_init(&s->lock, NULL);
        e = open_parts(s, readers_wanted(options->readers), arena, why);
        if (e != E_OK) {
            pthread_mutex_destroy(&s->lock);
            db_file_release(&s->file);
        }
    }
    if (e != E_OK) {
        free(s);
        return e;
    }
    *out = &s->store;
    return E_OK;
}

static enum err sqlite_open(struct arena *arena, const struct store_options *options,
                            struct store **out, str *why)
{
    return open_as(arena, options, false, out, why);
}

static enum err sqlite_open_reading(struct arena *arena, const struct store_options *options,
                                    struct store **out, str *why)
{
    return open_as(arena, options, true, out, why);
}

/* What SQLite keeps for itself is named sqlite_…, and no other table may be. */
static const char columns_sql[] = "SELECT m.name, c.name, c.type, c.pk FROM sqlite_schema m"
                                  " JOIN pragma_table_info(m.name) c"
                                  " WHERE m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_'"
                                  " ORDER BY m.name, c.cid";

static const char parents_sql[] = "SELECT m.name, f.\"table\" FROM sqlite_schema m"
                                  " JOIN pragma_foreign_key_list(m.name) f"
                                  " WHERE m.type = 'table'";

const struct engine sqlite_engine = {
    .scheme = {"sqlite", 6},
    .open = sqlite_open,
    .open_reading = sqlite_open_reading,
    .drop = sqlite_drop,
    .run = sqlite_run,
    .read = sqlite_read,
    .check = sqlite_check,
    .count = sqlite_count,
    .exec = sqlite_exec,
    .query = sqlite_query,
    .script = sqlite_script,
    .lock = sqlite_lock,
    .lock_schema = sqlite_lock_schema,
    .next = sqlite_next,
    .close = sqlite_close_rows,
    .int_at = sqlite_int_at,
    .text_at = sqlite_text_at,
    .columns_sql = columns_sql,
    .parents_sql = parents_sql,
};
