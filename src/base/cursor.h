/*
 * Cursors of paged lists: opaque to callers, and refused when cut short, changed or taken from
 * another list. The text holds the list's letter, the last id of the page, and a check sum.
 */
#ifndef SALLYPORT_BASE_CURSOR_H
#define SALLYPORT_BASE_CURSOR_H

#include "base/arena.h"
#include "base/str.h"

enum { CURSOR_MAX_BYTES = 128 };

str cursor_write(struct arena *arena, char list, str id);

/* False: not a cursor of this list. The id is a loan from text. */
bool cursor_read(str text, char list, str *id);

#endif
