/* The backup's file: what is written is read again, and nothing else is. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backup/packer.h"
#include "backup/unpacker.h"
#include "base/json.h"
#include "base/mem.h"
#include "chance.h"

enum { ROWS_MAX = 40, COLUMNS = 4, FILE_MAX_BYTES = 1 << 20 };

static const int64_t NOW_MS = INT64_C(1772703000000);

static struct column columns[] = {{S("id"), COLUMN_INT, 1},
                                  {S("text"), COLUMN_TEXT, 0},
                                  {S("bytes"), COLUMN_BLOB, 0},
                                  {S("other"), COLUMN_TEXT, 0}};
static struct column one_column[] = {{S("id"), COLUMN_TEXT, 1}};
static struct table tables[] = {
    {.name = S("first"), .columns = columns, .n_columns = COLUMNS},
    {.name = S("empty"), .columns = one_column, .n_columns = 1},
    {.name = S("last \"one\""), .columns = columns, .n_columns = COLUMNS},
};

static struct header a_header(void)
{
    return (struct header){.schema = 1,
                           .engine = S("sqlite"),
                           .created_at_ms = NOW_MS,
                           .release = S("0.1.0"),
                           .instance_key_id = S("ik_0123456789abcdef"),
                           .catalog = {.tables = tables, .n_tables = 3}};
}

/* Rows of a whole file, and the file. */
struct sample {
    struct arena *arena;
    struct bind values[3][ROWS_MAX][COLUMNS];
    size_t n_rows[3];
    int fd;
};

static int start(void **state)
{
    struct sample *s = mem_new(sizeof *s);

    json_start();
    s->arena = arena_new();
    s->fd = memfd_create("backup", MFD_CLOEXEC);
    assert_true(s->fd >= 0);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct sample *s = *state;

    close(s->fd);
    arena_drop(&s->arena);
    free(s);
    return 0;
}

static struct cx cx_of(struct sample *s)
{
    return (struct cx){.arena = s->arena, .now_ms = NOW_MS};
}

/* ---- writing ---- */

static enum err write_rows(struct cx *cx, struct packer *p, const struct sample *s)
{
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < s->n_rows[t]; i++)
            TRY(packer_put_row(cx, p, &tables[t], s->values[t][i]));
        TRY(packer_end_table(cx, p, tables[t].name));
    }
    return packer_end(cx, p);
}

static void write_file(struct sample *s)
{
    struct packer *p = mem_new(sizeof *p);
    struct header header = a_header();
    struct cx cx = cx_of(s);

    assert_int_equal(ftruncate(s->fd, 0), 0);
    assert_int_equal(lseek(s->fd, 0, SEEK_SET), 0);
    assert_int_equal(packer_start(&cx, p, s->fd, "it", &header), E_OK);
    assert_int_equal(write_rows(&cx, p, s), E_OK);
    assert_int_equal(p->bytes, lseek(s->fd, 0, SEEK_END));
    packer_drop(p);
    free(p);
}

/* ---- reading ---- */

static void expect_same(const struct bind *a, const struct bind *b)
{
    assert_int_equal(a->kind, b->kind);
    if (a->kind == BIND_INT) {
        assert_true(a->number == b->number);
    } else if (a->kind != BIND_NULL) {
        assert_int_equal(str_is_none(a->bytes), str_is_none(b->bytes));
        assert_true(str_eq(a->bytes, b->bytes));
    }
}

/* What the rows are held against; NULL: nothing. */
static enum err read_rows(struct cx *cx, struct unpacker *u, const struct sample *s)
{
    struct bind values[COLUMNS];
    enum unpacked line = UNPACKED_ROW;
    size_t n = 0;

    while (line != UNPACKED_END) {
        size_t t = u->table;
        TRY(unpacker_next(cx, u, values, &line));
        if (line == UNPACKED_ROW) {
            for (size_t i = 0; s && i < tables[t].n_columns; i++)
                expect_same(&s->values[t][n][i], &values[i]);
            n++;
        } else if (line == UNPACKED_TABLE_END) {
            assert_true(!s || n == s->n_rows[t]);
            n = 0;
        }
    }
    return E_OK;
}

