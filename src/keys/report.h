/* Which live keys want looking after, and why. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_REPORT_H
#define SALLYPORT_KEYS_REPORT_H

#include "http/router.h"

/* GET /api/v1/api_keys/report */
enum err keys_get_report(struct cx *cx, const struct http_req *req, struct http_reply *out);

#endif
