/*
 * A backup's lines, from a file of which nothing is believed: whatever its bytes are, it is read
 * with bounded memory, and either told to be what a writer wrote, or refused. Inside backup/ only.
 */
#ifndef SALLYPORT_BACKUP_UNPACKER_H
#define SALLYPORT_BACKUP_UNPACKER_H

#include <zlib.h>

#include "backup/format.h"

enum {
    UNPACKER_PIECE_BYTES = 64 * 1024,
    /* Rows of names, addresses and digests become a tenth; what becomes far less is a trap. */
    RATIO_MAX = 200,
    RATIO_FREE_BYTES = 64 * 1024 * 1024,
};

struct unpacker {
    int fd;
    const char *name; /* of the file, for sentences */
    struct arena *arena;
    struct header header;

    z_stream z;
    bool is_open;   /* inflate has been started */
    bool is_packed; /* the compressed member goes on */
    struct sha256_run digest;
    int64_t bytes;    /* read from the file */
    int64_t unpacked; /* made of them */
    unsigned char in[UNPACKER_PIECE_BYTES];
    unsigned char out[UNPACKER_PIECE_BYTES];
    const unsigned char *rest; /* what is unpacked and not yet part of a line */
    struct buf line;

    size_t table; /* the one whose rows are being read */
    int64_t lines;
    int64_t rows;
    int64_t table_rows;
};

/*
 * Read the header. Zeroed or dropped before; to be dropped in any case. The file's position is its
 * start, and the arena lives as long as the unpacker.
 *
 * E_INVALID_REQUEST  a sentence with the file's name
 */
enum err unpacker_start(struct cx *cx, struct unpacker *r, int fd, const char *name,
                        struct arena *arena);
void unpacker_drop(struct unpacker *r);

enum unpacked { UNPACKED_ROW, UNPACKED_TABLE_END, UNPACKED_END };

/*
 * The next line. UNPACKED_ROW: values for each column of header.catalog.tables[table], in
 * cx->arena. UNPACKED_TABLE_END: that table's rows are all told, and their count is right.
 * UNPACKED_END: the file ends here, and is whole and unchanged; nothing is certain before.
 *
 * E_INVALID_REQUEST  as unpacker_start
 */
enum err unpacker_next(struct cx *cx, struct unpacker *r, struct bind *values, enum unpacked *out);

#endif
