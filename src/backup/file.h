/* The file of a backup: whole under its name, or not there. Inside backup/ only. */
#ifndef SALLYPORT_BACKUP_FILE_H
#define SALLYPORT_BACKUP_FILE_H

#include "base/cx.h"

/*
 * A file that is being made, beside the place it will have. Nobody else makes the same meanwhile.
 * To be dropped in any case: what was not published is removed.
 */
struct new_file {
    int fd; /* -1: none */
    const char *path;
    const char *partial; /* NULL: it has been published, or is standard output */
};

/*
 * "-" is standard output. Readable by the owner alone.
 *
 * E_INVALID_REQUEST  there is a file at path, or another is being made for it; or it cannot be made
 */
enum err new_file_open(struct cx *cx, const char *path, struct new_file *out);
bool new_file_is_pipe(const struct new_file *f);

/* Give what has been written so far up, and begin again. */
enum err new_file_rewind(struct cx *cx, struct new_file *f);

/* On the disk, and to be read from its start. */
enum err new_file_sync(struct cx *cx, struct new_file *f);

/* Under its name, for good. */
enum err new_file_publish(struct cx *cx, struct new_file *f);
void new_file_drop(struct new_file *f);

#endif
