/* Verifying a key for whoever guards an API with it. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_VERIFY_H
#define SALLYPORT_KEYS_VERIFY_H

#include "http/router.h"

enum err keys_post_verify(struct cx *cx, const struct http_req *req, struct http_reply *out);

#endif
