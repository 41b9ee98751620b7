/* Pure: keys and payloads as texts. */
#include "idempotency/rules.h"

#include "crypto/digest.h"
#include "idempotency/idempotency.h"

bool idempotency_is_for(const struct route *route)
{
    bool is_safe =
        route->method == HTTP_GET || route->method == HTTP_HEAD || route->method == HTTP_OPTIONS;

    return !is_safe && !route->is_harmless_twice && route->access.kind != ACCESS_OPEN;
}

bool idempotency_key_is_valid(str key)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] <= ' ' || key.p[i] > '~')
            return false;
    return key.n >= 1 && key.n <= IDEMPOTENCY_KEY_MAX_BYTES;
}

/* No part can hold a line end, so no two subjects have the same text. */
str idempotency_subject(struct arena *arena, const struct principal *who, const struct route *route,
                        str key)
{
    return arena_printf(arena, "%.*s\n%.*s\n%.*s %s\n%.*s", STR_ARG(who->employer_id),
                        STR_ARG(who->id), STR_ARG(http_method_text(route->method)), route->pattern,
                        STR_ARG(key));
}

str idempotency_payload(struct arena *arena, const struct http_req *req)
{
    struct sha256 body = digest_sha256(req->body);
    char hex[2 * SHA256_BYTES];

    hex_write(body.bytes, sizeof body.bytes, hex);
    return arena_printf(arena, "%.*s\n%.*s", STR_ARG(req->target), (int)sizeof hex, hex);
}
