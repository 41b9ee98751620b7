/* The request target and the Host field: where a request wants to go. Pure. */
#ifndef SALLYPORT_HTTP_TARGET_H
#define SALLYPORT_HTTP_TARGET_H

#include "http/parse.h"

/*
 * Read req->target into path and query. *authority is what an absolute form names, else STR_NONE.
 * False: *fault says why.
 */
bool http_target_read(struct arena *arena, struct http_req *req, str *authority,
                      struct http_fault *fault);

/* RFC 9110 section 7.2: uri-host [ ":" port ]; neither part may be empty, nor hold an escape. */
bool http_host_is_valid(str host);

#endif
