/* The statements of keys/: one function each. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_QUERIES_H
#define SALLYPORT_KEYS_QUERIES_H

#include "crypto/digest.h"
#include "keys/rules.h"
#include "store/store.h"

struct key_secret {
    struct sha256 digest;
    int64_t rotated_at_ms;
    int64_t ends_at_ms;
    bool is_imported;
    bool is_sha512; /* the digest is the first half of one; of imported ones only */
};

enum err keys_insert(struct tx *tx, const struct key *key);

/* E_STORE_CONFLICT: this secret exists already. */
enum err keys_insert_secret(struct tx *tx, str key_id, const struct key_secret *secret,
                            int64_t now_ms);

enum err keys_count_live(struct tx *tx, str employer_id, int64_t *out);

/* E_ABSENT. Texts live in cx->arena. */
enum err keys_find(struct cx *cx, struct tx *tx, str employer_id, str id, struct key *out);

struct key_list {
    struct key *list;
    size_t n;
    bool has_more;
};

/* Newest first, starting after the id `after` (STR_NONE: from the newest). */
enum err keys_list(struct cx *cx, struct tx *tx, str employer_id, str after, int64_t limit,
                   struct key_list *out);

/* Name, scopes, addresses, expiry, limit, is_active, updated_at_ms. */
enum err keys_update(struct tx *tx, const struct key *key);

enum err keys_mark_revoked(struct tx *tx, str employer_id, str id, int64_t now_ms);

/* All live keys that the person created; out: their ids, employers and names. */
enum err keys_mark_revoked_of(struct cx *cx, struct tx *tx, str person_id, struct key_list *out);

/* The current secret, and former ones that would last longer, end at ends_at_ms. */
enum err keys_end_secrets(struct tx *tx, str key_id, int64_t now_ms, int64_t ends_at_ms);
enum err keys_mark_rotated(struct tx *tx, const struct key *key);

/* What the key table holds of one secret and its key. */
struct key_row {
    struct key key;
    struct key_secret secret;
    bool employer_is_active;
    bool employer_is_approved;
    bool person_is_inactive; /* of a person's own key */
    struct places places;    /* where the key, its API and its employer all let it be used */
};

/* E_ABSENT */
enum err keys_find_by_digest(struct cx *cx, struct tx *tx, const struct sha256 *digest,
                             struct key_row *out);

struct imported_keys {
    int64_t all, by_sha512;
};
enum err keys_count_imported(struct tx *tx, struct imported_keys *out);

/* Of all keys, whatever has become of them. */
enum err keys_count_secrets(struct tx *tx, int64_t *out);

/* At most `max` of them in their order, after that one. */
enum err keys_page_digests(struct tx *tx, const struct sha256 *after, int64_t max,
                           struct sha256 *out, size_t *n);

enum err keys_add_usage(struct tx *tx, str id, int64_t requests, int64_t last_at_ms, str last_ip);

#endif
