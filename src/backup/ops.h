/* What the parts of backup/ share. Inside backup/ only. */
#ifndef SALLYPORT_BACKUP_OPS_H
#define SALLYPORT_BACKUP_OPS_H

#include "backup/backup.h"
#include "backup/unpacker.h"

/* E_INVALID_REQUEST: it cannot be opened. */
enum err backup_open_file(struct cx *cx, const char *path, int *fd);

/* Texts are copied into cx->arena. */
void backup_summarise(struct cx *cx, const struct unpacker *r, struct backup_summary *out);

/*
 * Memory for what is done over and over: until page_end, cx->arena is one of its own, to be reset
 * between two pages. What went wrong outlives it.
 */
struct page_memory {
    struct arena *outer;
};

void page_begin(struct cx *cx, struct page_memory *m);
void page_end(struct cx *cx, struct page_memory *m);

#endif
