/* Putting a backup into an empty store: one transaction around all of it. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "backup/ops.h"
#include "backup/queries.h"
#include "base/banned.h"
#include "base/mem.h"

/* What is gathered for one statement, whatever a row holds. */
enum { BATCH_BYTES = 4 * 1024 * 1024 };

struct restore {
    int fd;
    const char *path;
    struct backup_summary *out;
};

/* Rows of one table, on their way. */
struct batch {
    const struct table *table;
    struct table_sql sql;
    struct bind *values;
    size_t rows;
    int64_t bytes;
};

/* ---- an empty store ---- */

static enum err check_table_empty(struct cx *cx, struct tx *tx, struct arena *arena,
                                  const struct table *t)
{
    struct table_sql sql;
    int64_t n;

    TRY(table_sql_make(cx, arena, t, &sql));
    TRY(tx_one_int(tx, sql.any, BIND(), &n));
    if (n == 0)
        return E_OK;
    return fail(cx, E_INVALID_REQUEST,
                "the store is not empty (there are rows in %.*s): a backup is restored into a new "
                "database only, name one in database_url",
                STR_ARG(t->name));
}

/* Migrations that another process might run wait from here on. */
static enum err check_empty(struct cx *cx, struct tx *tx, struct arena *arena, int64_t wanted)
{
    struct catalog catalog;
    int64_t schema;

    TRY(schema_raise(cx, tx, 0));
    TRY(schema_find(cx, tx, &schema));
    TRY(catalog_read(cx, tx, arena, &catalog));
    if (schema == 0 && catalog.n_tables)
        return fail(
            cx, E_INVALID_REQUEST,
            "the store is not empty (there is a table %.*s, which is not sallyport's): name "
            "a new database in database_url",
            STR_ARG(catalog.tables[0].name));
    for (size_t i = 0; i < catalog.n_tables; i++)
        TRY(check_table_empty(cx, tx, arena, &catalog.tables[i]));
    if (schema > wanted)
        return fail(cx, E_INVALID_REQUEST,
                    "the store has schema %" PRId64 " already, and the backup has %" PRId64
                    ": name a new database in database_url",
                    schema, wanted);
    return E_OK;
}

/* ---- rows ---- */

/* The store said what it has against a row; here it is said which. */
static enum err refused(struct cx *cx, const struct unpacker *r, const struct batch *b, enum err e)
{
    if (e == E_STORE_BUSY || e == E_STORE_DOWN)
        return e;
    return fail(cx, E_INVALID_REQUEST,
                "%s cannot be restored: the store refuses rows of %.*s up to line %" PRId64,
                r->name, STR_ARG(b->table->name), r->lines);
}

static enum err insert(struct tx *tx, const struct batch *b, size_t from, size_t rows)
{
    size_t width = b->table->n_columns;

    return tx_exec(tx, rows == 1 ? b->sql.insert_one : b->sql.insert_many,
                   (struct binds){&b->values[from * width], rows * width}, NULL);
}

static enum err flush(struct cx *cx, struct tx *tx, const struct unpacker *r, struct batch *b)
{
    enum err e = E_OK;

    if (b->rows == b->sql.rows_at_once)
        e = insert(tx, b, 0, b->rows);
    else
        for (size_t i = 0; i < b->rows && e == E_OK; i++)
            e = insert(tx, b, i, 1);
    if (e != E_OK)
        return refused(cx, r, b, e);
    b->rows = 0;
    b->bytes = 0;
    arena_reset(cx->arena);
    return E_OK;
}

/* The table that is being read, if there is one left. */
static enum err begin_table(struct cx *cx, const struct unpacker *r, struct batch *b)
{
    *b = (struct batch){0};
    if (r->table == r->header.catalog.n_tables)
        return E_OK;
    b->table = &r->header.catalog.tables[r->table];
    TRY(table_sql_make(cx, r->arena, b->table, &b->sql));
    b->values = arena_array(r->arena, b->sql.rows_at_once * b->table->n_columns, sizeof *b->values);
    return E_OK;
}

static enum err insert_all(struct cx *cx, struct tx *tx, struct unpacker *r)
{
    enum unpacked line = UNPACKED_ROW;
    struct batch b;

    TRY(begin_table(cx, r, &b));
    while (line != UNPACKED_END) {
        struct bind *values = b.values ? &b.values[b.rows * b.table->n_columns] : NULL;
        TRY(unpacker_next(cx, r, values, &line));
        if (line == UNPACKED_ROW) {
            b.rows++;
            b.bytes += (int64_t)r->line.n;
        }
        if (b.rows &&
            (line != UNPACKED_ROW || b.rows == b.sql.rows_at_once || b.bytes > BATCH_BYTES))
            TRY(flush(cx, tx, r, &b));
        if (line == UNPACKED_TABLE_END)
            TRY(begin_table(cx, r, &b));
    }
    return E_OK;
}

/* ---- all of it ---- */

/* Names in statements are the store's own: the file's are the same, or nothing is restored. Which
 * columns are the key is taken from the store. */
static enum err take_tables(struct cx *cx, struct tx *tx, struct unpacker *r)
{
    struct catalog store;

    TRY(catalog_read(cx, tx, r->arena, &store));
    str fault = catalog_fault(cx->arena, &r->header.catalog, &store);
    if (!str_is_none(fault))
        return fail(cx, E_INVALID_REQUEST,
                    "%s cannot be restored: its schema is %" PRId64 ", but %.*s", r->name,
                    r->header.schema, STR_ARG(fault));
    for (size_t i = 0; i < r->header.catalog.n_tables; i++)
        r->header.catalog.tables[i] = *catalog_find(&store, r->header.catalog.tables[i].name);
    return E_OK;
}

static enum err restore_with(struct cx *cx, struct tx *tx, struct restore *job, struct unpacker *r,
                             struct arena *arena)
{
    if (lseek(job->fd, 0, SEEK_SET) != 0)
        return fail(cx, E_INVALID_REQUEST, "cannot read %s: %s", job->path, strerror(errno));
    TRY(unpacker_start(cx, r, job->fd, job->path, arena));
    TRY(check_empty(cx, tx, arena, r->header.schema));
    TRY(schema_raise(cx, tx, r->header.schema));
    TRY(take_tables(cx, tx, r));
    TRY(insert_all(cx, tx, r));
    return schema_raise(cx, tx, schema_newest());
}

/* May run again, as all work may: it begins at the start of the file. */
static enum err restore(struct cx *cx, struct tx *tx, void *arg)
{
    DROP(arena) struct arena *arena = arena_new();
    struct unpacker *r = mem_new(sizeof *r);
    struct restore *job = arg;
    struct page_memory memory;

    page_begin(cx, &memory);
    enum err e = restore_with(cx, tx, job, r, arena);
    page_end(cx, &memory);
    if (e == E_OK)
        backup_summarise(cx, r, job->out);
    unpacker_drop(r);
    free(r);
    return e;
}

enum err backup_restore(struct cx *cx, const char *path, struct backup_summary *out)
{
    struct restore job = {.path = path, .out = out};

    TRY(backup_open_file(cx, path, &job.fd));
    enum err e = store_run_large(cx, restore, &job);
    close(job.fd);
    return e;
}
