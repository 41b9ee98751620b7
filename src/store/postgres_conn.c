/* Connections to PostgreSQL: opening, waiting for answers with a limit, what errors mean. */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "store/postgres.h"

#include "base/banned.h"
#include "base/log.h"
#include "base/time.h"

/* The server ends a statement after 30 s; a server that does not even do that is given up on. */
enum { ANSWER_WITHIN_MS = 35000, SHORT_ANSWER_WITHIN_MS = 5000 };

/*
 * synchronous_commit may be stronger than "on" where the operator wants it so; "off" would answer
 * changes that a crash takes back.
 */
static const char settings[] = "SET statement_timeout = 30000;"
                               "SET lock_timeout = 5000;"
                               "SET idle_in_transaction_session_timeout = 60000;"
                               "SET client_min_messages = warning;"
                               "SET bytea_output = hex;"
                               "SET standard_conforming_strings = on;"
                               "SELECT set_config('synchronous_commit', 'on', false)"
                               " WHERE current_setting('synchronous_commit') = 'off';";

/* ---- opening ---- */

/* Notices would go to standard error. */
static void ignore_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

/* libpq's sentences end with a newline, and some have several lines. */
static str one_line(struct arena *arena, const char *text)
{
    str out = arena_dup(arena, str_trim(str_of(text ? text : "")));
    char *p = (char *)out.p;

    for (size_t i = 0; i < out.n; i++)
        if (p[i] == '\n' || p[i] == '\t')
            p[i] = ' ';
    return str_trim(out);
}

/* What stands before dbname is a default that the URL may change; what stands after is fixed. */
static PGconn *connect_to(const char *url, bool waits_short)
{
    static const char *const names[] = {"connect_timeout",
                                        "fallback_application_name",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "dbname",
                                        "client_encoding",
                                        NULL};
    const char *const values[] = {waits_short ? "2" : "5",
                                  waits_short ? "sallyport changes" : "sallyport",
                                  "10",
                                  "5",
                                  "3",
                                  "20000",
                                  url,
                                  "UTF8",
                                  NULL};

    return PQconnectdbParams(names, values, 1);
}

static str check_server(struct pg_conn *c, struct arena *arena)
{
    str encoding = str_of(PQparameterStatus(c->db, "server_encoding"));

    if (!str_eq(encoding, S("UTF8")))
        return arena_printf(arena,
                            "the database has the encoding %.*s: make one with ENCODING 'UTF8'",
                            STR_ARG(encoding));
    PGresult *r = pg_do(c, settings);
    str why = pg_is_good(r) ? STR_NONE : one_line(arena, r ? PQresultErrorMessage(r) : "no answer");
    PQclear(r);
    return why;
}

enum err pg_conn_open(struct pg_conn *c, const char *url, struct arena *arena, str *why)
{
    str fault;

    c->url = url;
    c->db = connect_to(url, c->waits_short);
    if (PQstatus(c->db) == CONNECTION_OK) {
        PQsetNoticeReceiver(c->db, ignore_notice, NULL);
        fault = check_server(c, arena);
    } else {
        fault = one_line(arena, PQerrorMessage(c->db));
    }
    if (str_is_none(fault))
        return E_OK;
    *why = arena_printf(arena, "cannot use PostgreSQL: %.*s", STR_ARG(fault));
    pg_conn_close(c);
    return E_STORE_DOWN;
}

void pg_conn_close(struct pg_conn *c)
{
    pg_statements_drop(c);
    PQfinish(c->db);
    c->db = NULL;
}

/* ---- answers ---- */

