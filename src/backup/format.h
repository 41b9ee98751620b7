/*
 * The file's lines: to text and from text. Pure. Inside backup/ only.
 *
 *     header, then for each table its rows and their count; then, apart, the trailer
 */
#ifndef SALLYPORT_BACKUP_FORMAT_H
#define SALLYPORT_BACKUP_FORMAT_H

#include "base/buf.h"
#include "crypto/digest.h"
#include "store/catalog.h"

enum {
    FORMAT_VERSION = 1,
    LINE_MAX_BYTES = 16 * 1024 * 1024,
    HEADER_MAX_BYTES = 1024 * 1024,
    MEMBER_FRAME_BYTES = 10 + 5 + 8, /* of the trailer's gzip member, around the line */
    TRAILER_MAX_BYTES = 256,
};

struct header {
    int64_t schema;
    str engine;
    int64_t created_at_ms;
    str release;
    str instance_key_id;    /* STR_NONE: there was none */
    struct catalog catalog; /* names and types alone */
};

/* Written lines have no newline. */
void line_put_header(const struct header *header, struct buf *out);

/*
 * Texts live in the arena.
 *
 * E_INVALID_REQUEST  the detail goes on from the file's name: "is no backup of sallyport"
 */
enum err line_read_header(struct cx *cx, struct arena *arena, str line, struct header *out);

/* A value for each column, of the column's kind; NULL is a text or blob whose p is NULL, or
 * BIND_NULL. */
void line_put_row(const struct table *table, const struct bind *values, struct buf *out);

/* False: it is no row of that table. Values live in the arena. */
bool line_read_row(struct cx *cx, struct arena *arena, const struct table *table, str line,
                   struct bind *values);

/* NULL as a value of that type, so that a statement's values keep their types. */
struct bind value_null(enum column_type type);

void line_put_count(str table, int64_t rows, struct buf *out);

/* The trailer as it stands in the file: a gzip member of its own, its line stored. */
void line_put_trailer(int64_t tables, int64_t rows, const struct sha256 *digest, struct buf *out);

/* The same tables with the same columns, in whatever order; else what differs, as a sentence. */
str catalog_fault(struct arena *arena, const struct catalog *file, const struct catalog *store);

#endif
