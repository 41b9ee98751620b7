/* What a key may be, and what it and a payload are kept as. Inside idempotency/ only. */
#ifndef SALLYPORT_IDEMPOTENCY_RULES_H
#define SALLYPORT_IDEMPOTENCY_RULES_H

#include "decide/principal.h"
#include "http/router.h"

/* Routes that change something, that not everybody may call, and that do harm twice. */
bool idempotency_is_for(const struct route *route);

/* 1 to 255 visible ASCII characters. */
bool idempotency_key_is_valid(str key);

/* One text of employer, caller, route and key; its digest is the id. */
str idempotency_subject(struct arena *arena, const struct principal *who, const struct route *route,
                        str key);

/* Everything that makes two calls to a route the same one: target and body, of which a digest. */
str idempotency_payload(struct arena *arena, const struct http_req *req);

#endif
