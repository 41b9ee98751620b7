/* A key as a row: for the statements about keys. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_COLUMNS_H
#define SALLYPORT_KEYS_COLUMNS_H

#include "keys/rules.h"
#include "store/store.h"

/* The columns of struct key, of api_key k, in the order in which they are read. */
#define KEY_COLUMNS                                                                                \
    " k.id, k.employer_id, k.name, k.scopes, k.cidrs, k.is_active, k.not_before_ms,"               \
    " k.expires_at_ms, k.rate_requests, k.rate_window_ms, k.rate_algorithm, k.key_prefix,"         \
    " k.key_suffix, k.created_at_ms, k.created_by, k.updated_at_ms, k.rotated_at_ms,"              \
    " k.revoked_at_ms, k.last_used_at_ms, k.last_used_ip, k.request_count, k.api_id, k.owner_id,"  \
    " k.is_instance, k.places, k.metadata,"                                                        \
    " (SELECT coalesce(max(s.ends_at_ms), 0) FROM api_key_secret s"                                \
    "   WHERE s.key_id = k.id AND s.rotated_at_ms > 0)"

enum { KEY_COLUMNS_END = 27 };

/* Texts live in cx->arena; those of the scopes mean what the API has now. */
void keys_read_row(struct cx *cx, const struct rows *rows, struct key *out);

#endif
