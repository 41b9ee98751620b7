/*
 * Prepared statements: kept by connection, values in, rows out. Values go in binary, with the type
 * they are bound as; rows come as text, whole: pages are bounded, and statements may then be run
 * while rows are open.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

#include "store/postgres.h"

#include "base/banned.h"
#include "base/mem.h"

enum { PARAMETERS_MAX = 999, NAME_BYTES = 24 };

/* From PostgreSQL's src/include/catalog/pg_type.dat, where they are fixed; 0 lets it infer. */
enum { OID_INFER = 0, OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };

struct pg_statement {
    const char *sql; /* its address tells it from others */
    char *text;      /* what stood there when it was prepared */
    Oid *types;
    size_t n_values;
    char name[NAME_BYTES];
    uint64_t used_at;
};

struct pg_rows {
    struct rows rows;
    PGresult *result;
    int at; /* -1: before the first */
};

/* ---- keeping them ---- */

static void statement_free(struct pg_statement *s)
{
    if (!s)
        return;
    free(s->text);
    free(s->types);
    free(s);
}

void pg_statements_drop(struct pg_conn *c)
{
    for (int set = 0; set < PG_SETS; set++)
        for (int way = 0; way < PG_WAYS; way++) {
            statement_free(c->kept[set][way]);
            c->kept[set][way] = NULL;
        }
}

