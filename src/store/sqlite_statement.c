/* Prepared statements: kept by connection, values in, rows out. */
#include <assert.h>

#include "store/sqlite.h"

#include "base/banned.h"
#include "base/mem.h"

enum { PARAMETERS_MAX = 999 };

/* A prepared statement, and the rows it is giving. */
struct statement {
    struct rows rows; /* first: a set of rows is its statement */
    const char *sql;
    sqlite3_stmt *prepared;
    int *place; /* of $n in the statement, at n - 1: SQLite takes $1 for a name */
    int n_values;
    int answer; /* of the step that the next call of sqlite_next gives */
    bool is_stepped;
    bool is_busy;
    bool is_kept;
    uint64_t used_at;
};

/* ---- keeping them ---- */

static void statement_free(struct statement *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->prepared);
    free(s->place);
    free(s);
}

void statements_drop(struct conn *c)
{
    for (int set = 0; set < CONN_SETS; set++)
        for (int way = 0; way < CONN_WAYS; way++) {
            statement_free(c->kept[set][way]);
            c->kept[set][way] = NULL;
        }
}

static size_t set_of(const char *sql)
{
    return (size_t)(((uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % CONN_SETS;
}

/* Where each $n stands; false: a parameter is not written $1 … $n. */
static bool find_places(struct statement *s)
{
    int n = sqlite3_bind_parameter_count(s->prepared);

    if (n > PARAMETERS_MAX)
        return false;
    s->place = mem_new_array((size_t)n, sizeof *s->place);
    s->n_values = n;
    for (int i = 1; i <= n; i++) {
        str name = str_of(sqlite3_bind_parameter_name(s->prepared, i));
        uint64_t number;
        if (!str_starts(name, S("$")) ||
            !str_parse_u64(str_sub(name, 1, name.n), (uint64_t)n, &number) || number == 0)
            return false;
        s->place[number - 1] = i;
    }
    return true;
}

static enum err statement_new(struct conn *c, struct cx *cx, const char *sql,
                              struct statement **out)
{
    struct statement *s = mem_new(sizeof *s);
    const char *rest = "";
    int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->prepared, &rest);
    enum err e = E_OK;

    s->sql = sql;
    if (rc != SQLITE_OK)
        e = conn_fault(c, cx, rc, sql);
    else if (!s->prepared)
        e = conn_misused(cx, "a statement is empty", sql);
    else if (rest[strspn(rest, "; \n")])
        e = conn_misused(cx, "more than one statement at once", sql);
    else if (!find_places(s))
        e = conn_misused(cx, "values are written $1, $2, … without gaps", sql);
    if (e != E_OK) {
        statement_free(s);
        return e;
    }
    *out = s;
    return E_OK;
}

/* The text is compared too, so that a text that is not static costs time, and is never mistaken. */
static struct statement *find_kept(struct conn *c, const char *sql)
{
    struct statement **set = c->kept[set_of(sql)];

    for (int way = 0; way < CONN_WAYS; way++)
        if (set[way] && set[way]->sql == sql && !set[way]->is_busy &&
            strcmp(sqlite3_sql(set[way]->prepared), sql) == 0)
            return set[way];
    return NULL;
}

static void keep(struct conn *c, struct statement *s)
{
    struct statement **set = c->kept[set_of(s->sql)];
    struct statement **victim = NULL;

    for (int way = 0; way < CONN_WAYS && !(victim && !*victim); way++)
        if (!set[way] ||
            (!set[way]->is_busy && (!victim || set[way]->used_at < (*victim)->used_at)))
            victim = &set[way];
    if (!victim)
        return; /* all four are giving rows: used once, then freed */
    statement_free(*victim);
    *victim = s;
    s->is_kept = true;
}

static enum err statement_take(struct conn *c, struct cx *cx, const char *sql,
                               struct statement **out)
{
    struct statement *s = find_kept(c, sql);

    if (!s) {
        TRY(statement_new(c, cx, sql, &s));
        keep(c, s);
    }
    s->is_busy = true;
    s->is_stepped = false;
    s->used_at = ++c->uses;
    *out = s;
    return E_OK;
}

/* Values are forgotten, since they are loans. */
static void statement_give(struct statement *s)
{
    sqlite3_reset(s->prepared);
    sqlite3_clear_bindings(s->prepared);
    s->is_busy = false;
    if (!s->is_kept)
        statement_free(s);
}

int conn_do(struct conn *c, const char *sql)
{
    struct statement *s = find_kept(c, sql);
    int rc;

    if (!s) {
        s = mem_new(sizeof *s);
        s->sql = sql;
        rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->prepared, NULL);
        if (rc != SQLITE_OK) {
            statement_free(s);
            return rc;
        }
        keep(c, s);
    }
    s->used_at = ++c->uses;
    rc = sqlite3_step(s->prepared);
    statement_give(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* ---- values in ---- */

static int bind_one(sqlite3_stmt *s, int at, const struct bind *b, sqlite3_destructor_type life)
{
    switch (b->kind) {
    case BIND_INT:
        return sqlite3_bind_int64(s, at, b->number);
    case BIND_TEXT:
        if (str_is_none(b->bytes))
            return sqlite3_bind_null(s, at);
        return sqlite3_bind_text64(s, at, b->bytes.p, b->bytes.n, life, SQLITE_UTF8);
    case BIND_BLOB:
        return sqlite3_bind_blob64(s, at, b->bytes.p, b->bytes.n, life);
    case BIND_NULL:
        break;
    }
    return sqlite3_bind_null(s, at);
}

static enum err bind_all(struct conn *c, struct cx *cx, struct statement *s, struct binds binds,
                         sqlite3_destructor_type life)
{
    if (binds.n != (size_t)s->n_values)
        return conn_misused(cx, "a statement was given more or fewer values than it has", s->sql);
    for (size_t i = 0; i < binds.n; i++) {
        int rc = bind_one(s->prepared, s->place[i], &binds.list[i], life);
        if (rc != SQLITE_OK)
            return conn_fault(c, cx, rc, s->sql);
    }
    return E_OK;
}

static struct conn *conn_of(const struct tx *tx)
{
    return ((const struct sqlite_tx *)tx)->conn;
}

/* Ready to step; given back already on failure. */
static enum err start(struct tx *tx, const char *sql, struct binds binds,
                      sqlite3_destructor_type life, struct statement **out)
{
    struct conn *c = conn_of(tx);
    struct statement *s;
    enum err e = E_OK;

    TRY(statement_take(c, tx->cx, sql, &s));
    bool may_write = c->role != CONN_READER && c->role != CONN_VISITOR;
    if (!may_write && !sqlite3_stmt_readonly(s->prepared))
        e = conn_misused(tx->cx, "work that writes was run by store_read", sql);
    if (e == E_OK)
        e = bind_all(c, tx->cx, s, binds, life);
    if (e != E_OK) {
        statement_give(s);
        return e;
    }
    *out = s;
    return E_OK;
}

/* ---- running ---- */

enum err sqlite_exec(struct tx *tx, const char *sql, struct binds binds, int64_t *changed)
{
    struct conn *c = conn_of(tx);
    struct statement *s;
    enum err e = E_OK;
    int rc;

    TRY(start(tx, sql, binds, SQLITE_STATIC, &s));
    int64_t before = sqlite3_total_changes64(c->db);
    do
        rc = sqlite3_step(s->prepared);
    while (rc == SQLITE_ROW);
    if (rc != SQLITE_DONE)
        e = conn_fault(c, tx->cx, rc, sql);
    else if (changed) /* a statement that changes no row leaves the count of the one before */
        *changed = sqlite3_total_changes64(c->db) == before ? 0 : sqlite3_changes64(c->db);
    statement_give(s);
    return e;
}

/* The first step is made here, so that an INSERT … RETURNING has happened, or failed, by then. */
enum err sqlite_query(struct tx *tx, const char *sql, struct binds binds, struct rows **out)
{
    struct statement *s;

    TRY(start(tx, sql, binds, SQLITE_TRANSIENT, &s));
    s->answer = sqlite3_step(s->prepared);
    if (s->answer != SQLITE_ROW && s->answer != SQLITE_DONE) {
        enum err e = conn_fault(conn_of(tx), tx->cx, s->answer, sql);
        statement_give(s);
        return e;
    }
    *out = &s->rows;
    return E_OK;
}

enum err sqlite_script(struct tx *tx, const char *sql)
{
    struct conn *c = conn_of(tx);
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? E_OK : conn_fault(c, tx->cx, rc, "a migration");
}

/* ---- values out ---- */

static struct statement *statement_of(const struct rows *rows)
{
    return (struct statement *)rows;
}

bool sqlite_next(struct rows *rows, enum err *e)
{
    struct statement *s = statement_of(rows);

    /* Past the end SQLite would run the statement again. */
    if (s->is_stepped && s->answer == SQLITE_ROW)
        s->answer = sqlite3_step(s->prepared);
    s->is_stepped = true;
    if (s->answer != SQLITE_ROW && s->answer != SQLITE_DONE)
        *e = conn_fault(conn_of(rows->tx), rows->tx->cx, s->answer, s->sql);
    return s->answer == SQLITE_ROW;
}

void sqlite_close_rows(struct rows *rows)
{
    statement_give(statement_of(rows));
}

static sqlite3_stmt *row_at(const struct rows *rows, int column)
{
    const struct statement *s = statement_of(rows);

    assert(s->is_stepped && column >= 0 && column < sqlite3_data_count(s->prepared));
    return s->prepared;
}

int64_t sqlite_int_at(const struct rows *rows, int column)
{
    return sqlite3_column_int64(row_at(rows, column), column);
}

str sqlite_text_at(const struct rows *rows, int column)
{
    sqlite3_stmt *s = row_at(rows, column);
    int type = sqlite3_column_type(s, column);
    const void *p;

    if (type == SQLITE_NULL)
        return STR_NONE;
    p = type == SQLITE_BLOB ? sqlite3_column_blob(s, column) : sqlite3_column_text(s, column);
    return (str){p ? p : "", p ? (size_t)sqlite3_column_bytes(s, column) : 0};
}
