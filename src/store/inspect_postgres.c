/* A PostgreSQL database, asked in a transaction that may not write. */
#include <libpq-fe.h>

#include "store/inspector.h"

#include "base/banned.h"
#include "base/time.h"

static str ask(const struct inspector *inspector, const char *sql)
{
    PGresult *r = PQexec(inspector->db, sql);
    str out = STR_NONE;

    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0 && !PQgetisnull(r, 0, 0))
        out = arena_dup(inspector->arena, str_of(PQgetvalue(r, 0, 0)));
    PQclear(r);
    return out;
}

static bool is_true(const struct inspector *inspector, const char *sql)
{
    return str_eq(ask(inspector, sql), S("t"));
}

static void ask_server(const struct inspector *i, struct store_facts *out)
{
    PGconn *db = i->db;

    out->version = PQserverVersion(db);
    out->encoding = arena_dup(i->arena, str_of(PQparameterStatus(db, "server_encoding")));
    out->host = arena_dup(i->arena, str_of(PQhost(db)));
    out->is_encrypted = PQsslInUse(db);
    out->fsync = ask(i, "SHOW fsync");
    out->full_page_writes = ask(i, "SHOW full_page_writes");
    out->synchronous_commit = ask(i, "SHOW synchronous_commit");
    out->connections_max = inspect_int(i, "SHOW max_connections");
    out->connections_reserved = inspect_int(i, "SHOW superuser_reserved_connections");
    out->connections_used =
        inspect_int(i, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                       " AND application_name <> 'sallyport doctor'");
    out->is_replica = is_true(i, "SELECT pg_is_in_recovery()"
                                 " OR current_setting('default_transaction_read_only')::bool");
    out->may_create = is_true(i, "SELECT has_schema_privilege('public', 'CREATE')");
    out->clock_ms = inspect_int(i, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    out->asked_at_ms = time_now_ms();
}

/* libpq's sentences end with a newline, and some have several lines; none holds the password. */
static str first_line(struct arena *arena, const char *text)
{
    str rest = arena_dup(arena, str_trim(str_of(text)));

    return str_cut(&rest, S("\n"));
}

void inspect_postgres(struct arena *arena, str url, struct store_facts *out)
{
    static const char *const names[] = {"connect_timeout", "dbname",  "application_name",
                                        "client_encoding", "options", NULL};
    const char *const values[] = {"5",    arena_dup(arena, url).p,      "sallyport doctor",
                                  "UTF8", "-c statement_timeout=30000", NULL};
    PGconn *db = PQconnectdbParams(names, values, 1);
    struct inspector inspector = {.arena = arena, .db = db, .is_postgres = true, .ask = ask};

    if (PQstatus(db) == CONNECTION_OK) {
        ask_server(&inspector, out);
        PQclear(PQexec(db, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"));
        inspect_content(&inspector, out);
    } else {
        out->fault = first_line(arena, PQerrorMessage(db));
    }
    PQfinish(db);
}