static enum err read_file(struct sample *s, bool compare, char why[256])
{
    DROP(arena) struct arena *arena = arena_new();
    struct unpacker *u = mem_new(sizeof *u);
    struct cx cx = {.arena = arena, .now_ms = NOW_MS};

    assert_int_equal(lseek(s->fd, 0, SEEK_SET), 0);
    enum err e = unpacker_start(&cx, u, s->fd, "it", arena);
    if (e == E_OK)
        e = read_rows(&cx, u, compare ? s : NULL);
    if (e != E_OK)
        snprintf(why, 256, "%.*s", STR_ARG(cx.failure.detail));
    unpacker_drop(u);
    free(u);
    return e;
}

static void expect_refused(struct sample *s, const char *with)
{
    char why[256] = "";

    if (read_file(s, false, why) != E_INVALID_REQUEST)
        flunk("it was taken");
    assert_true(strncmp(why, "it ", 3) == 0);
    if (!strstr(why, with))
        flunk("%s", why);
}

/* ---- random rows ---- */

static str random_text(struct sample *s, struct chance *c)
{
    static const char *const pieces[] = {
        "",  "a", "\"", "\\",        "\n",   "\t",   "\x7f", "ü", "€", "𝄞",
        "[", "]", ",",  "{\"a\":1}", "null", "\x01", "\r",   "/", "'", "\xEF\xBF\xBF"};
    str out = S("");

    for (uint64_t n = chance_below(c, 12); n; n--)
        out = arena_printf(s->arena, "%.*s%s", STR_ARG(out),
                           pieces[chance_below(c, sizeof pieces / sizeof pieces[0])]);
    return out;
}

static struct bind random_value(struct sample *s, struct chance *c, enum column_type type)
{
    static const int64_t numbers[] = {0, -1, INT64_MAX, INT64_MIN, INT64_C(1) << 53};
    uint64_t n = chance_below(c, 300);
    char *bytes;

    if (chance_below(c, 5) == 0)
        return value_null(type);
    switch (type) {
    case COLUMN_INT:
        return INT(chance_below(c, 2) ? numbers[chance_below(c, 5)] : (int64_t)chance_u64(c));
    case COLUMN_TEXT:
        return TEXT(random_text(s, c));
    case COLUMN_BLOB:
        break;
    }
    bytes = arena_alloc(s->arena, n + 1);
    for (uint64_t i = 0; i < n; i++) /* all bytes, in a long one */
        bytes[i] = (char)(n > 256 ? i : chance_u64(c));
    return BLOB(bytes, n);
}

static void fill(struct sample *s, struct chance *c, size_t rows_max)
{
    for (size_t t = 0; t < 3; t++) {
        s->n_rows[t] = t == 1 ? 0 : chance_below(c, rows_max + 1);
        for (size_t i = 0; i < s->n_rows[t]; i++)
            for (size_t k = 0; k < tables[t].n_columns; k++)
                s->values[t][i][k] = random_value(s, c, tables[t].columns[k].type);
    }
}

static void what_is_written_is_read(void **state)
{
    struct chance c = chance_new("backup");
    struct sample *s = *state;
    char why[256] = "";

    for (int i = 0; i < 200; i++) {
        fill(s, &c, ROWS_MAX);
        write_file(s);
        if (read_file(s, true, why) != E_OK)
            flunk("%s", why);
    }
}

static void a_line_of_many_pieces_is_read(void **state)
{
    struct chance c = chance_new("long");
    struct sample *s = *state;
    char *bytes = arena_alloc(s->arena, 300000);
    char why[256] = "";

    chance_bytes(&c, bytes, 300000);
    s->n_rows[0] = 1;
    s->values[0][0][0] = INT(1);
    s->values[0][0][1] = TEXT(S(""));
    s->values[0][0][2] = BLOB(bytes, 300000);
    s->values[0][0][3] = TEXT(STR_NONE);
    write_file(s);
    assert_true(lseek(s->fd, 0, SEEK_END) > 2 * UNPACKER_PIECE_BYTES);
    if (read_file(s, true, why) != E_OK)
        flunk("%s", why);
}

