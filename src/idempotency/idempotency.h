/*
 * Idempotency-Key: a change that is asked for again under the same key is carried out once.
 *
 * Handlers and ops know nothing of it. The handler says how its answer is written before it makes
 * the change (http_reply_plan); the change's own transaction (cx->guard) first claims the key and
 * last keeps the answer. So there is either the change and its answer, or neither, whatever
 * crashes; and a unique constraint decides between clients that come at once, on one node or many.
 */
#ifndef SALLYPORT_IDEMPOTENCY_IDEMPOTENCY_H
#define SALLYPORT_IDEMPOTENCY_IDEMPOTENCY_H

#include "http/router.h"

enum { IDEMPOTENCY_KEY_MAX_BYTES = 255 };

/* Once, before threads start: how long answers are kept. */
void idempotency_start(int64_t ttl_ms);

/*
 * The key of this call; STR_NONE if it has none, or if the route takes none: those that change
 * nothing, and those that are open to all.
 *
 * E_INVALID_REQUEST  it is not 1 to 255 visible ASCII characters
 */
enum err idempotency_read(struct cx *cx, const struct route *route, const struct http_req *req,
                          str *key);

/*
 * Run the route's handler, or answer as it did before. Bound to employer, caller and route. Only
 * successes are kept: what is refused or fails leaves the key free.
 *
 * E_IDEMPOTENCY_KEY_REUSED   the key came with another payload
 * E_IDEMPOTENCY_IN_PROGRESS  the first call under it is still running
 * E_IDEMPOTENCY_SECRET_GONE  the answer held a secret, which was shown once; resourceId names what
 *                            it belongs to
 */
enum err idempotency_handle(struct cx *cx, const struct route *route, const struct http_req *req,
                            str key, struct http_reply *out);

/* Forget what has expired: every second. */
enum err idempotency_sweep(struct cx *cx);

#endif
