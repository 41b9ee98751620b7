/*
 * The one writer: work of many callers in one transaction, each in its own savepoint, and all
 * answered after its commit, so that they share the one fsync that durability costs.
 *
 * A group closes when it is full, when its work has taken long, or when nobody else is coming: as
 * many callers as were seen around the last commit are in it, or they did not come while one more
 * commit would have been made.
 */
#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "store/sqlite.h"

#include "base/banned.h"
#include "base/log.h"

enum { GROUP_MAX = 64, GROUP_WAIT_MAX_US = 2000, GROUP_WORK_MAX_US = 20000 };

struct job {
    struct job *next;
    struct cx *cx;
    store_work work;
    void *arg;
    bool is_large;
    enum err answer;
    sem_t done;
};

struct group {
    struct job *jobs[GROUP_MAX];
    size_t n;
    int64_t opened_us;
    int64_t wait_until_us; /* 0: has not waited */
};

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the queue ---- */

enum err writer_run(struct writer *w, struct cx *cx, store_work work, void *arg, bool is_large)
{
    struct job job = {.cx = cx, .work = work, .arg = arg, .is_large = is_large};

    atomic_fetch_add(&w->n_requests, 1);
    sem_init(&job.done, 0, 0);
    pthread_mutex_lock(&w->lock);
    assert(!w->is_stopping);
    *w->last = &job;
    w->last = &job.next;
    w->n_queued++;
    pthread_cond_signal(&w->arrived);
    pthread_mutex_unlock(&w->lock);
    while (sem_wait(&job.done) != 0)
        assert(errno == EINTR);
    sem_destroy(&job.done);
    return job.answer;
}

static void answer(struct job *job)
{
    sem_post(&job->done); /* from here on it is gone */
}

static struct job *pop_locked(struct writer *w)
{
    struct job *job = w->first;

    w->first = job->next;
    if (!w->first)
        w->last = &w->first;
    w->n_queued--;
    return job;
}

/* NULL: stopping, and nothing is left. */
static struct job *first_job(struct writer *w)
{
    struct job *job = NULL;

    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->is_stopping)
        pthread_cond_wait(&w->arrived, &w->lock);
    if (w->first)
        job = pop_locked(w);
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void wait_for_one_locked(struct writer *w, struct group *g)
{
    if (!g->wait_until_us)
        g->wait_until_us =
            now_us() + (w->commit_us < GROUP_WAIT_MAX_US ? w->commit_us : GROUP_WAIT_MAX_US);
    struct timespec until = {.tv_sec = g->wait_until_us / 1000000,
                             .tv_nsec = g->wait_until_us % 1000000 * 1000};
    int rc = 0;
    while (!w->first && !w->is_stopping && rc == 0)
        rc = pthread_cond_timedwait(&w->arrived, &w->lock, &until);
}

/* NULL: close the group. */
static struct job *next_of_group(struct writer *w, struct group *g)
{
    struct job *job = NULL;

    if (g->n == GROUP_MAX || now_us() - g->opened_us >= GROUP_WORK_MAX_US)
        return NULL;
    pthread_mutex_lock(&w->lock);
    if (!w->first && g->n < w->n_expected)
        wait_for_one_locked(w, g);
    if (w->first && !w->first->is_large)
        job = pop_locked(w);
    pthread_mutex_unlock(&w->lock);
    return job;
}

/* ---- transactions ---- */

/* Called by SQLite after a commit that wrote something. */
static int note_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct writer *w = arg;

    (void)db;
    (void)name;
    w->wal_pages = pages;
    w->has_written = true;
    atomic_fetch_add(&w->n_commits, 1);
    return SQLITE_OK;
}

static enum err open_conn(struct writer *w, struct arena *arena, str *why)
{
    TRY(conn_open(&w->conn, w->path, CONN_WRITER, arena, why));
    sqlite3_wal_hook(w->conn.db, note_commit, w);
    return E_OK;
}

static bool is_gone(struct writer *w)
{
    return sqlite3_get_autocommit(w->conn.db) != 0;
}

/* Leave no transaction open; a connection that cannot do that is opened anew by the next call. */
static void roll_back(struct writer *w)
{
    if (!is_gone(w))
        conn_do(&w->conn, "ROLLBACK");
    if (!is_gone(w))
        conn_close(&w->conn);
}

static enum err begin(struct writer *w, struct cx *cx)
{
    if (!w->conn.db) {
        str why = STR_NONE;
        if (open_conn(w, cx->arena, &why) != E_OK) {
            atomic_store(&w->is_down, true);
            log_event(cx, LOG_ERROR, "store.down", F("reason", why));
            return engine_down(cx, "the database file cannot be opened");
        }
    }
    w->closes = false;
    int rc = conn_do(&w->conn, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        return E_OK;
    enum err e = conn_fault(&w->conn, cx, rc, "BEGIN IMMEDIATE");
    /* One that was opened while the disk was read-only would stay so for ever. */
    if (e != E_STORE_BUSY)
        conn_close(&w->conn);
    return e;
}

/* Run what belongs before the commit. It has a cx of its own: the caller's failure is its answer.
 */
static enum err close_tx(struct writer *w, struct cx *cx)
{
    struct cx own = *cx;
    struct sqlite_tx tx = {.tx = {.engine = &sqlite_engine, .cx = &own}, .conn = &w->conn};
    enum err e = engine_call(&tx.tx, cx->store->closing, NULL);

