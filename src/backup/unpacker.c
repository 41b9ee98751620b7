/* A backup's lines, judged on the way. */
#include "backup/unpacker.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/banned.h"

enum { WINDOW_BITS = 15 + 16 };

/* ---- what is wrong ---- */

static enum err refuse(struct cx *cx, const struct unpacker *r, const char *what)
{
    return fail(cx, E_INVALID_REQUEST, "%s %s", r->name, what);
}

static enum err damaged(struct cx *cx, const struct unpacker *r, const char *how)
{
    return fail(cx, E_INVALID_REQUEST, "%s is damaged: %s (line %" PRId64 ", byte %" PRId64 ")",
                r->name, how, r->lines + 1, r->bytes - r->z.avail_in);
}

static enum err cut_short(struct cx *cx, const struct unpacker *r)
{
    return fail(cx, E_INVALID_REQUEST, "%s is cut short: it ends after %" PRId64 " bytes", r->name,
                r->bytes);
}

/* ---- bytes ---- */

static enum err read_piece(struct cx *cx, struct unpacker *r, void *out, size_t room, size_t *n)
{
    ssize_t got;

    do
        got = read(r->fd, out, room);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fail(cx, E_INVALID_REQUEST, "cannot read %s: %s", r->name, strerror(errno));
    r->bytes += got;
    *n = (size_t)got;
    return E_OK;
}

static enum err fill(struct cx *cx, struct unpacker *r)
{
    size_t n = 0;

    if (r->z.avail_in)
        return E_OK;
    TRY(read_piece(cx, r, r->in, sizeof r->in, &n));
    r->z.next_in = r->in;
    r->z.avail_in = (uInt)n;
    return n ? E_OK : cut_short(cx, r);
}

/* Where nothing could be unpacked yet, the file's first piece is still there. */
static bool is_gzip(const struct unpacker *r)
{
    return r->unpacked > 0 || r->z.total_out > 0 || (r->in[0] == 0x1f && r->in[1] == 0x8b);
}

/* The next unpacked piece; an empty one only at the member's end. */
static enum err unpack(struct cx *cx, struct unpacker *r)
{
    int rc = Z_OK;

    r->z.next_out = r->out;
    r->z.avail_out = sizeof r->out;
    while (rc == Z_OK && r->z.avail_out == sizeof r->out) {
        TRY(fill(cx, r));
        const unsigned char *from = r->z.next_in;
        rc = inflate(&r->z, Z_NO_FLUSH);
        digest_put(&r->digest, (str){(const char *)from, (size_t)(r->z.next_in - from)});
    }
    if (rc == Z_STREAM_END)
        r->is_packed = false;
    else if (rc != Z_OK)
        return is_gzip(r) ? damaged(cx, r, "it cannot be unpacked")
                          : refuse(cx, r, "is no backup of sallyport, or damaged at its start");
    r->rest = r->out;
    r->unpacked += (int64_t)(sizeof r->out - r->z.avail_out);
    if (r->unpacked > RATIO_MAX * r->bytes + RATIO_FREE_BYTES)
        return damaged(cx, r, "it unpacks to far more than any backup");
    return E_OK;
}

/* ---- lines ---- */

/* A line in r->line, without its newline. False: the compressed member has ended. */
static enum err next_line(struct cx *cx, struct unpacker *r, bool *is_there)
{
    buf_clear(&r->line);
    for (;;) {
        size_t n = (size_t)(r->z.next_out - r->rest);
        const unsigned char *end = n ? memchr(r->rest, '\n', n) : NULL;
        buf_put(&r->line, (str){(const char *)r->rest, end ? (size_t)(end - r->rest) : n});
        r->rest = end ? end + 1 : r->z.next_out;
        if (r->line.is_full)
            return damaged(cx, r, "a line is longer than any that was written");
        *is_there = end != NULL;
        if (end)
            return E_OK;
        if (!r->is_packed)
            return r->line.n ? damaged(cx, r, "its last line has no end") : E_OK;
        TRY(unpack(cx, r));
    }
}

static const struct table *table_of(const struct unpacker *r)
{
    const struct catalog *c = &r->header.catalog;

    return r->table < c->n_tables ? &c->tables[r->table] : NULL;
}

