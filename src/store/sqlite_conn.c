/* Connections to SQLite: their settings, and what SQLite's errors mean. */
#include <assert.h>

#include "store/sqlite.h"

#include "base/banned.h"
#include "base/log.h"

enum { BUSY_WAIT_MS = 5000, CHECKPOINT_WAIT_MS = 100 };

/* ---- opening ---- */

static const char *const settings[] = {
    [CONN_WRITER] = "PRAGMA synchronous = FULL;"
                    "PRAGMA foreign_keys = ON;"
                    "PRAGMA wal_autocheckpoint = 0;"
                    "PRAGMA journal_size_limit = 67108864;"
                    "PRAGMA cache_size = -4096;"
                    "PRAGMA temp_store = MEMORY;",
    [CONN_READER] = "PRAGMA query_only = ON;"
                    "PRAGMA cache_size = -1024;"
                    "PRAGMA temp_store = MEMORY;",
    [CONN_VISITOR] = "PRAGMA query_only = ON;"
                     "PRAGMA cache_size = -4096;"
                     "PRAGMA temp_store = MEMORY;",
    [CONN_CHECKPOINTER] = "PRAGMA synchronous = FULL;"
                          "PRAGMA wal_autocheckpoint = 0;"
                          "PRAGMA cache_size = -64;",
};

/* A file system without shared memory answers "delete": two connections would not see each other.
 */
static int turn_wal_on(sqlite3 *db, bool *is_on)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &s, NULL);

    *is_on = false;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW) {
            *is_on = str_ieq(str_of((const char *)sqlite3_column_text(s, 0)), S("wal"));
            rc = SQLITE_OK;
        }
    }
    sqlite3_finalize(s);
    return rc;
}

static int set_up(struct conn *c, bool *is_wal)
{
    int rc;

    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, c->role == CONN_CHECKPOINTER ? CHECKPOINT_WAIT_MS : BUSY_WAIT_MS);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* "text" in double quotes is a name, as in every other engine. */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    *is_wal = true;
    if (c->role == CONN_WRITER && (rc = turn_wal_on(c->db, is_wal)) != SQLITE_OK)
        return rc;
    return sqlite3_exec(c->db, settings[c->role], NULL, NULL, NULL);
}

enum err conn_open(struct conn *c, const char *path, enum conn_role role, struct arena *arena,
                   str *why)
{
    int access = role == CONN_VISITOR ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    bool is_wal = true;

    *c = (struct conn){.role = role};
    int rc = sqlite3_open_v2(path, &c->db, access | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = set_up(c, &is_wal);
    if (rc == SQLITE_OK && is_wal)
        return E_OK;
    if (why && rc == SQLITE_NOTADB)
        *why = arena_printf(arena, "%s is not a database of sallyport", path);
    else if (why && rc == SQLITE_OK)
        *why = arena_printf(arena,
                            "%s is on a file system that SQLite's WAL does not work on; "
                            "use a local disk",
                            path);
    else if (why)
        *why = arena_printf(arena, "cannot open %s: %s", path, sqlite3_errmsg(c->db));
    conn_close(c);
    return E_STORE_DOWN;
}

void conn_close(struct conn *c)
{
    statements_drop(c);
    int rc = sqlite3_close(c->db);
    assert(rc == SQLITE_OK);
    c->db = NULL;
}

/* ---- what errors mean ---- */

static const char *down_because(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return "the disk that holds the database is full";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "the database cannot be written";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "the database file is damaged";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
        return "the database file cannot be read or written";
    default:
        return NULL;
    }
}

enum err conn_fault(struct conn *c, struct cx *cx, int rc, const char *sql)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return E_STORE_CONFLICT;
    default:
        break;
    }
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* many connections recovering the log at once */
    case SQLITE_SCHEMA:
        return E_STORE_BUSY;
    default:
        break;
    }
    const char *down = down_because(rc);
    log_event(cx, LOG_ERROR, down ? "store.down" : "store.misused",
              F("reason", c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc)), F("code", rc),
              F("sql", sql));
    if (down)
        return engine_down(cx, down);
    return fail(cx, E_INTERNAL_ERROR, "the store refused a statement");
}

enum err conn_misused(struct cx *cx, const char *reason, const char *sql)
{
    log_event(cx, LOG_ERROR, "store.misused", F("reason", reason), F("sql", sql));
    return fail(cx, E_INTERNAL_ERROR, "%s", reason);
}
