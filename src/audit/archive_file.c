/* Writing an archive's file, and reading it. */
#include "audit/archive_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "audit/keys.h"
#include "audit/seal.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/mem.h"

/* The digest of all lines so far: of the one before, and the next line. */
static void add_to_digest(struct sha256 *running, str line)
{
    struct sha256 of_line = digest_sha256(line);
    uint8_t both[2 * SHA256_BYTES];

    memcpy(both, running->bytes, SHA256_BYTES);
    memcpy(both + SHA256_BYTES, of_line.bytes, SHA256_BYTES);
    *running = digest_sha256((str){(const char *)both, sizeof both});
}

static str hex_of(struct arena *arena, const struct sha256 *digest)
{
    char *hex = arena_alloc(arena, 2 * SHA256_BYTES);

    hex_write(digest->bytes, SHA256_BYTES, hex);
    return (str){hex, 2 * SHA256_BYTES};
}

/* ---- rows ---- */

void archive_put_row(const struct audit_row *row, struct buf *out)
{
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_int(&j, S("number"), row->number);
    json_put_text(&j, S("link"), row->link);
    json_put_text(&j, S("linkKeyId"), row->link_key_id);
    json_put_int(&j, S("atMs"), row->record.at_ms);
    for (int t = 0; t < AUDIT_TEXTS_END; t++)
        json_put_text(&j, str_of(audit_text_names[t]), row->record.text[t]);
    json_put_text(&j, S("mac"), row->record.mac);
    json_close_object(&j);
}

static str text_of(struct cx *cx, const json_t *object, const char *name)
{
    return arena_dup(cx->arena, json_text(json_object_get(object, name)));
}

static int64_t int_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* Members beyond the known ones would be unsigned, so there are none. */
bool archive_parse_row(struct cx *cx, str text, struct audit_row *out)
{
    DROP(json) json_t *row = NULL;

    if (json_read(cx, text, &row) != E_OK || !json_is_object(row) ||
        json_object_size(row) != AUDIT_TEXTS_END + 5)
        return false;
    *out = (struct audit_row){.is_there = true,
                              .number = int_of(row, "number"),
                              .link = text_of(cx, row, "link"),
                              .link_key_id = text_of(cx, row, "linkKeyId")};
    out->record.at_ms = int_of(row, "atMs");
    out->record.mac = text_of(cx, row, "mac");
    for (int t = 0; t < AUDIT_TEXTS_END; t++) {
        if (!json_object_get(row, audit_text_names[t]))
            return false;
        out->record.text[t] = text_of(cx, row, audit_text_names[t]);
    }
    out->line_id = out->record.text[AUDIT_ID];
    return out->number > 0 && out->record.at_ms >= 0 && !str_is_none(out->link) &&
           !str_is_none(out->link_key_id) && !str_is_none(out->record.mac) &&
           !str_is_none(out->line_id);
}

/* ---- writing ---- */

struct archive_file {
    str folder;
    str part; /* its name until it is whole */
    int fd;
    gzFile gz; /* over a duplicate of fd */
    struct sha256 running;
    struct audit_head before;
    struct audit_head last;
    bool is_broken;
};

static enum err cannot(struct cx *cx, const char *what, str path)
{
    return fail(cx, E_STORE_DOWN, "cannot %s %.*s: %s", what, STR_ARG(path), strerror(errno));
}

static void put_line(struct archive_file *f, str line)
{
    add_to_digest(&f->running, line);
    if (gzwrite(f->gz, line.p, (unsigned)line.n) != (int)line.n || gzputc(f->gz, '\n') != '\n')
        f->is_broken = true;
}

static void put_header(struct cx *cx, struct archive_file *f)
{
    struct buf line;
    struct json_out j = {&line};

    buf_init(&line, ARCHIVE_LINE_MAX_BYTES);
    json_open_object(&j, STR_NONE);
    json_put_int(&j, S("sallyportAudit"), 1);
    json_put_int(&j, S("first"), f->before.number + 1);
    json_put_text(&j, S("previousLink"), f->before.link);
    json_put_time(&j, S("createdAt"), cx->now_ms);
    json_close_object(&j);
    put_line(f, buf_str(&line));
    buf_drop(&line);
}

