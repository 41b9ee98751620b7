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

/* Ends it if it exists. */
enum err auth_logout(struct cx *cx, const struct secret *token);

const struct auth_settings *auth_settings(void);

#endif
