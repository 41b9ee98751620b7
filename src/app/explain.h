/* What a refusal means, from the tables: for the command line and the page of an error. */
#ifndef SALLYPORT_APP_EXPLAIN_H
#define SALLYPORT_APP_EXPLAIN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* "API_KEY_EXPIRED (401)", the lines Meaning, Cause and Fix, and what to check. */
void explain_error(struct buf *out, const struct err_info *info);

/*
 * A code, a message, or the body of a refusal, as somebody has it before them; for people, or as
 * JSON. False where it is not known: there is no guess.
 */
bool explain(struct buf *out, struct arena *arena, str text, bool is_json);

#endif
