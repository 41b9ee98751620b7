/* Writing a backup, and judging one. */
#include "backup/ops.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "backup/file.h"
#include "backup/packer.h"
#include "backup/queries.h"
#include "base/banned.h"
#include "base/mem.h"
#include "instance/instance.h"

/* A page is as many rows as fit into some memory, whatever a row holds. */
enum { PAGE_FIRST_ROWS = 100, PAGE_ROWS_MAX = 1000, PAGE_BYTES = 1024 * 1024 };

void page_begin(struct cx *cx, struct page_memory *m)
{
    m->outer = cx->arena;
    cx->arena = arena_new();
}

void page_end(struct cx *cx, struct page_memory *m)
{
    struct arena *inner = cx->arena;

    cx->failure.detail = arena_dup(m->outer, cx->failure.detail);
    cx->failure.hint = arena_dup(m->outer, cx->failure.hint);
    cx->arena = m->outer;
    arena_drop(&inner);
}

/* ---- one table ---- */

struct dump {
    struct new_file file;
    struct packer *packer;
    struct arena *arena; /* outlives the pages */
    int tries;
};

/* Where the next page begins. */
struct place {
    struct table_sql sql;
    struct bind *values; /* of a row */
    struct bind *after;  /* $1 …: how many rows, and the key of the last one */
    struct arena *keys;  /* what that key is kept in */
    int64_t limit;
    bool is_first;
};

static struct bind copy(struct arena *arena, struct bind value)
{
    if (value.kind == BIND_TEXT || value.kind == BIND_BLOB)
        value.bytes = arena_dup(arena, value.bytes);
    return value;
}

static void remember(struct place *p, const struct table *t)
{
    arena_reset(p->keys);
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].key_place)
            p->after[t->columns[i].key_place] = copy(p->keys, p->values[i]);
    p->is_first = false;
}

static enum err write_page(struct cx *cx, struct tx *tx, struct packer *w, const struct table *t,
                           struct place *p, int64_t *n)
{
    const char *sql = p->is_first ? p->sql.first_page : p->sql.next_page;
    struct binds binds = {p->after, 1 + (p->is_first ? 0 : p->sql.n_keys)};
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    p->after[0] = INT(p->limit);
    TRY(tx_query(tx, sql, binds, &rows));
    for (*n = 0; rows_next(rows, &e); ++*n) {
        TRY(table_row_values(cx, rows, t, p->values));
        TRY(packer_put_row(cx, w, t, p->values));
        if (*n + 1 == p->limit)
            remember(p, t);
    }
    return e;
}

static int64_t next_limit(int64_t limit, int64_t bytes)
{
    if (bytes > PAGE_BYTES)
        return limit > 1 ? limit / 2 : 1;
    return limit * 2 < PAGE_ROWS_MAX ? limit * 2 : PAGE_ROWS_MAX;
}

/* The pages are told to hold all: a key that paging passes over, as a NULL, would be lost else. */
static enum err check_count(struct cx *cx, struct tx *tx, const struct place *p,
                            const struct table *t, int64_t written)
{
    int64_t there;

    TRY(tx_one_int(tx, p->sql.count, BIND(), &there));
    if (there == written)
        return E_OK;
    return fail(cx, E_INTERNAL_ERROR, "%.*s has %" PRId64 " rows, and %" PRId64 " were read",
                STR_ARG(t->name), there, written);
}

static enum err write_pages(struct cx *cx, struct tx *tx, struct packer *w, const struct table *t,
                            struct place *p)
{
    int64_t n, asked;

    do {
        int64_t before = w->z.total_in > INT64_MAX ? 0 : (int64_t)w->z.total_in;
        asked = p->limit;
        TRY(write_page(cx, tx, w, t, p, &n));
        p->limit = next_limit(p->limit, (int64_t)w->z.total_in - before);
        arena_reset(cx->arena);
    } while (n == asked);
    TRY(check_count(cx, tx, p, t, w->table_rows));
    return packer_end_table(cx, w, t->name);
}

static enum err write_table(struct cx *cx, struct tx *tx, struct dump *d, const struct table *t)
{
    DROP(arena) struct arena *keys = arena_new();
    struct place p = {.keys = keys, .limit = PAGE_FIRST_ROWS, .is_first = true};

    TRY(table_sql_make(cx, d->arena, t, &p.sql));
    p.values = arena_array(d->arena, t->n_columns, sizeof *p.values);
    p.after = arena_array(d->arena, 1 + p.sql.n_keys, sizeof *p.after);
    return write_pages(cx, tx, d->packer, t, &p);
}

/* ---- all of it ---- */

