/* Lines into a file: compressed, counted, with the digest of all bytes. Inside backup/ only. */
#ifndef SALLYPORT_BACKUP_PACKER_H
#define SALLYPORT_BACKUP_PACKER_H

#include <zlib.h>

#include "backup/format.h"

enum { PACKER_PIECE_BYTES = 64 * 1024 };

struct packer {
    int fd;
    const char *name; /* of the file, for sentences */
    z_stream z;
    struct sha256_run digest;
    int64_t bytes; /* written to the file */
    int64_t tables;
    int64_t rows;
    int64_t table_rows; /* of the table that is being written */
    struct buf line;    /* the next one, put together here */
    unsigned char out[PACKER_PIECE_BYTES];
};

/* Zeroed or dropped before. The file's position is its start. */
enum err packer_start(struct cx *cx, struct packer *w, int fd, const char *name,
                      const struct header *header);
void packer_drop(struct packer *w);

/* E_INVALID_REQUEST: the file cannot be written, or the row is too long for a line. */
enum err packer_put_row(struct cx *cx, struct packer *w, const struct table *table,
                        const struct bind *values);
enum err packer_end_table(struct cx *cx, struct packer *w, str table);
enum err packer_end(struct cx *cx, struct packer *w);

#endif
