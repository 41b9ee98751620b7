/*
 * Backup and restore: everything a store holds as one file, which a store of either engine can be
 * made from. The file's form is told in docs/backup.md, and made and read in format.h.
 *
 * The instance key is not in it.
 */
#ifndef SALLYPORT_BACKUP_BACKUP_H
#define SALLYPORT_BACKUP_BACKUP_H

#include "base/cx.h"

struct backup_summary {
    int64_t schema;
    str engine; /* "sqlite": what it was made from */
    int64_t created_at_ms;
    str release;         /* of the sallyport that wrote it: "0.1.0" */
    str instance_key_id; /* of the key its store needs; STR_NONE: it had none */
    int64_t tables;
    int64_t rows;
    int64_t bytes; /* of the file */
};

/*
 * Write cx->store, which may be one opened for reading only, to a new file: one unchanging state of
 * it. The file is durable, and has been read back. "-" is standard output: not read back.
 *
 * E_INVALID_REQUEST  there is a file of that name, or it cannot be written
 * E_STORE_DOWN, …    the store cannot be read
 *
 * Of all three functions the detail is a sentence for the operator, and nothing stays of what was
 * begun.
 */
enum err backup_write(struct cx *cx, const char *path, struct backup_summary *out);

/*
 * Read the whole of a file, and no store.
 *
 * E_INVALID_REQUEST  it is not a backup, not whole, not unchanged, or newer than this sallyport
 */
enum err backup_check(struct cx *cx, const char *path, struct backup_summary *out);

/*
 * Put it into cx->store, opened by store_open_bare and empty, in one transaction, and bring that up
 * to date. The file is judged once more on the way.
 *
 * E_INVALID_REQUEST  as backup_check; or the store is not empty, or the file not of its schema
 */
enum err backup_restore(struct cx *cx, const char *path, struct backup_summary *out);

#endif
