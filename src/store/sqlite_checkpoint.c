/*
 * Moving pages from the log into the database, on a thread and a connection of its own, so that no
 * commit waits for it. Passive checkpoints hold nobody up; one of a long log holds the writer up,
 * and waits for readers for at most CHECKPOINT_WAIT_MS.
 */
#include "store/sqlite.h"

#include "base/banned.h"
#include "base/log.h"

/* Pages of 4 KiB: 4 MB, SQLite's own default; 32 MB; 128 MB. */
enum { CHECKPOINT_EVERY_PAGES = 1000, WAL_LONG_PAGES = 8192, PUT_OFF_PAGES = 32768 };

/* Where commits never pause, the log never is moved whole, and would grow for ever: a long one is
 * moved once more, with the few pages that are new since, while the writer waits. False: somebody
 * reads what stood there before, and it could not be. */
static bool checkpoint(struct checkpointer *k, int wal_pages)
{
    int rc = sqlite3_wal_checkpoint_v2(k->conn.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (rc == SQLITE_OK && wal_pages >= WAL_LONG_PAGES)
        rc = sqlite3_wal_checkpoint_v2(k->conn.db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    if (rc == SQLITE_OK)
        atomic_fetch_add(&k->n_checkpoints, 1);
    else if ((rc & 0xff) != SQLITE_BUSY)
        log_event(NULL, LOG_ERROR, "store.checkpoint_failed",
                  F("reason", sqlite3_errmsg(k->conn.db)), F("code", rc), F("pages", wal_pages));
    return (rc & 0xff) != SQLITE_BUSY;
}

/* While a backup reads, the log cannot start over, and each try would only make the writer wait: so
 * the next one comes after 4 MB more, then 8, up to 128. */
static void put_off_locked(struct checkpointer *k, int wal_pages)
{
    if (k->pause_pages < PUT_OFF_PAGES)
        k->pause_pages *= 2;
    if (k->wal_pages >= wal_pages) /* else it has started over meanwhile */
        k->next_at_pages = wal_pages + k->pause_pages;
}

static void *run(void *arg)
{
    struct checkpointer *k = arg;

    pthread_mutex_lock(&k->lock);
    while (!k->is_stopping) {
        if (!k->is_due) {
            pthread_cond_wait(&k->changed, &k->lock);
            continue;
        }
        int wal_pages = k->wal_pages;
        k->is_due = false;
        pthread_mutex_unlock(&k->lock);
        bool is_moved = checkpoint(k, wal_pages);
        pthread_mutex_lock(&k->lock);
        if (is_moved)
            k->pause_pages = CHECKPOINT_EVERY_PAGES / 2;
        else
            put_off_locked(k, wal_pages);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

void checkpointer_note(struct checkpointer *k, int wal_pages)
{
    pthread_mutex_lock(&k->lock);
    if (wal_pages < k->wal_pages) /* the log started over */
        k->next_at_pages = CHECKPOINT_EVERY_PAGES;
    k->wal_pages = wal_pages;
    if (wal_pages >= k->next_at_pages) {
        k->next_at_pages = wal_pages + CHECKPOINT_EVERY_PAGES;
        k->is_due = true;
        pthread_cond_signal(&k->changed);
    }
    pthread_mutex_unlock(&k->lock);
}

enum err checkpointer_start(struct checkpointer *k, const char *path, struct arena *arena, str *why)
{
    TRY(conn_open(&k->conn, path, CONN_CHECKPOINTER, arena, why));
    k->next_at_pages = CHECKPOINT_EVERY_PAGES;
    k->pause_pages = CHECKPOINT_EVERY_PAGES / 2;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    thread_start(&k->thread, run, k);
    return E_OK;
}

void checkpointer_stop(struct checkpointer *k)
{
    pthread_mutex_lock(&k->lock);
    k->is_stopping = true;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    conn_close(&k->conn);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
}