/* ---- every byte and every bit ---- */

static size_t load(struct sample *s, char *out)
{
    ssize_t n = pread(s->fd, out, FILE_MAX_BYTES, 0);

    assert_true(n > 0 && n < FILE_MAX_BYTES);
    return (size_t)n;
}

static void put(struct sample *s, const char *bytes, size_t n)
{
    assert_int_equal(ftruncate(s->fd, 0), 0);
    assert_int_equal(pwrite(s->fd, bytes, n, 0), n);
}

static void cut_anywhere_it_is_refused(void **state)
{
    struct chance c = chance_new("cut");
    struct sample *s = *state;
    char *bytes = arena_alloc(s->arena, FILE_MAX_BYTES);

    fill(s, &c, 5);
    write_file(s);
    size_t n = load(s, bytes);
    for (size_t i = 0; i < n; i++) {
        put(s, bytes, i);
        expect_refused(s, "cut short");
    }
    put(s, bytes, n);
    assert_int_equal(read_file(s, true, (char[256]){0}), E_OK);
}

static void with_any_bit_turned_it_is_refused(void **state)
{
    struct chance c = chance_new("bits");
    struct sample *s = *state;
    char *bytes = arena_alloc(s->arena, FILE_MAX_BYTES);

    fill(s, &c, 4);
    write_file(s);
    size_t n = load(s, bytes);
    for (size_t i = 0; i < 8 * n; i++) {
        bytes[i / 8] ^= (char)(1 << i % 8);
        put(s, bytes, n);
        expect_refused(s, "");
        bytes[i / 8] ^= (char)(1 << i % 8);
    }
}

static void followed_by_anything_it_is_refused(void **state)
{
    struct sample *s = *state;
    char *bytes = arena_alloc(s->arena, FILE_MAX_BYTES);

    write_file(s);
    size_t n = load(s, bytes);
    bytes[n] = '\0';
    put(s, bytes, n + 1);
    expect_refused(s, "goes on after its end");
    memcpy(bytes + n, bytes, n);
    put(s, bytes, 2 * n);
    expect_refused(s, "goes on after its end");
}

/* ---- a file with a good checksum, and other lines ---- */

/* A file of these lines, as a writer with other ideas would make it. */
static void forge(struct sample *s, str lines, int64_t n_tables, int64_t n_rows)
{
    DROP(buf) struct buf member;
    z_stream z = {0};

    buf_init(&member, FILE_MAX_BYTES);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)lines.p;
    z.avail_in = (uInt)lines.n;
    z.next_out = (Bytef *)buf_room(&member, FILE_MAX_BYTES / 2);
    z.avail_out = FILE_MAX_BYTES / 2;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_grown(&member, z.total_out);
    deflateEnd(&z);
    struct sha256 digest = digest_sha256(buf_str(&member));
    line_put_trailer(n_tables, n_rows, &digest, &member);
    put(s, member.p, member.n);
}

static const char head[] =
    "{\"format\":\"sallyport backup\",\"version\":1,\"schema\":1,\"engine\":\"sqlite\","
    "\"createdAt\":\"2026-03-05T09:30:00.000Z\",\"sallyport\":\"0.1.0\",\"instanceKeyId\":null,"
    "\"tables\":[{\"name\":\"t\",\"columns\":[{\"name\":\"n\",\"type\":\"int\"},"
    "{\"name\":\"b\",\"type\":\"blob\"}]}]}\n";

static void forge_rows(struct sample *s, const char *rows, int64_t n_tables, int64_t n_rows)
{
    forge(s, arena_printf(s->arena, "%s%s", head, rows), n_tables, n_rows);
}

