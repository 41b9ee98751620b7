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

/* E_ABSENT: no user has this id. */
enum err auth_get_account(struct cx *cx, struct tx *tx, str id, struct account *out);

/* False: the hash was another than `before` by now, and nothing was changed. */
enum err auth_change_password(struct tx *tx, str person_id, str before, str after, int64_t now_ms,
                              bool *changed);
enum err auth_set_password(struct tx *tx, str person_id, str hash, int64_t now_ms);

/* ---- sessions ---- */

struct session {
    str id;
    struct sha256 digest;
    str person_id;
    int64_t created_at_ms;
    int64_t expires_at_ms;
    str address;     /* STR_NONE: not known */
    str user_agent;  /* STR_NONE: none was sent */
    bool is_current; /* the one that asks */
};

struct session_list {
    struct session *list;
    size_t n;
    bool has_more;
};

enum err auth_insert_session(struct tx *tx, const struct session *session);

struct session_page {
    str person_id;
    const struct sha256 *current; /* NULL: none of them is the one that asks */
    str after;                    /* an id, or STR_NONE */
    int64_t limit;
};

/* Those that have not expired, the newest first. Their digests are not read. */
enum err auth_list_sessions(struct cx *cx, struct tx *tx, const struct session_page *page,
                            struct session_list *out);

/* *ended is 0 where it is over, or somebody else's. */
enum err auth_end_session(struct tx *tx, str person_id, str id, int64_t *ended);
enum err auth_end_sessions(struct tx *tx, str person_id, int64_t *ended);

/* All but the one with this digest. */
enum err auth_end_other_sessions(struct tx *tx, str person_id, const struct sha256 *digest,
                                 int64_t *ended);

/* The account behind a session that has not expired. E_ABSENT */
enum err auth_find_by_session(struct cx *cx, struct tx *tx, const struct sha256 *digest,
                              struct account *out);

enum err auth_delete_session(struct tx *tx, const struct sha256 *digest);
enum err auth_delete_expired(struct tx *tx, int64_t now_ms);

/* ---- links to set a password: one a person at a time ---- */

enum err auth_put_reset(struct tx *tx, const struct sha256 *digest, str person_id, int64_t now_ms,
                        int64_t expires_at_ms);

/* E_ABSENT: unknown, used, or expired. */
enum err auth_find_reset(struct cx *cx, struct tx *tx, const struct sha256 *digest, str *person_id);
enum err auth_delete_reset_of(struct tx *tx, str person_id);

#endif
