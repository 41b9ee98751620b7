/* Routes about the server itself: health, version, contract, error pages. */
#ifndef SALLYPORT_APP_META_H
#define SALLYPORT_APP_META_H

#include "http/router.h"

extern const struct route meta_routes[];

/* "API_KEY_EXPIRED (401)" and the lines Meaning, Cause and Fix: for people, here and in the
 * command line. */
void meta_write_error(struct buf *out, const struct err_info *info);

#endif