static enum err check_count(struct cx *cx, struct unpacker *r, const struct table *t)
{
    DROP(buf) struct buf wanted;

    buf_init(&wanted, HEADER_MAX_BYTES);
    line_put_count(t->name, r->table_rows, &wanted);
    if (!str_eq(buf_str(&wanted), buf_str(&r->line)))
        return damaged(cx, r, "a table has not the rows it should have");
    r->lines++;
    r->table++;
    r->table_rows = 0;
    return E_OK;
}

static enum err take_line(struct cx *cx, struct unpacker *r, struct bind *values,
                          enum unpacked *out)
{
    const struct table *t = table_of(r);

    if (!t)
        return damaged(cx, r, "there is a line too many");
    if (str_starts(buf_str(&r->line), S("{"))) {
        *out = UNPACKED_TABLE_END;
        return check_count(cx, r, t);
    }
    if (!line_read_row(cx, cx->arena, t, buf_str(&r->line), values))
        return damaged(cx, r, "a line is no row of its table");
    r->lines++;
    r->rows++;
    r->table_rows++;
    *out = UNPACKED_ROW;
    return E_OK;
}

/* ---- the end ---- */

/* Up to the end of the file; or more than a trailer ever is. */
static enum err read_trailer(struct cx *cx, struct unpacker *r, struct buf *out)
{
    buf_put(out, str_sub((str){(const char *)r->z.next_in, r->z.avail_in}, 0, out->max));
    while (out->n < out->max) {
        size_t n = 0;
        TRY(read_piece(cx, r, buf_room(out, out->max - out->n), out->max - out->n, &n));
        if (n == 0)
            break;
        buf_grown(out, n);
    }
    return E_OK;
}

/* There is one trailer that fits what was read, so no other is looked into. */
static enum err check_trailer(struct cx *cx, struct unpacker *r)
{
    struct sha256 digest = digest_end(&r->digest);
    DROP(buf) struct buf found;
    DROP(buf) struct buf wanted;

    buf_init(&found, TRAILER_MAX_BYTES + 1);
    buf_init(&wanted, TRAILER_MAX_BYTES);
    line_put_trailer((int64_t)r->table, r->rows, &digest, &wanted);
    TRY(read_trailer(cx, r, &found));
    if (str_eq(buf_str(&found), buf_str(&wanted)))
        return E_OK;
    if (str_starts(buf_str(&wanted), buf_str(&found)))
        return cut_short(cx, r);
    if (str_starts(buf_str(&found), buf_str(&wanted)))
        return refuse(cx, r, "goes on after its end: something was added to it");
    return refuse(cx, r, "is damaged: its checksum is another than that of its content");
}

enum err unpacker_next(struct cx *cx, struct unpacker *r, struct bind *values, enum unpacked *out)
{
    bool is_there;

    TRY(next_line(cx, r, &is_there));
    if (is_there)
        return take_line(cx, r, values, out);
    if (table_of(r))
        return damaged(cx, r, "there are tables without their rows");
    *out = UNPACKED_END;
    return check_trailer(cx, r);
}

/* ---- life ---- */

enum err unpacker_start(struct cx *cx, struct unpacker *r, int fd, const char *name,
                        struct arena *arena)
{
    bool is_there;

    *r = (struct unpacker){.fd = fd, .name = name, .arena = arena, .is_packed = true};
    buf_init(&r->line, LINE_MAX_BYTES);
    digest_begin(&r->digest);
    int rc = inflateInit2(&r->z, WINDOW_BITS);
    assert(rc == Z_OK);
    r->is_open = true;
    r->rest = r->z.next_out = r->out;
    TRY(next_line(cx, r, &is_there));
    if (!is_there)
        return refuse(cx, r, "is no backup of sallyport");
    if (line_read_header(cx, arena, buf_str(&r->line), &r->header) != E_OK)
        return refuse(cx, r, arena_dup(cx->arena, cx->failure.detail).p);
    r->lines = 1;
    return E_OK;
}

void unpacker_drop(struct unpacker *r)
{
    if (r->is_open)
        inflateEnd(&r->z);
    buf_drop(&r->line);
}