bool pg_is_good(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* False: nothing came in time. A connection that is gone is no longer busy. */
static bool wait_for_result(struct pg_conn *c, int64_t until_ms)
{
    while (PQisBusy(c->db)) {
        struct pollfd p = {.fd = PQsocket(c->db), .events = POLLIN};
        int64_t left_ms = until_ms - time_mono_ms();
        if (left_ms <= 0)
            return false;
        if (poll(&p, 1, left_ms < ANSWER_WITHIN_MS ? (int)left_ms : ANSWER_WITHIN_MS) < 0 &&
            errno != EINTR)
            return false;
        if (p.revents && !PQconsumeInput(c->db))
            return true;
    }
    return true;
}

PGresult *pg_answer(struct pg_conn *c, int is_sent)
{
    int64_t within_ms = c->waits_short ? SHORT_ANSWER_WITHIN_MS : ANSWER_WITHIN_MS;
    int64_t until_ms = c->waits_long ? INT64_MAX : time_mono_ms() + within_ms;
    PGresult *kept = NULL;

    if (!is_sent)
        return c->db ? PQmakeEmptyPGresult(c->db, PGRES_FATAL_ERROR) : NULL;
    for (;;) {
        if (!wait_for_result(c, until_ms)) {
            PQclear(kept);
            pg_conn_close(c);
            return NULL;
        }
        PGresult *r = PQgetResult(c->db);
        if (!r)
            return kept;
        if (kept && !pg_is_good(kept)) {
            PQclear(r);
            continue;
        }
        PQclear(kept);
        kept = r;
    }
}

PGresult *pg_do(struct pg_conn *c, const char *sql)
{
    return pg_answer(c, c->db && PQsendQuery(c->db, sql));
}

/* ---- what errors mean ---- */

static bool is_code(str code, const char *expected)
{
    return str_eq(code, str_of(expected));
}

/* 57P01 … 57P03: shut down, crashed, starting; 57P05 and 25P03: idle for too long. */
static bool ends_connection(str code)
{
    return (str_starts(code, S("08")) && !is_code(code, "08P01")) || str_starts(code, S("57P")) ||
           is_code(code, "25P03");
}

static const char *down_because(str code)
{
    if (is_code(code, "57014"))
        return "the database took too long";
    if (is_code(code, "25006"))
        return "the database cannot be written";
    if (is_code(code, "53100"))
        return "the disk that holds the database is full";
    if (str_starts(code, S("53")))
        return "the database is out of memory, disk or connections";
    if (str_starts(code, S("58")) || str_starts(code, S("XX00")))
        return "the database cannot read or write its files";
    return NULL;
}

static enum err lost(struct pg_tx *tx, const char *reason, str code)
{
    tx->is_lost = true;
    log_event(tx->tx.cx, LOG_WARN, "store.connection_lost", F("reason", reason),
              F("sqlstate", code));
    return engine_down(tx->tx.cx, "the connection to the database was lost");
}

static enum err down(struct pg_tx *tx, const char *detail, str reason, str code)
{
    log_event(tx->tx.cx, LOG_ERROR, "store.down", F("reason", reason), F("sqlstate", code));
    return engine_down(tx->tx.cx, detail);
}

enum err pg_fault(struct pg_tx *tx, const PGresult *r, const char *sql)
{
    struct cx *cx = tx->tx.cx;
    str code = str_of(r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL);
    str words = one_line(cx->arena, r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL);

    if (!tx->conn->db)
        return down(tx, "the database did not answer", S("no answer in time"), code);
    if (PQstatus(tx->conn->db) != CONNECTION_OK || ends_connection(code))
        return lost(tx, words.n ? words.p : PQerrorMessage(tx->conn->db), code);
    if (is_code(code, "23505"))
        return E_STORE_CONFLICT;
    if (is_code(code, "40001") || is_code(code, "40P01") || is_code(code, "55P03"))
        return E_STORE_BUSY;
    /* "cached plan must not change result type"; 26000: somebody deallocated it. */
    if (is_code(code, "26000") || (is_code(code, "0A000") && str_starts(words, S("cached plan")))) {
        tx->is_stale = true;
        return E_STORE_BUSY;
    }
    if (is_code(code, "25006") && tx->is_read)
        return pg_misused(cx, "work that writes was run by store_read", sql);
    const char *because = down_because(code);
    if (because)
        return down(tx, because, words, code);
    log_event(cx, LOG_ERROR, "store.misused",
              F("reason", words.n ? words.p : PQerrorMessage(tx->conn->db)), F("sqlstate", code),
              F("sql", sql));
    return fail(cx, E_INTERNAL_ERROR, "the store refused a statement");
}

enum err pg_misused(struct cx *cx, const char *reason, const char *sql)
{
    log_event(cx, LOG_ERROR, "store.misused", F("reason", reason), F("sql", sql));
    return fail(cx, E_INTERNAL_ERROR, "%s", reason);
}
