/*
 * An archive's file: gzip'd lines of JSON. A header, one line of the audit a line, and a trailer
 * that is authenticated like the chain is. Inside audit/ only.
 */
#ifndef SALLYPORT_AUDIT_ARCHIVE_FILE_H
#define SALLYPORT_AUDIT_ARCHIVE_FILE_H

#include "audit/ops.h"

enum { ARCHIVE_LINE_MAX_BYTES = 128 * 1024 };

/* One line of the audit as a line of the file, without the line end; and back. */
void archive_put_row(const struct audit_row *row, struct buf *out);
bool archive_parse_row(struct cx *cx, str text, struct audit_row *out);

/* A file being written, under a name of its own until it is whole. */
struct archive_file;

/* E_STORE_DOWN: the folder or the file cannot be made; cx->failure says why. */
enum err archive_begin(struct cx *cx, const char *folder, const struct audit_head *before,
                       struct archive_file **out);
void archive_add(struct archive_file *file, const struct audit_row *row);

/* Trailer, fsync, the name, fsync of the folder. Completes first, through, file, sha256. */
enum err archive_end(struct cx *cx, struct archive_file *file, struct audit_archive *out);

/* Removes what was not ended. */
void archive_file_drop(struct archive_file **file);

/* Read a whole file and hold it against its record; what is wrong goes to the report, whose memory
 * is `keeps`'s. */
void archive_check(struct cx *cx, const struct audit_archive *archive, struct cx *keeps,
                   struct audit_report *report);

#endif
