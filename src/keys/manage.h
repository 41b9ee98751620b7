/*
 * What can be asked of keys in the management dialect: of every API, and across employers for who
 * sees all of them. Inside keys/ only.
 */
#ifndef SALLYPORT_KEYS_MANAGE_H
#define SALLYPORT_KEYS_MANAGE_H

#include "keys/manage_queries.h"
#include "keys/ops.h"

/* All employers for an ADMIN and for an instance-wide key; else the caller's own. */
struct key_view manage_view(const struct principal *who);

/*
 * Issue what was ordered.
 *
 * E_INVALID_REQUEST  there is no such active owner in view, or no such API any more
 * E_INVALID_SCOPE    the owner's plan does not have it
 * E_INSUFFICIENT_ROLE  more than the caller may give
 * E_API_KEY_LIMIT
 */
enum err manage_issue(struct cx *cx, struct key_order *order, struct secret *raw);

/* E_API_KEY_NOT_FOUND, also for what is not in view. */
enum err manage_get(struct cx *cx, str id, struct key *out);

/* E_INVALID_CURSOR: the key to start after is not in view. */
enum err manage_page(struct cx *cx, const struct key_filter *filter, struct key_list *out);

/* E_API_KEY_NOT_FOUND, E_API_KEY_NOT_ACTIVE, E_INVALID_REQUEST, E_INVALID_SCOPE,
 * E_INSUFFICIENT_ROLE */
enum err manage_change(struct cx *cx, str id, const json_t *patch, struct key *out);

/* A new secret under the same id; the former one works for overlap_s more seconds.
 * E_API_KEY_NOT_FOUND, E_API_KEY_NOT_ACTIVE */
enum err manage_rotate(struct cx *cx, str id, int64_t overlap_s, struct key *out,
                       struct secret *raw);

/* Once revoked, a key stays so; again changes nothing. E_API_KEY_NOT_FOUND */
enum err manage_revoke(struct cx *cx, str id);

/*
 * Revoke all live keys that the filter fits; how many. A slice at a time, so that others get their
 * turn: after a failure some may have been revoked, and to ask again goes on from there.
 *
 * is_dry_run  only count them
 */
enum err manage_revoke_all(struct cx *cx, const struct key_filter *filter, bool is_dry_run,
                           int64_t *n);

struct order_import {
    struct key_order order;
    struct key_secret secret;
    struct key_owner owner; /* filled meanwhile */
};

/* All or none, and in a dry run none; failures as of manage_issue. *at: the line that a failure is
 * about; of E_STORE_CONFLICT the first whose secret exists already. */
enum err manage_import(struct cx *cx, struct order_import *lines, size_t n, bool is_dry_run,
                       size_t *at);

#endif
