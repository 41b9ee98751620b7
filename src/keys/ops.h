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

/* ---- what every operation on keys is made of ---- */

/* Rules about an employer's keys, their number and their current secret, read before they write. */
enum err key_lock_all_of(struct tx *tx, str employer_id);

/* E_API_KEY_LIMIT: with so many more there would be more than max live keys. */
enum err key_check_room(struct cx *cx, struct tx *tx, str employer_id, int64_t max, int64_t wanted);

/* A secret, and what is shown of it. */
void key_make_raw(struct cx *cx, const struct key_form *form, struct key *key,
                  struct key_secret *kept, struct secret *raw);

/* A line in the audit of the key's employer. */
enum err key_audit(struct cx *cx, struct tx *tx, const char *action, const struct key *key,
                   str detail);
str key_instant(struct cx *cx, int64_t at_ms); /* 0: STR_NONE */

/*
 * Run work that changes a key. The key is read again after a failure too: where the commit was
 * made and only its answer was lost, a revoked key would go on working.
 */
enum err key_run_on(struct cx *cx, str id, store_work work, void *arg);

/* From now on texts of any form are looked up. */
void keys_note_imported(bool by_sha512);

/* One line of an import: a draft and the digest of its secret. */
struct key_import {
    struct key key;
    struct key_secret secret;
};

/* All or none. *taken: the first line whose secret exists already, when E_STORE_CONFLICT. */
enum err keys_import(struct cx *cx, struct key_import *lines, size_t n, size_t *taken);

#endif
