/*
 * Backups: any bytes are refused with a word, or are what a writer writes.
 *
 * The first byte says what the others are. "F": a file, as it is. "L": its lines, which get the
 * frame and the checksum that they need, so that what stands behind the checksum is reached too;
 * what is accepted then is written again, and read to the same values.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backup/packer.h"
#include "backup/unpacker.h"
#include "base/json.h"

enum { FILE_MAX_BYTES = 4 * 1024 * 1024, COLUMNS_MOST = 4096 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int input, output;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_start();
    input = memfd_create("input", 0);
    output = memfd_create("output", 0);
    return input < 0 || output < 0;
}

static void put(int fd, str bytes)
{
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes.p, bytes.n, 0) != (ssize_t)bytes.n ||
        lseek(fd, 0, SEEK_SET) != 0)
        abort();
}

/* ---- a frame around lines ---- */

static size_t count(str text, char first)
{
    size_t n = 0;

    while (text.n) {
        str line = str_cut(&text, S("\n"));
        n += line.n && line.p[0] == first;
    }
    return n;
}

/* Stored, not compressed: what the fuzzer changes stays what it changed. */
static void put_framed(str lines)
{
    DROP(buf) struct buf member;
    z_stream z = {0};
    size_t objects = count(lines, '{');

    buf_init(&member, FILE_MAX_BYTES);
    if (deflateInit2(&z, 0, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    z.next_in = (Bytef *)lines.p;
    z.avail_in = (uInt)lines.n;
    z.next_out = (Bytef *)buf_room(&member, FILE_MAX_BYTES / 2);
    z.avail_out = FILE_MAX_BYTES / 2;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    buf_grown(&member, z.total_out);
    deflateEnd(&z);
    struct sha256 digest = digest_sha256(buf_str(&member));
    line_put_trailer(objects ? (int64_t)objects - 1 : 0, (int64_t)count(lines, '['), &digest,
                     &member);
    put(input, buf_str(&member));
}

/* ---- reading, and writing again ---- */

static void must_explain(const struct cx *cx, enum err e)
{
    if (e != E_OK && cx->failure.detail.n == 0)
        abort();
}

/* p: NULL, or where all of it is written again. */
static enum err read_rows(struct cx *cx, struct unpacker *u, struct packer *p)
{
    static struct bind values[COLUMNS_MOST];
    enum unpacked line = UNPACKED_ROW;

    while (line != UNPACKED_END) {
        size_t at = u->table;
        const struct table *t = &u->header.catalog.tables[at];
        if (at < u->header.catalog.n_tables && t->n_columns > COLUMNS_MOST)
            return E_OK;
        TRY(unpacker_next(cx, u, values, &line));
        if (p && line == UNPACKED_ROW)
            TRY(packer_put_row(cx, p, t, values));
        if (p && line == UNPACKED_TABLE_END)
            TRY(packer_end_table(cx, p, t->name));
    }
    return p ? packer_end(cx, p) : E_OK;
}

static enum err read_file(struct cx *cx, int fd, struct packer *p)
{
    static struct unpacker u;

    enum err e = unpacker_start(cx, &u, fd, "it", cx->arena);
    if (e == E_OK && p)
        e = packer_start(cx, p, output, "it", &u.header);
    if (e == E_OK)
        e = read_rows(cx, &u, p);
    must_explain(cx, e);
    unpacker_drop(&u);
    return e;
}

static enum err read_input(struct packer *p)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};

    if (lseek(input, 0, SEEK_SET) != 0)
        abort();
    return read_file(&cx, input, p);
}

/* What was accepted can be written, and that is accepted too, and written alike. */
static void again(void)
{
    static struct packer p;
    static char first[FILE_MAX_BYTES], second[FILE_MAX_BYTES];

    put(output, S(""));
    if (read_input(&p) != E_OK)
        abort();
    packer_drop(&p);
    ssize_t n = pread(output, first, sizeof first, 0);
    put(input, (str){first, (size_t)n});
    put(output, S(""));
    if (read_input(&p) != E_OK)
        abort();
    packer_drop(&p);
    if (pread(output, second, sizeof second, 0) != n || memcmp(first, second, (size_t)n) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = {(const char *)data + 1, size - 1};

    if (size == 0 || (data[0] != 'F' && data[0] != 'L'))
        return 0;
    if (data[0] == 'F')
        put(input, bytes);
    else
        put_framed(bytes);
    if (read_input(NULL) == E_OK)
        again();
    return 0;
}
