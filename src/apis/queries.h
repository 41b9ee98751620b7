/* The statements of apis/: one function each. Inside apis/ only. */
#ifndef SALLYPORT_APIS_QUERIES_H
#define SALLYPORT_APIS_QUERIES_H

#include "apis/apis.h"
#include "crypto/digest.h"
#include "store/store.h"

struct api_row {
    str id, name, audience, key_prefix, credential_field, places;
    bool holds_imported;
    int64_t next_scope;
    int64_t created_at_ms, updated_at_ms;
};

struct scope_row {
    str id, api_id, key, description;
    int64_t number, bit;
    int64_t created_at_ms, updated_at_ms;
};

/* Every API, then every scope; the texts of a row are gone after the call. All goes into the digest
 * as well. */
typedef void (*apis_note)(const struct api_row *api, const struct scope_row *scope, void *arg);
enum err apis_read_all(struct tx *tx, apis_note note, void *arg, struct sha256_run *digest);

/* E_STORE_CONFLICT: the audience is another API's. */
enum err apis_insert(struct tx *tx, const struct api_row *api);
enum err apis_count(struct tx *tx, int64_t *out);

/* Nobody else changes it until the transaction ends; E_ABSENT: there is none, or it is deleted. */
enum err apis_hold(struct cx *cx, struct tx *tx, str id, struct api_row *out);
enum err apis_update(struct tx *tx, const struct api_row *api);
enum err apis_mark_deleted(struct tx *tx, str id, int64_t now_ms);
enum err apis_mark_imported(struct tx *tx, str id, int64_t now_ms);

enum err scopes_insert(struct tx *tx, const struct scope_row *scope);
enum err scopes_find(struct cx *cx, struct tx *tx, str api_id, str id, struct scope_row *out);

/* The lowest bit that no scope of the API has; SCOPES_MAX: there is none. */
enum err scopes_find_room(struct tx *tx, str api_id, int64_t *bit);
enum err scopes_update(struct tx *tx, const struct scope_row *scope);
enum err scopes_delete(struct tx *tx, str id);

/* Live keys of an API that hold a scope, by its number as a word; a word of STR_NONE: all. */
struct api_use {
    int64_t n;
    str *ids; /* the first API_USE_SHOWN, oldest first */
    size_t n_ids;
};
enum { API_USE_SHOWN = 100 };

enum err apis_find_use(struct cx *cx, struct tx *tx, str api_id, str word, struct api_use *out);
enum err apis_revoke_keys(struct tx *tx, str api_id, int64_t now_ms);

#endif
