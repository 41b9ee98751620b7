/* Watching changes on PostgreSQL: LISTEN, and reading the table of changes. */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/postgres.h"
#include "store/watch.h"

#include "base/banned.h"
#include "base/mem.h"

struct store_watch {
    struct pg_conn conn;
    const char *url;
};

struct store_watch *store_watch_new(struct store *store)
{
    struct store_watch *watch = mem_new(sizeof *watch);

    assert(store->engine == &postgres_engine);
    watch->url = postgres_url(store);
    watch->conn.waits_short = true;
    return watch;
}

void store_watch_drop(struct store_watch **watch)
{
    if (!*watch)
        return;
    pg_conn_close(&(*watch)->conn);
    free(*watch);
    *watch = NULL;
}

bool store_watch_is_open(const struct store_watch *watch)
{
    return watch->conn.db != NULL;
}

/* After any failure the connection is made anew: what state it is in does not matter then. */
static enum err close_failed(struct store_watch *watch)
{
    pg_conn_close(&watch->conn);
    return E_STORE_DOWN;
}

enum err store_watch_open(struct store_watch *watch, struct arena *arena, str *why)
{
    TRY(pg_conn_open(&watch->conn, watch->url, arena, why));
    PGresult *r = pg_do(&watch->conn, "LISTEN sallyport_change");
    bool is_good = pg_is_good(r);
    PQclear(r);
    if (is_good)
        return E_OK;
    *why = S("cannot use PostgreSQL: LISTEN was refused");
    return close_failed(watch);
}

/* ---- reading ---- */

static int64_t number_at(const PGresult *r, int row, int column)
{
    return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

static str text_at(struct arena *arena, const PGresult *r, int row, int column)
{
    return arena_dup(arena, str_of(PQgetvalue(r, row, column)));
}

enum err store_watch_newest(struct store_watch *watch, struct store_place *out)
{
    static const char sql[] = "SELECT number, at_us FROM change ORDER BY number DESC LIMIT 1";
    PGresult *r = pg_do(&watch->conn, sql);
    bool is_good = pg_is_good(r);

    if (is_good)
        *out = PQntuples(r) ? (struct store_place){number_at(r, 0, 0), number_at(r, 0, 1)}
                            : (struct store_place){0};
    PQclear(r);
    return is_good ? E_OK : close_failed(watch);
}

static PGresult *ask_from(struct store_watch *watch, int64_t number, size_t rows)
{
    static const char sql[] =
        "SELECT number, at_us, kind, subject,"
        " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - at_us"
        " FROM change WHERE number >= $1::bigint ORDER BY number LIMIT $2::bigint";
    char from[24], limit[24];
    const char *const values[] = {from, limit};

    if (!watch->conn.db)
        return NULL;
    snprintf(from, sizeof from, "%" PRId64, number);
    snprintf(limit, sizeof limit, "%zu", rows);
    return pg_answer(&watch->conn,
                     PQsendQueryParams(watch->conn.db, sql, 2, NULL, values, NULL, NULL, 0));
}

/* The row of the place itself is read again: it must still be there, and the next one follow it. */
static bool is_continued(const PGresult *r, const struct store_place *after)
{
    if (after->number == 0)
        return PQntuples(r) == 0 || number_at(r, 0, 0) == 1;
    return PQntuples(r) > 0 && number_at(r, 0, 0) == after->number &&
           number_at(r, 0, 1) == after->at_us;
}

enum err store_watch_read(struct store_watch *watch, struct arena *arena,
                          const struct store_place *after, struct store_change *list, size_t max,
                          size_t *n)
{
    int known = after->number > 0;
    PGresult *r = ask_from(watch, after->number, max + (size_t)known);

    if (!pg_is_good(r)) {
        PQclear(r);
        return close_failed(watch);
    }
    bool is_whole = is_continued(r, after);
    *n = 0;
    for (int row = known; is_whole && row < PQntuples(r); row++)
        list[(*n)++] = (struct store_change){
            .place = {number_at(r, row, 0), number_at(r, row, 1)},
            .kind = text_at(arena, r, row, 2),
            .subject = text_at(arena, r, row, 3),
            .age_us = number_at(r, row, 4),
        };
    PQclear(r);
    return is_whole ? E_OK : E_ABSENT;
}

/* ---- waiting ---- */

/* "12 1766480000000000 key key_06b3…", as change_announce writes it. */
static bool read_told(struct arena *arena, const char *payload, struct store_change *out)
{
    str rest = str_of(payload);
    str number = str_cut(&rest, S(" "));
    str at_us = str_cut(&rest, S(" "));
    str kind = str_cut(&rest, S(" "));
    uint64_t place[2];

    if (str_is_none(rest) || !str_parse_u64(number, INT64_MAX, &place[0]) ||
        !str_parse_u64(at_us, INT64_MAX, &place[1]))
        return false;
    *out = (struct store_change){.place = {(int64_t)place[0], (int64_t)place[1]},
                                 .kind = arena_dup(arena, kind),
                                 .subject = arena_dup(arena, rest)};
    return true;
}

/* False: none has come. */
static bool take_notified(struct pg_conn *c, struct arena *arena, struct store_change *told,
                          size_t max, size_t *n)
{
    bool is_any = false;

    for (PGnotify *notify; c->db && (notify = PQnotifies(c->db)); is_any = true) {
        if (*n < max && read_told(arena, notify->extra, &told[*n]))
            ++*n;
        PQfreemem(notify);
    }
    return is_any;
}

void store_watch_wait(struct store_watch *watch, struct arena *arena, int stop_fd, int timeout_ms,
                      struct store_change *told, size_t max, size_t *n)
{
    struct pollfd fds[2] = {
        {.fd = stop_fd, .events = POLLIN},
        {.fd = watch->conn.db ? PQsocket(watch->conn.db) : -1, .events = POLLIN}};

    *n = 0;
    /* One that came with the last answer has been read by libpq, and wakes no poll. */
    if (take_notified(&watch->conn, arena, told, max, n))
        return;
    if (poll(fds, 2, timeout_ms) <= 0 || !fds[1].revents)
        return;
    if (PQconsumeInput(watch->conn.db))
        take_notified(&watch->conn, arena, told, max, n);
    else
        pg_conn_close(&watch->conn);
}

/* ---- sweeping ---- */

enum err store_changes_sweep(struct tx *tx, int64_t older_than_ms)
{
    static const char sql[] =
        "DELETE FROM change WHERE number < (SELECT max(number) FROM change) AND"
        " at_us < (extract(epoch FROM clock_timestamp()) * 1000 - $1)::bigint * 1000";

    return tx_exec(tx, sql, BIND(INT(older_than_ms)), NULL);
}
