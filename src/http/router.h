/*
 * Routes: a table per capability, read in order; patterns like /api/employer/api-keys/{keyId}.
 */
#ifndef SALLYPORT_HTTP_ROUTER_H
#define SALLYPORT_HTTP_ROUTER_H

#include <jansson.h>

#include "decide/access.h"
#include "http/http.h"

typedef enum err (*route_handler)(struct cx *cx, const struct http_req *req,
                                  struct http_reply *out);

enum { ROUTE_BODY_MAX_BYTES = 64 * 1024 };

struct route {
    enum http_method method; /* HTTP_ANY: every one; 0 ends a table */
    const char *pattern;
    struct access access;
    route_handler handler;
    uint64_t body_max_bytes; /* 0 = ROUTE_BODY_MAX_BYTES */
    bool is_instant;         /* needs no store and no time: runs on the I/O thread */
    bool is_harmless_twice;  /* so it takes no Idempotency-Key; many transactions may be in it */
    /* Put personal data back into an answer that was kept without it; NULL: it has none. */
    enum err (*refill)(struct cx *cx, json_t *answer);
};

enum { ROUTER_TABLES_MAX = 16 };

struct router {
    const struct route *tables[ROUTER_TABLES_MAX];
    size_t n_tables;
};

void router_add(struct router *router, const struct route *table);

/*
 * Find the route and fill req->params. HEAD finds the route of GET.
 *
 * E_NOT_FOUND           no route has this path
 * E_METHOD_NOT_ALLOWED  the path is known; *allow lists its methods ("GET, HEAD, OPTIONS"), also
 *                       when the method is OPTIONS, which is no route of its own
 */
enum err router_find(const struct router *router, struct arena *arena, struct http_req *req,
                     const struct route **out, str *allow);

#endif
