/*
 * The parts of the SQLite engine: connections with their prepared statements, the file and its
 * lock, the one writer, the checkpoints. Only sqlite*.c include this.
 */
#ifndef SALLYPORT_STORE_SQLITE_H
#define SALLYPORT_STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store/engine.h"

/* ---- the file (sqlite_file.c) ---- */

struct db_file {
    char *path;  /* absolute: the working directory may change later */
    int lock_fd; /* holds the lock until it is closed, or the process ends in whatever way */
};

/* Make the folder and the file where they are missing, and take the lock. */
enum err db_file_claim(struct arena *arena, str path, struct db_file *out, str *why);
void db_file_release(struct db_file *f);

/* Find a file that is there, without making or locking anything; released like one claimed. */
enum err db_file_find(struct arena *arena, str path, struct db_file *out, str *why);

/* ---- connections (sqlite_conn.c, sqlite_statement.c): one thread at a time ---- */

/* Statements kept prepared, by the address of their text: 32 sets of 4, the least used goes. */
enum { CONN_SETS = 32, CONN_WAYS = 4 };

/* A visitor reads the file of another process. */
enum conn_role { CONN_WRITER, CONN_READER, CONN_CHECKPOINTER, CONN_VISITOR };

struct statement;

struct conn {
    sqlite3 *db; /* NULL: closed */
    enum conn_role role;
    uint64_t uses;
    struct statement *kept[CONN_SETS][CONN_WAYS];
};

struct sqlite_tx {
    struct tx tx;
    struct conn *conn;
};

/* why: as in store_open; may be NULL. */
enum err conn_open(struct conn *c, const char *path, enum conn_role role, struct arena *arena,
                   str *why);
void conn_close(struct conn *c);

/* One of BEGIN, COMMIT, … as a literal; answers SQLite's code. */
int conn_do(struct conn *c, const char *sql);

/* What SQLite's code means to the caller; faults are logged here, with the words of SQLite. */
enum err conn_fault(struct conn *c, struct cx *cx, int rc, const char *sql);

/* A fault of the code, not of the disk: logged, and E_INTERNAL_ERROR. */
enum err conn_misused(struct cx *cx, const char *reason, const char *sql);

void statements_drop(struct conn *c);

enum err sqlite_exec(struct tx *tx, const char *sql, struct binds binds, int64_t *changed);
enum err sqlite_query(struct tx *tx, const char *sql, struct binds binds, struct rows **out);
enum err sqlite_script(struct tx *tx, const char *sql);
bool sqlite_next(struct rows *rows, enum err *e);
void sqlite_close_rows(struct rows *rows);
int64_t sqlite_int_at(const struct rows *rows, int column);
str sqlite_text_at(const struct rows *rows, int column);

/* ---- checkpoints (sqlite_checkpoint.c) ---- */

struct checkpointer {
    struct conn conn; /* of its thread */
    pthread_t thread;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    bool is_stopping;
    bool is_due;
    int wal_pages;
    int next_at_pages;
    int pause_pages; /* before the next try, where the last one found a reader in the way */
    atomic_llong n_checkpoints;
};

enum err checkpointer_start(struct checkpointer *k, const char *path, struct arena *arena,
                            str *why);
void checkpointer_stop(struct checkpointer *k);

/* The log has this many pages after a commit: enough to move them into the database? */
void checkpointer_note(struct checkpointer *k, int wal_pages);

/* ---- the writer (sqlite_writer.c) ---- */

struct job;

struct writer {
    const char *path;
    struct checkpointer *checkpointer;
    pthread_t thread;
    atomic_bool is_down; /* the last commit failed */
    atomic_llong n_requests, n_commits, n_failed_commits;

    pthread_mutex_t lock; /* guards the queue */
    pthread_cond_t arrived;
    struct job *first;
    struct job **last;
    size_t n_queued;
    bool is_stopping;

    /* of its thread */
    struct conn conn;
    int wal_pages;
    bool has_written;
    bool closes;       /* something in the open transaction has called tx_closes */
    size_t n_expected; /* callers seen around the last commit */
    int64_t commit_us; /* what a commit takes, smoothed */
};

enum err writer_start(struct writer *w, const char *path, struct checkpointer *checkpointer,
                      struct arena *arena, str *why);
void writer_stop(struct writer *w); /* runs what is queued first */
enum err writer_run(struct writer *w, struct cx *cx, store_work work, void *arg, bool is_large);

/* A thread that leaves signals to others. */
void thread_start(pthread_t *out, void *(*run)(void *), void *arg);

#endif
