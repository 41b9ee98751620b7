/* What a person can ask of sessions. Inside auth/ only. */
#ifndef SALLYPORT_AUTH_OPS_H
#define SALLYPORT_AUTH_OPS_H

#include "auth/queries.h"
#include "base/net.h"

struct login {
    str email;
    const struct secret *password;
    struct net_addr client;
};

/*
 * Check a password and open a session.
 *
 * token  the only copy; the caller declares it DROP(secret)
 *
 * E_LOGIN_FAILED     unknown, wrong, inactive or not allowed to sign in: not told apart, and the
 *                    same time is taken
 * E_LOGIN_THROTTLED  failure.retry_after_s is set
 */
enum err auth_login(struct cx *cx, const struct login *login, struct principal *who,
                    struct secret *token, int64_t *expires_at_ms);

/* ---- sessions ---- */

/* Of one person, who is cx->who or, for an ADMIN, anybody. E_USER_NOT_FOUND */
enum err auth_page_sessions(struct cx *cx, const struct session_page *page,
                            struct session_list *out);

/* E_USER_NOT_FOUND, E_SESSION_NOT_FOUND */
enum err auth_end_one(struct cx *cx, str person_id, str session_id);

/* *ended says how many there were. E_USER_NOT_FOUND */
enum err auth_end_all(struct cx *cx, str person_id, int64_t *ended);

/* ---- passwords ---- */

struct password_change {
    const struct secret *current;
    const struct secret *next;
    const struct secret *session; /* whose session goes on; empty: none does */
    struct net_addr client;
};

/*
 * Of cx->who, whose other sessions end.
 *
 * E_PASSWORD_INCORRECT  it is wrong, or the account has none
 * E_LOGIN_THROTTLED     as when signing in
 */
enum err auth_change_own_password(struct cx *cx, const struct password_change *change);

/* The person's only one: an older one no longer works. */
struct reset_link {
    str person_id;
    struct secret url; /* the only copy */
    int64_t expires_at_ms;
};

/* E_USER_NOT_FOUND */
enum err auth_make_reset_link(struct cx *cx, str person_id, struct reset_link *out);

/* Set the password, end the sessions, use the link up. E_RESET_LINK_INVALID */
enum err auth_reset_password(struct cx *cx, const struct secret *token, const struct secret *next);

/* Ends it if it exists. */
enum err auth_logout(struct cx *cx, const struct secret *token);

const struct auth_settings *auth_settings(void);

/* ---- what the files of auth/ share ---- */

enum { AUTH_TOKEN_BYTES = 32, AUTH_TOKEN_TEXT_BYTES = 2 * AUTH_TOKEN_BYTES };

/* E_LOGIN_THROTTLED */
enum err auth_check_throttle(struct cx *cx, str email_folded, const struct net_addr *client);

/* Count a wrong password, here and in the audit. account: NULL, or whose it would have been. */
void auth_note_failed(struct cx *cx, str email_folded, const struct net_addr *client,
                      const struct account *account);

/* A line about a user. actor: NULL, or who it is where cx->who does not say. */
enum err auth_audit(struct cx *cx, struct tx *tx, const char *action, const struct principal *actor,
                    const struct account *about, str detail);

struct principal auth_principal_of(const struct account *account);

#endif
