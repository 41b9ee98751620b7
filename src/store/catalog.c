/* The catalogue: what the engines tell of tables and columns, put together and into order. */
#include "store/catalog.h"

#include "base/banned.h"
#include "store/engine.h"
#include "store/migrate.h"

/* Far more than a schema of ours will have. */
enum { TABLES_MAX = 500, COLUMNS_MAX = 200, PARENTS_MAX = 50 };

/* ---- the schema ---- */

int64_t schema_newest(void)
{
    return (int64_t)n_migrations;
}

static bool is_record(str table)
{
    return str_eq(table, S("schema_migration"));
}

static enum err has_record(struct tx *tx, bool *out)
{
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    *out = false;
    TRY(tx_query(tx, tx->engine->columns_sql, BIND(), &rows));
    while (!*out && rows_next(rows, &e))
        *out = is_record(rows_text(rows, 0));
    return *out ? E_OK : e;
}

enum err schema_find(struct cx *cx, struct tx *tx, int64_t *out)
{
    size_t recorded = 0;
    bool is_there;

    TRY(has_record(tx, &is_there));
    if (is_there)
        TRY(migrate_count(cx, tx, &recorded));
    *out = (int64_t)recorded;
    return E_OK;
}

enum err schema_raise(struct cx *cx, struct tx *tx, int64_t number)
{
    return migrate_in_tx(cx, tx, (size_t)number);
}

/* ---- columns ---- */

/* Names of types as migrations write them, and as the engines give them back. */
static bool type_of(str name, enum column_type *out)
{
    static const struct {
        const char *name;
        enum column_type type;
    } types[] = {
        {"bigint", COLUMN_INT}, {"integer", COLUMN_INT}, {"text", COLUMN_TEXT},
        {"blob", COLUMN_BLOB},  {"bytea", COLUMN_BLOB},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_ieq(name, str_of(types[i].name))) {
            *out = types[i].type;
            return true;
        }
    return false;
}

static struct table *add_table(struct arena *arena, struct catalog *catalog, str name)
{
    struct table *t = &catalog->tables[catalog->n_tables++];

    *t = (struct table){.name = arena_dup(arena, name),
                        .columns = arena_array(arena, COLUMNS_MAX, sizeof *t->columns),
                        .parents = arena_array(arena, PARENTS_MAX, sizeof *t->parents)};
    return t;
}

/* One row a column: table, column, type, place in the primary key; a table's rows together. */
static enum err read_column(struct cx *cx, const struct rows *rows, struct arena *arena,
                            struct catalog *catalog)
{
    struct table *t = catalog->n_tables ? &catalog->tables[catalog->n_tables - 1] : NULL;
    str table = rows_text(rows, 0);
    struct column column = {.name = arena_dup(arena, rows_text(rows, 1)),
                            .key_place = (int)rows_int(rows, 3)};

    if (!type_of(rows_text(rows, 2), &column.type))
        return fail(cx, E_INTERNAL_ERROR, "the column %.*s of %.*s has the type %.*s",
                    STR_ARG(column.name), STR_ARG(table), STR_ARG(rows_text(rows, 2)));
    if (!t || !str_eq(t->name, table)) {
        if (catalog->n_tables == TABLES_MAX)
            return fail(cx, E_INTERNAL_ERROR, "the store has more than %d tables", TABLES_MAX);
        t = add_table(arena, catalog, table);
    }
    if (t->n_columns == COLUMNS_MAX)
        return fail(cx, E_INTERNAL_ERROR, "%.*s has more than %d columns", STR_ARG(table),
                    COLUMNS_MAX);
    t->columns[t->n_columns++] = column;
    return E_OK;
}

static enum err read_columns(struct cx *cx, struct tx *tx, struct arena *arena,
                             struct catalog *catalog)
{
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    TRY(tx_query(tx, tx->engine->columns_sql, BIND(), &rows));
    while (rows_next(rows, &e))
        if (!is_record(rows_text(rows, 0)))
            TRY(read_column(cx, rows, arena, catalog));
    return e;
}

/* ---- foreign keys ---- */

static struct table *find(const struct catalog *catalog, str name)
{
    for (size_t i = 0; i < catalog->n_tables; i++)
        if (str_eq(catalog->tables[i].name, name))
            return &catalog->tables[i];
    return NULL;
}

const struct table *catalog_find(const struct catalog *catalog, str name)
{
    return find(catalog, name);
}

static bool has_parent(const struct table *t, str name)
{
    for (size_t i = 0; i < t->n_parents; i++)
        if (str_eq(t->parents[i], name))
            return true;
    return false;
}

/* One row a foreign key: the table that has it, the table it names. */
static enum err read_parents(struct cx *cx, struct tx *tx, struct arena *arena,
                             struct catalog *catalog)
{
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    TRY(tx_query(tx, tx->engine->parents_sql, BIND(), &rows));
    while (rows_next(rows, &e)) {
        struct table *t = find(catalog, rows_text(rows, 0));
        str parent = rows_text(rows, 1);
        if (!t || str_eq(t->name, parent) || has_parent(t, parent))
            continue;
        if (t->n_parents == PARENTS_MAX)
            return fail(cx, E_INTERNAL_ERROR, "%.*s refers to more than %d tables",
                        STR_ARG(t->name), PARENTS_MAX);
        t->parents[t->n_parents++] = arena_dup(arena, parent);
    }
    return e;
}

/* ---- order ---- */

static bool is_ready(const struct catalog *done, const struct table *t)
{
    for (size_t i = 0; i < t->n_parents; i++)
        if (!find(done, t->parents[i]))
            return false;
    return true;
}

/* Of those left, the first by name whose parents are all there, until none is left. */
static enum err put_in_order(struct cx *cx, struct arena *arena, struct catalog *catalog)
{
    struct catalog done = {.tables = arena_array(arena, TABLES_MAX, sizeof *done.tables)};

    while (done.n_tables < catalog->n_tables) {
        const struct table *next = NULL;
        for (size_t i = 0; i < catalog->n_tables; i++) {
            const struct table *t = &catalog->tables[i];
            if (!find(&done, t->name) && is_ready(&done, t) &&
                (!next || str_cmp(t->name, next->name) < 0))
                next = t;
        }
        if (!next)
            return fail(cx, E_INTERNAL_ERROR, "tables refer to each other in a circle");
        done.tables[done.n_tables++] = *next;
    }
    *catalog = done;
    return E_OK;
}

enum err catalog_read(struct cx *cx, struct tx *tx, struct arena *arena, struct catalog *out)
{
    struct catalog catalog = {.tables = arena_array(arena, TABLES_MAX, sizeof *catalog.tables)};

    TRY(read_columns(cx, tx, arena, &catalog));
    TRY(read_parents(cx, tx, arena, &catalog));
    TRY(put_in_order(cx, arena, &catalog));
    *out = catalog;
    return E_OK;
}
