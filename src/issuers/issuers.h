/*
 * Session tokens of other services: JWTs that a configured issuer has signed, Clerk's or any
 * OpenID Connect provider's. docs/sign-in.md says what is checked, and who a token is.
 *
 * Keys are fetched on a thread of their own; a token is judged on a worker.
 */
#ifndef SALLYPORT_ISSUERS_ISSUERS_H
#define SALLYPORT_ISSUERS_ISSUERS_H

#include "base/cx.h"
#include "base/secret.h"
#include "crypto/jws.h"
#include "decide/principal.h"
#include "http/router.h"

/* Clerk's name of the cookie. */
#define TOKEN_COOKIE "__session"

enum { ISSUERS_MAX = 16 };

enum issuer_kind { ISSUER_OIDC, ISSUER_CLERK };

struct issuer_texts {
    const str *list;
    size_t n;
};

struct issuer_role {
    str value; /* of the claim */
    enum role role;
};

/* As configured; texts are NUL-terminated and outlive the process. */
struct issuer {
    str name;
    enum issuer_kind kind;
    str iss;
    str jwks_url; /* STR_NONE: by discovery */
    str pem;      /* the keys themselves; STR_NONE: they are fetched */
    bool algs[JWS_ALGS_END];
    struct issuer_texts audiences; /* none: aud is not looked at */
    struct issuer_texts parties;   /* none: azp is not looked at, and no cookie is taken */
    str employer_claim;            /* STR_NONE: as the kind has it */
    str role_claim;
    const struct issuer_role *roles;
    size_t n_roles;
    str employer_id; /* of new users whose token names none; STR_NONE: there is none */
    bool create_users;
    bool link_by_email;
    int64_t leeway_ms;
};

/* https, or http to this host itself; without user, query or fragment. */
bool issuer_url_is_fit(str url);

/* "org:admin:EMPLOYER_ADMIN": the role is what follows the last colon. */
bool issuer_role_parse(str text, struct issuer_role *out);

/* Once, before threads start. The list is copied, its texts are not. */
void issuers_start(const struct issuer *list, size_t n);

/* In a server: fetch keys from now on, each issuer's at once and then now and then. False: no
 * thread could be started. */
bool issuers_serve(void);
void issuers_stop(void);

/* Is any issuer configured? Else nobody looks for tokens. */
bool issuers_any(void);

/*
 * Who holds this token, and for which employer? Texts live in cx->arena. Waits for the issuer's
 * keys where one is not known; for workers.
 *
 * is_cookie  it came in a cookie: its azp must be on the issuer's list
 *
 * E_TOKEN_INVALID, E_TOKEN_ISSUER_UNKNOWN, E_TOKEN_EXPIRED, E_TOKEN_NOT_YET_VALID, E_TOKEN_PARTY,
 * E_TOKEN_AUDIENCE, E_SESSION_INVALID, E_USER_UNKNOWN, E_EMPLOYER_INACTIVE, E_EMPLOYER_NOT_FOUND,
 * E_INSUFFICIENT_ROLE, E_ISSUER_UNREACHABLE, E_STORE_DOWN
 */
enum err issuers_find_session(struct cx *cx, const struct secret *token, bool is_cookie,
                              struct principal *out);

/* Forget revoked sessions that are over by now: now and then, from the clockwork. */
enum err issuers_sweep(struct cx *cx);

extern const struct route issuer_routes[];

#endif