static size_t set_of(const char *sql)
{
    return (size_t)(((uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % PG_SETS;
}

static Oid type_of(const struct bind *b)
{
    switch (b->kind) {
    case BIND_INT:
        return OID_INT8;
    case BIND_TEXT:
        return OID_TEXT;
    case BIND_BLOB:
        return OID_BYTEA;
    case BIND_NULL:
        break;
    }
    return OID_INFER;
}

/* The text is compared too, so that a text that is not static costs time, and is never mistaken. */
static bool is_same(const struct pg_statement *s, const char *sql, struct binds binds)
{
    if (!s || s->sql != sql || s->n_values != binds.n || strcmp(s->text, sql) != 0)
        return false;
    for (size_t i = 0; i < binds.n; i++)
        if (s->types[i] != type_of(&binds.list[i]))
            return false;
    return true;
}

static struct pg_statement **place_of(struct pg_conn *c, const char *sql, struct binds binds)
{
    struct pg_statement **set = c->kept[set_of(sql)];
    struct pg_statement **victim = NULL;

    for (int way = 0; way < PG_WAYS; way++) {
        if (is_same(set[way], sql, binds))
            return &set[way];
        if (!victim || (*victim && (!set[way] || set[way]->used_at < (*victim)->used_at)))
            victim = &set[way];
    }
    return victim;
}

/* How many values the text names: the highest $n outside of quotes and comments, or -1 for gaps. */
static int count_values(const char *sql)
{
    bool is_named[PARAMETERS_MAX + 1] = {false};
    int highest = 0;

    for (const char *p = sql; *p; p++) {
        if (*p == '\'' || *p == '"') {
            const char *end = strchr(p + 1, *p);
            p = end ? end : p + strlen(p) - 1;
        } else if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n") - 1;
        } else if (*p == '$') {
            size_t n = strspn(p + 1, "0123456789");
            uint64_t number;
            if (!str_parse_u64((str){p + 1, n}, PARAMETERS_MAX, &number) || number == 0)
                return -1;
            is_named[number] = true;
            highest = (int)number > highest ? (int)number : highest;
        }
    }
    for (int i = 1; i <= highest; i++)
        if (!is_named[i])
            return -1;
    return highest;
}

static enum err check_values(struct cx *cx, const char *sql, struct binds binds)
{
    int n = count_values(sql);

    if (n < 0)
        return pg_misused(cx, "values are written $1, $2, … without gaps", sql);
    if ((size_t)n != binds.n)
        return pg_misused(cx, "a statement was given more or fewer values than it has", sql);
    return E_OK;
}

static struct pg_statement *statement_new(struct pg_conn *c, const char *sql, struct binds binds)
{
    struct pg_statement *s = mem_new(sizeof *s);

    s->sql = sql;
    s->text = strdup(sql);
    s->n_values = binds.n;
    s->types = mem_new_array(binds.n, sizeof *s->types);
    for (size_t i = 0; i < binds.n; i++)
        s->types[i] = type_of(&binds.list[i]);
    snprintf(s->name, sizeof s->name, "s%" PRIu64, ++c->n_prepared);
    return s;
}

/* The answer of the server is checked, and cleared. */
static enum err expect_good(struct pg_tx *tx, PGresult *r, const char *sql)
{
    enum err e = pg_is_good(r) ? E_OK : pg_fault(tx, r, sql);

    PQclear(r);
    return e;
}

static enum err forget(struct pg_tx *tx, struct pg_statement **place)
{
    char sql[NAME_BYTES + 16];

    if (!*place)
        return E_OK;
    snprintf(sql, sizeof sql, "DEALLOCATE %s", (*place)->name);
    statement_free(*place);
    *place = NULL;
    return expect_good(tx, pg_do(tx->conn, sql), "DEALLOCATE");
}

static enum err prepare(struct pg_tx *tx, const char *sql, struct binds binds,
                        struct pg_statement **place)
{
    struct pg_conn *c = tx->conn;

    TRY(check_values(tx->tx.cx, sql, binds));
    TRY(forget(tx, place));
    struct pg_statement *s = statement_new(c, sql, binds);
    PGresult *r = pg_answer(c, PQsendPrepare(c->db, s->name, sql, (int)s->n_values, s->types));
    enum err e = expect_good(tx, r, sql);
    if (e != E_OK) {
        statement_free(s);
        return e;
    }
    *place = s;
    return E_OK;
}

/* ---- running ---- */

struct values {
    const char *at[PARAMETERS_MAX];
    int bytes[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    uint64_t numbers[PARAMETERS_MAX];
};

static void put_values(struct values *v, struct binds binds)
{
    for (size_t i = 0; i < binds.n; i++) {
        const struct bind *b = &binds.list[i];
        v->formats[i] = 1;
        if (b->kind == BIND_INT) {
            v->numbers[i] = htobe64((uint64_t)b->number);
            v->at[i] = (const char *)&v->numbers[i];
            v->bytes[i] = (int)sizeof v->numbers[i];
        } else {
            v->at[i] = b->kind == BIND_NULL ? NULL : b->bytes.p;
            v->bytes[i] = (int)b->bytes.n;
        }
    }
}

static enum err run(struct tx *tx, const char *sql, struct binds binds, PGresult **out)
{
    struct pg_tx *t = pg_tx_of(tx);
    struct pg_conn *c = t->conn;
    struct values v;

    if (!c->db)
        return engine_down(tx->cx, "the connection to the database was lost");
    struct pg_statement **place = place_of(c, sql, binds);
    if (!is_same(*place, sql, binds))
        TRY(prepare(t, sql, binds, place));
    (*place)->used_at = ++c->uses;
    put_values(&v, binds);
    PGresult *r = pg_answer(
        c, PQsendQueryPrepared(c->db, (*place)->name, (int)binds.n, v.at, v.bytes, v.formats, 0));
    if (pg_is_good(r)) {
        *out = r;
        return E_OK;
    }
    enum err e = PQresultStatus(r) == PGRES_EMPTY_QUERY
                     ? pg_misused(tx->cx, "a statement is empty", sql)
                     : pg_fault(t, r, sql);
    PQclear(r);
    return e;
}

enum err pg_exec(struct tx *tx, const char *sql, struct binds binds, int64_t *changed)
{
    PGresult *r;

    TRY(run(tx, sql, binds, &r));
    str tag = str_of(PQcmdStatus(r));
    bool is_change = str_starts(tag, S("INSERT")) || str_starts(tag, S("UPDATE")) ||
                     str_starts(tag, S("DELETE"));
    if (changed)
        *changed = is_change ? strtoll(PQcmdTuples(r), NULL, 10) : 0;
    PQclear(r);
    return E_OK;
}

enum err pg_query(struct tx *tx, const char *sql, struct binds binds, struct rows **out)
{
    PGresult *r;

    TRY(run(tx, sql, binds, &r));
    struct pg_rows *rows = mem_new(sizeof *rows);
    rows->result = r;
    rows->at = -1;
    *out = &rows->rows;
    return E_OK;
}

enum err pg_script(struct tx *tx, const char *sql)
{
    struct pg_tx *t = pg_tx_of(tx);

    return expect_good(t, pg_do(t->conn, sql), "a migration");
}

/* ---- values out ---- */

static struct pg_rows *pg_rows_of(const struct rows *rows)
{
    return (struct pg_rows *)rows;
}

bool pg_next(struct rows *rows, enum err *e)
{
    struct pg_rows *r = pg_rows_of(rows);

    (void)e;
    if (r->at < PQntuples(r->result))
        r->at++;
    return r->at < PQntuples(r->result);
}

void pg_close_rows(struct rows *rows)
{
    PQclear(pg_rows_of(rows)->result);
    free(rows);
}

static const char *value_at(const struct rows *rows, int column)
{
    const struct pg_rows *r = pg_rows_of(rows);

    assert(r->at >= 0 && r->at < PQntuples(r->result));
    assert(column >= 0 && column < PQnfields(r->result));
    return PQgetisnull(r->result, r->at, column) ? NULL : PQgetvalue(r->result, r->at, column);
}

/* sum() of BIGINT is NUMERIC, which reads the same. */
int64_t pg_int_at(const struct rows *rows, int column)
{
    const char *value = value_at(rows, column);

    if (!value)
        return 0;
    if (PQftype(pg_rows_of(rows)->result, column) == OID_BOOL)
        return value[0] == 't';
    return strtoll(value, NULL, 10);
}

/* "\x" and two digits a byte, since bytea_output is hex. */
static str bytes_of(struct arena *arena, str hex)
{
    size_t n = (hex.n - 2) / 2;
    char *out = arena_alloc(arena, n + 1);

    for (size_t i = 0; i < n; i++)
        out[i] = (char)(hex_value(hex.p[2 + 2 * i]) << 4 | hex_value(hex.p[3 + 2 * i]));
    return (str){out, n};
}

str pg_text_at(const struct rows *rows, int column)
{
    const struct pg_rows *r = pg_rows_of(rows);
    const char *value = value_at(rows, column);

    if (!value)
        return STR_NONE;
    str text = {value, (size_t)PQgetlength(r->result, r->at, column)};
    if (PQftype(r->result, column) == OID_BYTEA)
        return bytes_of(rows->tx->cx->arena, text);
    return text;
}
