/*
 * Signing in: local accounts and their passwords, sessions in a cookie, and slowing down those who
 * guess.
 *
 * A session's token, and that of a link to set a password, is 32 random bytes in hex; the store
 * holds its SHA-256.
 */
#ifndef SALLYPORT_AUTH_AUTH_H
#define SALLYPORT_AUTH_AUTH_H

#include "base/cx.h"
#include "base/secret.h"
#include "decide/principal.h"
#include "http/router.h"
#include "store/store.h"

#define SESSION_COOKIE "sallyport_session"

struct auth_settings {
    int64_t session_lifetime_ms;
    int64_t reset_link_lifetime_ms;
    int64_t failures_per_account; /* in a row, then one more each minute */
    int64_t failures_per_address; /* a minute */
    bool cookie_is_secure;        /* under TLS, or public_url is https */
};

/* Once, before threads start. */
void auth_start(const struct auth_settings *settings);

/* While threads run: these from now on. They outlive the process. */
void auth_use(const struct auth_settings *settings);
void auth_stop(void);

extern const struct route auth_routes[];

/*
 * Who holds this session? Texts live in cx->arena. *out is set where the session is known, whether
 * or not it is let in: for the audit.
 *
 * E_SESSION_INVALID  unknown, expired or ended; or its person is no longer active
 * E_EMPLOYER_INACTIVE
 */
enum err auth_find_session(struct cx *cx, const struct secret *token, struct principal *out);

/* In a transaction: end every session of a person, and the link with which they could set a
 * password; *ended says how many sessions there were. */
enum err auth_shut_out(struct tx *tx, str person_id, int64_t *ended);

/* Remove sessions and links that have expired: now and then, from the clockwork. */
enum err auth_sweep(struct cx *cx);

#endif