enum err archive_begin(struct cx *cx, const char *folder, const struct audit_head *before,
                       struct archive_file **out)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return cannot(cx, "make the folder", str_of(folder));
    struct archive_file *f = mem_new(sizeof *f);
    *out = f;
    f->folder = str_of(folder);
    f->before = f->last = *before;
    f->part = arena_printf(cx->arena, "%s/audit.%d.part", folder, (int)getpid());
    f->fd = open(f->part.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return cannot(cx, "make the archive", f->part);
    int copy = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    f->gz = copy < 0 ? NULL : gzdopen(copy, "wb6");
    if (!f->gz) {
        if (copy >= 0)
            close(copy);
        return cannot(cx, "write the archive", f->part);
    }
    put_header(cx, f);
    return E_OK;
}

void archive_add(struct archive_file *f, const struct audit_row *row)
{
    struct buf line;

    buf_init(&line, ARCHIVE_LINE_MAX_BYTES);
    archive_put_row(row, &line);
    f->is_broken = f->is_broken || line.is_full;
    put_line(f, buf_str(&line));
    buf_drop(&line);
    f->last.number = row->number;
    f->last.link = row->link; /* a loan for this batch; archive_end is given the last one */
}

static void put_trailer(struct cx *cx, struct archive_file *f, const struct audit_archive *a)
{
    struct audit_head end = {a->through, a->link};
    DROP(audit_key) struct audit_key key;
    struct buf line;
    struct json_out j = {&line};

    audit_key_current(&key);
    str mac = audit_trailer_mac(cx->arena, &key, &end, hex_of(cx->arena, &f->running));
    buf_init(&line, ARCHIVE_LINE_MAX_BYTES);
    json_open_object(&j, STR_NONE);
    json_put_int(&j, S("trailer"), 1);
    json_put_int(&j, S("through"), a->through);
    json_put_text(&j, S("link"), a->link);
    json_put_text(&j, S("keyId"), audit_key_id(&key));
    json_put_text(&j, S("mac"), mac);
    json_close_object(&j);
    put_line(f, buf_str(&line));
    buf_drop(&line);
}

static bool digest_file(struct arena *arena, str path, str *out)
{
    struct stat stat;
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    void *bytes = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &stat) == 0 && stat.st_size > 0)
        bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (bytes == MAP_FAILED)
        return false;
    struct sha256 digest = digest_sha256((str){bytes, (size_t)stat.st_size});
    munmap(bytes, (size_t)stat.st_size);
    *out = hex_of(arena, &digest);
    return true;
}