    if (e == E_OK && !is_gone(w))
        return E_OK;
    roll_back(w);
    if (e == E_STORE_BUSY)
        return e;
    log_event(&own, LOG_ERROR, "store.not_closed", F("reason", own.failure.detail));
    return engine_down(cx, "what belongs before the commit could not be done");
}

/* What the callers are told when their commit failed; the first of them logs it. */
static enum err commit(struct writer *w, struct cx *cx)
{
    int64_t began_us = now_us();

    if (w->closes && cx->store->closing)
        TRY(close_tx(w, cx));
    w->has_written = false;
    int rc = conn_do(&w->conn, "COMMIT");
    if (rc == SQLITE_OK && !w->has_written)
        return E_OK;
    if (rc == SQLITE_OK) {
        w->commit_us += (now_us() - began_us - w->commit_us) / 8;
        atomic_store(&w->is_down, false);
        return E_OK;
    }
    atomic_fetch_add(&w->n_failed_commits, 1);
    enum err e = conn_fault(&w->conn, cx, rc, "COMMIT");
    roll_back(w);
    if (e == E_STORE_BUSY)
        return e;
    atomic_store(&w->is_down, true);
    /* After a failed write or fsync SQLite's view of the log is not to be relied on. */
    if (w->conn.db && (rc & 0xff) != SQLITE_FULL)
        conn_close(&w->conn);
    return engine_down(cx, "the database could not make the change durable");
}

/* Work in the transaction that is open. Afterwards it may be gone. */
static enum err call(struct writer *w, struct job *job)
{
    struct sqlite_tx tx = {.tx = {.engine = &sqlite_engine, .cx = job->cx}, .conn = &w->conn};
    enum err e = engine_call(&tx.tx, job->work, job->arg);

    w->closes = w->closes || tx.tx.closes;
    if (e == E_OK && is_gone(w))
        return engine_down(job->cx, "the database rolled the change back");
    return e;
}

static enum err run_in_savepoint(struct writer *w, struct job *job)
{
    int rc = conn_do(&w->conn, "SAVEPOINT work");

    if (rc != SQLITE_OK)
        return conn_fault(&w->conn, job->cx, rc, "SAVEPOINT");
    enum err e = call(w, job);
    if (is_gone(w))
        return e;
    if (e != E_OK)
        rc = conn_do(&w->conn, "ROLLBACK TO work");
    if (rc == SQLITE_OK)
        rc = conn_do(&w->conn, "RELEASE work");
    if (rc != SQLITE_OK) {
        roll_back(w);
        return e == E_OK ? engine_down(job->cx, "the database rolled the change back") : e;
    }
    return e;
}

static enum err run_alone(struct writer *w, struct job *job)
{
    TRY(begin(w, job->cx));
    enum err e = call(w, job);
    if (e == E_OK)
        return commit(w, job->cx);
    roll_back(w);
    return e;
}

/* ---- groups ---- */

/* A failed answer waits for the commit too: work may have seen what others had not yet committed.
 */
static void commit_group(struct writer *w, struct group *g)
{
    enum err e = commit(w, g->jobs[0]->cx);

    for (size_t i = 0; i < g->n && e != E_OK; i++) {
        struct job *job = g->jobs[i];
        if (i && e == E_STORE_DOWN)
            IGNORE_ERR(engine_down(job->cx, "the database could not make the change durable"));
        job->answer = e;
    }
}

/* One request's error took the whole transaction: the others have done nothing wrong. */
static void run_others_alone(struct writer *w, struct group *g)
{
    for (size_t i = 0; i + 1 < g->n; i++)
        g->jobs[i]->answer = run_alone(w, g->jobs[i]);
}

static bool fill_group(struct writer *w, struct group *g, struct job *first)
{
    for (struct job *job = first; job; job = next_of_group(w, g)) {
        g->jobs[g->n++] = job;
        job->answer = run_in_savepoint(w, job);
        if (!w->conn.db || is_gone(w))
            return false;
    }
    return true;
}

static void run_group(struct writer *w, struct job *first)
{
    struct group g = {.opened_us = now_us()};

    first->answer = begin(w, first->cx);
    if (first->answer != E_OK) {
        answer(first);
        return;
    }
    if (fill_group(w, &g, first))
        commit_group(w, &g);
    else
        run_others_alone(w, &g);
    pthread_mutex_lock(&w->lock);
    w->n_expected = g.n + w->n_queued;
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < g.n; i++)
        answer(g.jobs[i]);
}

static void run_large(struct writer *w, struct job *job)
{
    job->answer = run_alone(w, job);
    answer(job);
}

static void *write_all(void *arg)
{
    struct writer *w = arg;
    struct job *job;

    while ((job = first_job(w))) {
        if (job->is_large)
            run_large(w, job);
        else
            run_group(w, job);
        checkpointer_note(w->checkpointer, w->wal_pages);
    }
    return NULL;
}

/* ---- life ---- */

enum err writer_start(struct writer *w, const char *path, struct checkpointer *checkpointer,
                      struct arena *arena, str *why)
{
    pthread_condattr_t attr;

    w->path = path;
    w->checkpointer = checkpointer;
    w->last = &w->first;
    TRY(open_conn(w, arena, why));
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->arrived, &attr);
    pthread_condattr_destroy(&attr);
    thread_start(&w->thread, write_all, w);
    return E_OK;
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_stopping = true;
    pthread_cond_signal(&w->arrived);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    conn_close(&w->conn);
    pthread_cond_destroy(&w->arrived);
    pthread_mutex_destroy(&w->lock);
}
