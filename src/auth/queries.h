/* The statements of auth/: one function each. Inside auth/ only. */
#ifndef SALLYPORT_AUTH_QUERIES_H
#define SALLYPORT_AUTH_QUERIES_H

#include "auth/auth.h"
#include "crypto/digest.h"

struct account {
    str id;
    str employer_id;
    str email;
    enum role role;
    str password_hash; /* STR_NONE: cannot sign in with a password */
    bool is_active;
    bool employer_is_active;
};

/* E_ABSENT. Texts live in cx->arena. */
enum err auth_find_account(struct cx *cx, struct tx *tx, str email_folded, struct account *out);

enum err auth_insert_session(struct tx *tx, const struct sha256 *digest, str person_id,
                             int64_t now_ms, int64_t expires_at_ms);

/* The account behind a session that has not expired. E_ABSENT */
enum err auth_find_by_session(struct cx *cx, struct tx *tx, const struct sha256 *digest,
                              struct account *out);

enum err auth_delete_session(struct tx *tx, const struct sha256 *digest);
enum err auth_delete_expired(struct tx *tx, int64_t now_ms);

#endif
