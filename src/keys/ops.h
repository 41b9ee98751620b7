/* What a person can ask of keys: a transaction around rules and queries. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_OPS_H
#define SALLYPORT_KEYS_OPS_H

#include "keys/queries.h"

/*
 * Issue a key for cx->who's employer. `key` holds a draft and is completed.
 *
 * E_API_KEY_LIMIT
 */
enum err keys_issue(struct cx *cx, struct key *key, struct secret *raw);

/* E_API_KEY_NOT_FOUND, also for keys of other employers. */
enum err keys_get(struct cx *cx, str id, struct key *out);
enum err keys_page(struct cx *cx, str after, int64_t limit, struct key_list *out);

/*
 * Apply the members of a PATCH body.
 *
 * E_API_KEY_NOT_FOUND, E_API_KEY_NOT_LIVE, E_INVALID_REQUEST
 * E_INSUFFICIENT_ROLE  scopes would be widened, and key_scopes_may_widen is off
 */
enum err keys_change(struct cx *cx, str id, const json_t *patch, struct key *out);

/* A new secret under the same id; the former one works for overlap_s more seconds. */
enum err keys_rotate(struct cx *cx, str id, int64_t overlap_s, struct key *out, struct secret *raw);

/* Once revoked, a key stays so; revoking it again changes nothing. E_API_KEY_NOT_FOUND */
enum err keys_revoke(struct cx *cx, str id);

/* One line of an import: a draft and the digest of its secret. */
struct key_import {
    struct key key;
    struct key_secret secret;
};

/* All or none. *taken: the first line whose secret exists already, when E_STORE_CONFLICT. */
enum err keys_import(struct cx *cx, struct key_import *lines, size_t n, size_t *taken);

#endif
