/* Statements for tables that are known by the catalogue alone. */
#include "backup/queries.h"

#include <inttypes.h>

#include "base/banned.h"
#include "base/buf.h"
#include "base/text.h"

/* What both engines take in one statement, and what still gains by being in one. */
enum { VALUES_AT_ONCE = 900, ROWS_AT_ONCE_MAX = 64, SQL_MAX_BYTES = 256 * 1024 };

/* ---- pieces ---- */

/* Names are those of migrations; quoted, as one may be a word of SQL. */
static void put_name(struct buf *sql, str name)
{
    buf_printf(sql, "\"%.*s\"", STR_ARG(name));
}

static void put_columns(struct buf *sql, const struct table *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        buf_put(sql, i ? S(", ") : S(""));
        put_name(sql, t->columns[i].name);
    }
}

static size_t put_key(struct buf *sql, const struct table *t)
{
    size_t n = 0;

    for (int place = 1; place <= (int)t->n_columns; place++)
        for (size_t i = 0; i < t->n_columns; i++)
            if (t->columns[i].key_place == place) {
                buf_put(sql, n++ ? S(", ") : S(""));
                put_name(sql, t->columns[i].name);
            }
    return n;
}

static void put_values(struct buf *sql, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(sql, "%s$%zu", i ? ", " : "", from + i);
}

/* The text as it stands in the arena; the buffer is empty again. */
static const char *take(struct arena *arena, struct buf *sql)
{
    const char *out = arena_dup(arena, buf_str(sql)).p;

    buf_clear(sql);
    return out;
}

/* ---- statements ---- */

static const char *page(struct arena *arena, struct buf *sql, const struct table *t, size_t n_keys)
{
    buf_put(sql, S("SELECT "));
    put_columns(sql, t);
    buf_put(sql, S(" FROM "));
    put_name(sql, t->name);
    if (n_keys) {
        buf_put(sql, S(" WHERE ("));
        put_key(sql, t);
        buf_put(sql, S(") > ("));
        put_values(sql, 2, n_keys);
        buf_put(sql, S(")"));
    }
    buf_put(sql, S(" ORDER BY "));
    put_key(sql, t);
    buf_put(sql, S(" LIMIT $1"));
    return take(arena, sql);
}

static const char *insert(struct arena *arena, struct buf *sql, const struct table *t, size_t rows)
{
    buf_put(sql, S("INSERT INTO "));
    put_name(sql, t->name);
    buf_put(sql, S(" ("));
    put_columns(sql, t);
    buf_put(sql, S(") VALUES "));
    for (size_t i = 0; i < rows; i++) {
        buf_put(sql, i ? S(", (") : S("("));
        put_values(sql, 1 + i * t->n_columns, t->n_columns);
        buf_put(sql, S(")"));
    }
    return take(arena, sql);
}

enum err table_sql_make(struct cx *cx, struct arena *arena, const struct table *t,
                        struct table_sql *out)
{
    DROP(buf) struct buf sql;
    size_t rows = VALUES_AT_ONCE / t->n_columns;

    buf_init(&sql, SQL_MAX_BYTES);
    *out = (struct table_sql){.rows_at_once = rows < ROWS_AT_ONCE_MAX ? rows : ROWS_AT_ONCE_MAX,
                              .n_keys = put_key(&sql, t)};
    buf_clear(&sql);
    if (out->n_keys == 0)
        return fail(cx, E_INTERNAL_ERROR, "the table %.*s has no primary key", STR_ARG(t->name));
    out->first_page = page(arena, &sql, t, 0);
    out->next_page = page(arena, &sql, t, out->n_keys);
    out->count = arena_printf(arena, "SELECT count(*) FROM \"%.*s\"", STR_ARG(t->name)).p;
    out->any = arena_printf(arena, "SELECT count(*) FROM (SELECT 1 FROM \"%.*s\" LIMIT 1) a",
                            STR_ARG(t->name))
                   .p;
    out->insert_many = insert(arena, &sql, t, out->rows_at_once);
    out->insert_one = insert(arena, &sql, t, 1);
    return E_OK;
}

/* ---- values ---- */

/* SQLite keeps in a column what it was given, a fraction too. */
static bool read_int(str text, int64_t *out)
{
    char digits[24], again[24];

    if (text.n >= sizeof digits)
        return false;
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    *out = strtoll(digits, NULL, 10);
    snprintf(again, sizeof again, "%" PRId64, *out);
    return strcmp(digits, again) == 0;
}

static bool is_text(str text)
{
    return !text.n || (!memchr(text.p, 0, text.n) && text_valid_prefix(text).n == text.n);
}

enum err table_row_values(struct cx *cx, const struct rows *rows, const struct table *t,
                          struct bind *values)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        enum column_type type = t->columns[i].type;
        str text = rows_text(rows, (int)i);
        bool is_fit = true;
        values[i] = value_null(type);
        if (str_is_none(text))
            continue;
        if (type == COLUMN_INT) {
            values[i] = INT(0);
            is_fit = read_int(text, &values[i].number);
        } else if (type == COLUMN_TEXT) {
            values[i] = TEXT(text);
            is_fit = is_text(text);
        } else {
            values[i] = BLOB(text.p, text.n);
        }
        if (!is_fit)
            return fail(cx, E_INTERNAL_ERROR, "%.*s holds a value in %.*s that is no %s",
                        STR_ARG(t->name), STR_ARG(t->columns[i].name),
                        type == COLUMN_INT ? "whole number" : "text");
    }
    return E_OK;
}