static enum err read_header(struct cx *cx, struct tx *tx, struct dump *d, struct header *out)
{
    *out = (struct header){.engine = store_engine(cx->store),
                           .created_at_ms = cx->now_ms,
                           .release = S(SALLYPORT_VERSION),
                           .instance_key_id = STR_NONE};
    TRY(schema_find(cx, tx, &out->schema));
    if (out->schema == 0)
        return fail(cx, E_INVALID_REQUEST,
                    "the store holds nothing of sallyport: there is nothing to back up");
    TRY(catalog_read(cx, tx, d->arena, &out->catalog));
    if (!catalog_find(&out->catalog, S("instance")))
        return E_OK; /* of a schema before there was one */
    enum err e = instance_read_key_id(cx, tx, &out->instance_key_id);
    return e == E_ABSENT ? E_OK : e;
}

static enum err write_all(struct cx *cx, struct tx *tx, struct dump *d)
{
    struct header header;

    TRY(read_header(cx, tx, d, &header));
    packer_drop(d->packer);
    TRY(packer_start(cx, d->packer, d->file.fd, d->file.path, &header));
    for (size_t i = 0; i < header.catalog.n_tables; i++)
        TRY(write_table(cx, tx, d, &header.catalog.tables[i]));
    return packer_end(cx, d->packer);
}

/* May run again, as all work may: it begins the file anew. */
static enum err dump(struct cx *cx, struct tx *tx, void *arg)
{
    struct dump *d = arg;
    struct page_memory memory;

    if (d->tries++)
        TRY(new_file_rewind(cx, &d->file));
    page_begin(cx, &memory);
    enum err e = write_all(cx, tx, d);
    page_end(cx, &memory);
    return e;
}

/* ---- judging ---- */

enum err backup_open_file(struct cx *cx, const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return fail(cx, E_INVALID_REQUEST, "cannot read %s: %s", path, strerror(errno));
    return E_OK;
}

void backup_summarise(struct cx *cx, const struct unpacker *r, struct backup_summary *out)
{
    *out = (struct backup_summary){
        .schema = r->header.schema,
        .engine = arena_dup(cx->arena, r->header.engine),
        .created_at_ms = r->header.created_at_ms,
        .release = arena_dup(cx->arena, r->header.release),
        .instance_key_id = arena_dup(cx->arena, r->header.instance_key_id),
        .tables = (int64_t)r->table,
        .rows = r->rows,
        .bytes = r->bytes,
    };
}

static size_t most_columns(const struct catalog *c)
{
    size_t most = 0;

    for (size_t i = 0; i < c->n_tables; i++)
        most = c->tables[i].n_columns > most ? c->tables[i].n_columns : most;
    return most;
}

static enum err read_all(struct cx *cx, struct unpacker *r)
{
    struct bind *values = arena_array(r->arena, most_columns(&r->header.catalog), sizeof *values);
    enum unpacked line = UNPACKED_ROW;

    while (line != UNPACKED_END) {
        TRY(unpacker_next(cx, r, values, &line));
        arena_reset(cx->arena);
    }
    return E_OK;
}

static enum err judge(struct cx *cx, struct unpacker *r, int fd, const char *path,
                      struct arena *arena)
{
    struct page_memory memory;

    page_begin(cx, &memory);
    enum err e = unpacker_start(cx, r, fd, path, arena);
    if (e == E_OK)
        e = read_all(cx, r);
    page_end(cx, &memory);
    return e;
}

static enum err judge_file(struct cx *cx, int fd, const char *path, struct backup_summary *out)
{
    DROP(arena) struct arena *arena = arena_new();
    struct unpacker *r = mem_new(sizeof *r);
    enum err e = judge(cx, r, fd, path, arena);

    if (e == E_OK)
        backup_summarise(cx, r, out);
    unpacker_drop(r);
    free(r);
    return e;
}

enum err backup_check(struct cx *cx, const char *path, struct backup_summary *out)
{
    int fd;

    TRY(backup_open_file(cx, path, &fd));
    enum err e = judge_file(cx, fd, path, out);
    close(fd);
    return e;
}

/* ---- writing ---- */

static enum err write_file(struct cx *cx, struct dump *d, struct backup_summary *out)
{
    TRY(store_read(cx, dump, d));
    if (new_file_is_pipe(&d->file)) {
        *out = (struct backup_summary){
            .tables = d->packer->tables, .rows = d->packer->rows, .bytes = d->packer->bytes};
        return E_OK;
    }
    TRY(new_file_sync(cx, &d->file));
    TRY(judge_file(cx, d->file.fd, d->file.partial, out));
    return new_file_publish(cx, &d->file);
}

enum err backup_write(struct cx *cx, const char *path, struct backup_summary *out)
{
    DROP(arena) struct arena *arena = arena_new();
    struct dump d = {.arena = arena};

    TRY(new_file_open(cx, path, &d.file));
    d.packer = mem_new(sizeof *d.packer);
    enum err e = write_file(cx, &d, out);
    packer_drop(d.packer);
    free(d.packer);
    new_file_drop(&d.file);
    return e;
}