static void a_checksum_alone_makes_no_backup(void **state)
{
    static const struct {
        const char *rows, *why;
    } cases[] = {
        {"[1,\"00\"]\n", "tables without their rows"},
        {"[1,\"00\"]\n{\"table\":\"t\",\"rows\":2}\n", "has not the rows"},
        {"[1,\"00\"]\n{\"table\":\"u\",\"rows\":1}\n", "has not the rows"},
        {"[1,\"00\"]\n{\"rows\":1,\"table\":\"t\"}\n", "has not the rows"},
        {"[1,\"00\"]\n{\"table\":\"t\",\"rows\":1}\n[2,\"\"]\n", "a line too many"},
        {"[1,\"00\"]\n{\"table\":\"t\",\"rows\":1}\n{\"table\":\"t\",\"rows\":0}\n",
         "a line too many"},
        {"[1,\"00\"]\n{\"table\":\"t\",\"rows\":1}\nx", "its last line has no end"},
        {"[1]\n", "no row of its table"},
        {"[1,\"00\",2]\n", "no row of its table"},
        {"[1,[]]\n", "no row of its table"},
        {"[1,\"0\"]\n", "no row of its table"},
        {"[1,\"0g\"]\n", "no row of its table"},
        {"[\"1\",\"00\"]\n", "no row of its table"},
        {"[1.0,\"00\"]\n", "no row of its table"},
        {"[true,\"00\"]\n", "no row of its table"},
        {"[9223372036854775808,\"00\"]\n", "no row of its table"},
        {"[1,\"00\"]x\n", "no row of its table"},
        {"[1,\"\xff\"]\n", "no row of its table"},
        {"\n", "no row of its table"},
        {"[1,\"00\"]\r\n{\"table\":\"t\",\"rows\":1}\r\n", "has not the rows"},
    };
    struct sample *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forge_rows(s, cases[i].rows, 1, 1);
        expect_refused(s, cases[i].why);
    }
    forge_rows(s, "[1,\"00\"]\n{\"table\":\"t\",\"rows\":1}\n", 1, 1);
    assert_int_equal(read_file(s, false, (char[256]){0}), E_OK);
    forge_rows(s, "[1,\"00\"]\n{\"table\":\"t\",\"rows\":1}\n", 1, 2);
    expect_refused(s, "its checksum");
}

/* The header with one piece of it replaced. */
static void forge_header(struct sample *s, const char *from, const char *to)
{
    const char *at = strstr(head, from);

    assert_non_null(at);
    forge(s,
          arena_printf(s->arena, "%.*s%s%s{\"table\":\"t\",\"rows\":0}\n", (int)(at - head), head,
                       to, at + strlen(from)),
          1, 0);
}

static void a_header_is_taken_as_it_was_written(void **state)
{
    static const struct {
        const char *from, *to, *why;
    } cases[] = {
        {"sallyport backup", "other backup", "is no backup of sallyport"},
        {"{\"format\"", "[\"format\"", "is no backup of sallyport"},
        {"\"version\":1", "\"version\":2", "newer sallyport, 0.1.0"},
        {"\"version\":1", "\"version\":0", "its header"},
        {"\"version\":1", "\"version\":\"1\"", "its header"},
        {"\"schema\":1", "\"schema\":1000", "newer sallyport, 0.1.0"},
        {"\"schema\":1", "\"schema\":0", "its header"},
        {"\"schema\":1", "\"schema\":-1", "its header"},
        {"\"schema\":1", "\"schema\":1,\"more\":1", "its header"},
        {"2026-03-05", "2026-02-30", "its header"},
        {"\"sqlite\"", "\"sq\\u001b[1m\"", "its header"},
        {"\"int\"", "\"number\"", "its header"},
        {"\"name\":\"b\"", "\"name\":\"\"", "its header"},
        {"\"tables\":[", "\"tables\":[1,", "its header"},
        {"\"tables\":[{\"name\":\"t\"", "\"tables\":[{\"name\":\"t\",\"x\":1", "its header"},
    };
    struct sample *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forge_header(s, cases[i].from, cases[i].to);
        expect_refused(s, cases[i].why);
    }
    forge_header(s, "null", "\"ik_0123456789abcdef\"");
    assert_int_equal(read_file(s, false, (char[256]){0}), E_OK);
}

/* ---- traps ---- */