static bool sync_folder(str folder)
{
    int fd = open(folder.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_done = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return is_done;
}

enum err archive_end(struct cx *cx, struct archive_file *f, struct audit_archive *out)
{
    out->first = f->before.number + 1;
    out->previous_link = f->before.link;
    out->file = arena_printf(cx->arena, "audit-%012" PRId64 "-%012" PRId64 ".jsonl.gz", out->first,
                             out->through);
    put_trailer(cx, f, out);
    bool is_flushed = gzclose(f->gz) == Z_OK && !f->is_broken;
    f->gz = NULL;
    str path = arena_printf(cx->arena, "%.*s/%.*s", STR_ARG(f->folder), STR_ARG(out->file));
    if (!is_flushed || fsync(f->fd) != 0)
        return cannot(cx, "write the archive", f->part);
    if (!digest_file(cx->arena, f->part, &out->sha256))
        return cannot(cx, "read the archive", f->part);
    if (rename(f->part.p, path.p) != 0 || !sync_folder(f->folder))
        return cannot(cx, "name the archive", path);
    f->part = STR_NONE;
    return E_OK;
}

void archive_file_drop(struct archive_file **file)
{
    struct archive_file *f = *file;

    if (!f)
        return;
    if (f->gz)
        gzclose(f->gz);
    if (f->fd >= 0)
        close(f->fd);
    if (!str_is_none(f->part))
        unlink(f->part.p);
    free(f);
    *file = NULL;
}

/* ---- reading ---- */

static const char fix_archive[] =
    "Keep the file as it is, and fetch the copy that was put away when it was made.";

struct reading {
    struct cx *cx; /* its arena is a line's */
    const struct audit_archive *archive;
    struct cx *keeps;
    struct audit_report *report;
    struct sha256 running;
    struct audit_head at;
    bool has_header, has_trailer, is_bad;
};

static void blame(struct reading *r, int64_t number, const char *problem)
{
    r->is_bad = true;
    audit_report_put(r->keeps, r->report, number, STR_NONE, fix_archive, "Archive %.*s: %s.",
                     STR_ARG(r->archive->file), problem);
}

static void judge_header(struct reading *r, str line)
{
    DROP(json) json_t *header = NULL;

    r->has_header = true;
    if (json_read(r->cx, line, &header) != E_OK || int_of(header, "sallyportAudit") != 1 ||
        int_of(header, "first") != r->archive->first ||
        !str_eq(text_of(r->cx, header, "previousLink"), r->archive->previous_link))
        blame(r, r->archive->first, "its header is not the one it was made with");
}

static void judge_trailer(struct reading *r, const json_t *trailer)
{
    struct audit_head end = {int_of(trailer, "through"), text_of(r->cx, trailer, "link")};
    str digest = hex_of(r->cx->arena, &r->running);
    DROP(audit_key) struct audit_key key;

    r->has_trailer = true;
    if (!audit_key_find(text_of(r->cx, trailer, "keyId"), &key) ||
        !audit_mac_eq(audit_trailer_mac(r->cx->arena, &key, &end, digest),
                      text_of(r->cx, trailer, "mac")))
        blame(r, 0, "its signature does not fit its lines");
}

static void judge_row(struct reading *r, const struct audit_row *row)
{
    DROP(audit_key) struct audit_key key;
    bool is_right = false;

    IGNORE_ERR(audit_check_line(r->cx->arena, &row->record, &is_right));
    if (row->number != r->at.number + 1)
        blame(r, row->number, "its lines are not in order, or some are missing");
    else if (!is_right)
        blame(r, row->number, "a line was changed after it was written");
    else if (!audit_key_find(row->link_key_id, &key) ||
             !audit_mac_eq(audit_link(r->cx->arena, &key, row->number, r->at.link, &row->record),
                           row->link))
        blame(r, row->number, "a line does not fit the one before");
}

static void read_line(struct reading *r, str line)
{
    struct audit_row row;

    if (!r->has_header) {
        judge_header(r, line);
    } else if (archive_parse_row(r->cx, line, &row)) {
        judge_row(r, &row);
        r->at = (struct audit_head){row.number, arena_dup(r->keeps->arena, row.link)};
    } else {
        DROP(json) json_t *trailer = NULL;
        if (json_read(r->cx, line, &trailer) == E_OK && int_of(trailer, "trailer") == 1)
            judge_trailer(r, trailer);
        else
            blame(r, r->at.number + 1, "a line cannot be read");
    }
    add_to_digest(&r->running, line);
}

/* The first thing wrong is told; what follows from it is not. */
static void read_lines(struct reading *r, gzFile gz)
{
    char *line = mem_new(ARCHIVE_LINE_MAX_BYTES);

    while (!r->is_bad && !r->has_trailer && gzgets(gz, line, ARCHIVE_LINE_MAX_BYTES)) {
        DROP(arena) struct arena *arena = arena_new();
        struct cx own = *r->cx, *cx = r->cx;
        own.arena = arena;
        r->cx = &own;
        str text = str_of(line);
        read_line(r, str_ends(text, S("\n")) ? str_sub(text, 0, text.n - 1) : text);
        r->cx = cx;
    }
    free(line);
    if (!r->is_bad && !r->has_trailer)
        blame(r, 0, "it is cut off");
    if (!r->is_bad &&
        (r->at.number != r->archive->through || !str_eq(r->at.link, r->archive->link)))
        blame(r, r->at.number, "it does not end where the store says");
}

void archive_check(struct cx *cx, const struct audit_archive *archive, struct cx *keeps,
                   struct audit_report *report)
{
    struct reading r = {.cx = cx,
                        .archive = archive,
                        .keeps = keeps,
                        .report = report,
                        .at = {archive->first - 1, archive->previous_link}};
    str path = arena_printf(cx->arena, "%s/%.*s", audit_settings()->archive_folder,
                            STR_ARG(archive->file));
    str sha256 = STR_NONE;

    gzFile gz = gzopen(path.p, "rbe");
    if (!gz || !digest_file(cx->arena, path, &sha256)) {
        blame(&r, 0, "the file is not in audit_archive_folder, or cannot be read");
        if (gz)
            gzclose(gz);
        return;
    }
    read_lines(&r, gz);
    gzclose(gz);
    if (!r.is_bad && !str_eq(sha256, archive->sha256))
        blame(&r, 0, "its bytes are not those that were written");
}
