/* Lines into a file. */
#include "backup/packer.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "base/banned.h"

/* As gzip writes; and RFC 1952's frame, not zlib's own. */
enum { WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8 };

/* ---- bytes ---- */

static enum err put_bytes(struct cx *cx, struct packer *w, str bytes)
{
    w->bytes += (int64_t)bytes.n;
    while (bytes.n) {
        ssize_t n = write(w->fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(cx, E_INVALID_REQUEST, "cannot write %s: %s", w->name, strerror(errno));
        bytes = str_sub(bytes, (size_t)n, bytes.n);
    }
    return E_OK;
}

static enum err pack(struct cx *cx, struct packer *w, str text, int flush)
{
    int rc;

    w->z.next_in = (Bytef *)text.p;
    w->z.avail_in = (uInt)text.n;
    do {
        w->z.next_out = w->out;
        w->z.avail_out = sizeof w->out;
        rc = deflate(&w->z, flush);
        assert(rc != Z_STREAM_ERROR);
        str piece = {(const char *)w->out, sizeof w->out - w->z.avail_out};
        digest_put(&w->digest, piece);
        TRY(put_bytes(cx, w, piece));
    } while (w->z.avail_out == 0);
    return E_OK;
}

static enum err put_line(struct cx *cx, struct packer *w)
{
    buf_put_byte(&w->line, '\n');
    enum err e = w->line.is_full ? fail(cx, E_INVALID_REQUEST,
                                        "a row has more than %d MiB, which no line of a backup has",
                                        LINE_MAX_BYTES / (1024 * 1024))
                                 : pack(cx, w, buf_str(&w->line), Z_NO_FLUSH);
    buf_clear(&w->line);
    return e;
}

/* ---- lines ---- */

enum err packer_start(struct cx *cx, struct packer *w, int fd, const char *name,
                      const struct header *header)
{
    *w = (struct packer){.fd = fd, .name = name};
    buf_init(&w->line, LINE_MAX_BYTES);
    digest_begin(&w->digest);
    int rc = deflateInit2(&w->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                          Z_DEFAULT_STRATEGY);
    assert(rc == Z_OK);
    line_put_header(header, &w->line);
    return put_line(cx, w);
}

void packer_drop(struct packer *w)
{
    if (w->z.state)
        deflateEnd(&w->z);
    buf_drop(&w->line);
}

enum err packer_put_row(struct cx *cx, struct packer *w, const struct table *table,
                        const struct bind *values)
{
    line_put_row(table, values, &w->line);
    w->table_rows++;
    return put_line(cx, w);
}

enum err packer_end_table(struct cx *cx, struct packer *w, str table)
{
    line_put_count(table, w->table_rows, &w->line);
    w->tables++;
    w->rows += w->table_rows;
    w->table_rows = 0;
    return put_line(cx, w);
}

enum err packer_end(struct cx *cx, struct packer *w)
{
    TRY(pack(cx, w, S(""), Z_FINISH));
    struct sha256 digest = digest_end(&w->digest);
    line_put_trailer(w->tables, w->rows, &digest, &w->line);
    return put_bytes(cx, w, buf_str(&w->line));
}