static void pack_zeros(struct sample *s, const char *begin, size_t mib)
{
    char *zeros = arena_alloc(s->arena, 1024 * 1024);
    unsigned char out[64 * 1024];
    z_stream z = {0};
    int rc;

    memset(zeros, *begin, 1024 * 1024);
    assert_int_equal(ftruncate(s->fd, 0), 0);
    assert_int_equal(lseek(s->fd, 0, SEEK_SET), 0);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (size_t i = 0; i <= mib; i++) {
        z.next_in = (Bytef *)(i ? zeros : begin);
        z.avail_in = (uInt)(i ? 1024 * 1024 : strlen(begin));
        do {
            z.next_out = out;
            z.avail_out = sizeof out;
            rc = deflate(&z, i == mib ? Z_FINISH : Z_NO_FLUSH);
            assert_int_equal(write(s->fd, out, sizeof out - z.avail_out), sizeof out - z.avail_out);
        } while (z.avail_out == 0);
    }
    assert_int_equal(rc, Z_STREAM_END);
    deflateEnd(&z);
}

static void a_line_without_end_is_refused(void **state)
{
    struct sample *s = *state;

    pack_zeros(s, "{\"format\":\"sallyport backup\"", LINE_MAX_BYTES / (1024 * 1024) + 2);
    expect_refused(s, "is damaged: a line is longer");
}

/* 120 MiB of rows that are each in order. */
static void what_unpacks_to_far_more_than_it_is_is_refused(void **state)
{
    enum { LINE_BYTES = 32 * 1024, LINES = 120 * 32 };
    struct sample *s = *state;
    char *text = mem_new(strlen(head) + (size_t)LINES * LINE_BYTES);
    size_t n = strlen(head);

    memcpy(text, head, n);
    for (size_t i = 0; i < LINES; i++, n += LINE_BYTES) {
        memset(text + n, '0', LINE_BYTES);
        memcpy(text + n, "[11,\"", 5);
        memcpy(text + n + LINE_BYTES - 3, "\"]\n", 3);
    }
    forge(s, (str){text, n}, 1, 1);
    free(text);
    expect_refused(s, "it unpacks to far more than any backup");
}

/* ---- what a store is held against ---- */

static void a_catalogue_that_differs_is_told(void **state)
{
    struct sample *s = *state;
    struct column others[COLUMNS];
    struct table more[4];
    struct catalog file = {.tables = tables, .n_tables = 3}, store = {.tables = more};

    memcpy(others, columns, sizeof columns);
    memcpy(more, tables, sizeof tables);
    store.n_tables = 3;
    assert_true(str_is_none(catalog_fault(s->arena, &file, &store)));
    store.n_tables = 2;
    assert_non_null(strstr(catalog_fault(s->arena, &file, &store).p, "has the table last"));
    assert_non_null(strstr(catalog_fault(s->arena, &store, &file).p, "has not the table last"));
    store.n_tables = 3;
    more[0].columns = others;
    others[2].type = COLUMN_TEXT;
    assert_non_null(strstr(catalog_fault(s->arena, &file, &store).p, "the column bytes of first"));
    others[2].type = COLUMN_BLOB;
    more[0].n_columns = 3;
    assert_non_null(strstr(catalog_fault(s->arena, &file, &store).p, "has the column other"));
    assert_non_null(strstr(catalog_fault(s->arena, &store, &file).p, "has not the column other"));
}

int main(void)
{
#define ONE(t) cmocka_unit_test_setup_teardown(t, start, end)
    const struct CMUnitTest tests[] = {
        ONE(what_is_written_is_read),
        ONE(a_line_of_many_pieces_is_read),
        ONE(cut_anywhere_it_is_refused),
        ONE(with_any_bit_turned_it_is_refused),
        ONE(followed_by_anything_it_is_refused),
        ONE(a_checksum_alone_makes_no_backup),
        ONE(a_header_is_taken_as_it_was_written),
        ONE(a_line_without_end_is_refused),
        ONE(what_unpacks_to_far_more_than_it_is_is_refused),
        ONE(a_catalogue_that_differs_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
