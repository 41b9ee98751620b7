/*
 * A database file, read and nothing else. SQLite makes files beside a database in WAL mode even for
 * a reader, with the reader's owner: so they must be there already, or there is no log and the file
 * is opened as one that cannot change.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/inspector.h"

#include "base/banned.h"

enum { HEADER_BYTES = 100, BUSY_WAIT_MS = 5000 };

static str ask(const struct inspector *inspector, const char *sql)
{
    sqlite3_stmt *s = NULL;
    str out = STR_NONE;

    if (sqlite3_prepare_v2(inspector->db, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        out = arena_dup(inspector->arena, str_of((const char *)sqlite3_column_text(s, 0)));
    sqlite3_finalize(s);
    return out;
}

/* https://www.sqlite.org/fileformat.html section 1.3: the magic text, and 2 where it is WAL. */
static bool read_header(struct arena *arena, const char *path, struct store_facts *out)
{
    char header[HEADER_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        if (errno != ENOENT)
            out->fault = arena_printf(arena, "%s cannot be read: %s", path, strerror(errno));
        return false;
    }
    ssize_t n = read(fd, header, sizeof header);
    close(fd);
    if (n == 0)
        return false;
    out->is_there = n == HEADER_BYTES && memcmp(header, "SQLite format 3", 16) == 0;
    out->is_wal = out->is_there && header[18] == 2;
    if (!out->is_there)
        out->fault = arena_printf(arena, "%s is no SQLite database", path);
    return out->is_there;
}

/* The bytes of the file beside it; -1: there is none. */
static int64_t bytes_of(struct arena *arena, const char *path, const char *suffix)
{
    struct stat file;

    return stat(arena_printf(arena, "%s%s", path, suffix).p, &file) == 0 ? file.st_size : -1;
}

/* https://www.sqlite.org/uri.html: what would end the path is percent-encoded. */
static const char *fixed_uri(struct arena *arena, const char *path)
{
    char *out = arena_alloc(arena, 3 * strlen(path) + sizeof "file:?immutable=1");
    char *to = out + snprintf(out, sizeof "file:", "file:");

    for (; *path; path++) {
        if (str_has_byte(S("?#%"), *path))
            to += snprintf(to, 4, "%%%02X", (unsigned char)*path);
        else
            *to++ = *path;
    }
    snprintf(to, sizeof "?immutable=1", "?immutable=1");
    return out;
}

void inspect_sqlite(struct arena *arena, str path_text, bool checks_content,
                    struct store_facts *out)
{
    const char *path = arena_dup(arena, path_text).p;
    struct inspector inspector = {.arena = arena, .ask = ask};
    int64_t log_bytes = bytes_of(arena, path, "-wal");
    bool has_log = log_bytes >= 0 && bytes_of(arena, path, "-shm") >= 0;
    sqlite3 *db = NULL;

    if (!read_header(arena, path, out))
        return;
    out->is_unsettled = log_bytes > 0 && !has_log;
    if (out->is_unsettled)
        return;
    int rc = sqlite3_open_v2(has_log ? path : fixed_uri(arena, path), &db,
                             SQLITE_OPEN_READONLY | (has_log ? 0 : SQLITE_OPEN_URI), NULL);
    inspector.db = db;
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_WAIT_MS);
        if (checks_content)
            out->integrity = ask(&inspector, "PRAGMA quick_check(1)");
        inspect_content(&inspector, out);
    } else {
        out->fault = arena_printf(arena, "%s cannot be opened: %s", path, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
}
