/*
 * What the claims of a token must be, and what they mean: values in, verdict out. Inside issuers/
 * only. Refusals say in the failure's detail which claim it was.
 */
#ifndef SALLYPORT_ISSUERS_RULES_H
#define SALLYPORT_ISSUERS_RULES_H

#include "issuers/issuers.h"
#include "people/people.h"

enum { CLAIM_TEXT_MAX_CHARS = 255 };

/* Texts and values are loans from the payload. STR_NONE, 0 and NULL: absent. */
struct claims {
    str sub;
    str sid;
    str azp;
    str sts;
    str email;
    bool email_is_verified;
    bool email_is_denied; /* email_verified is there, and false */
    int64_t exp_ms;
    int64_t nbf_ms;
    int64_t iat_ms;
    const json_t *aud;
    str employer;       /* the external id */
    const json_t *role; /* a text, or a list of texts */
    bool is_role_bare;  /* Clerk's version 2: "admin" stands for "org:admin" */
    str actor;          /* act.sub: who calls in the subject's name */
};

/* Algorithm and type of a token, before its signature is looked at. E_TOKEN_INVALID. */
enum err token_judge_header(struct cx *cx, const struct issuer *issuer, const struct jws *jws);

/* E_TOKEN_INVALID: a claim is missing, or is of the wrong kind. */
enum err claims_read(struct cx *cx, const struct issuer *issuer, const json_t *payload,
                     struct claims *out);

/*
 * At cx->now_ms. The order is exp, nbf, iat, azp, aud, sts.
 *
 * E_TOKEN_EXPIRED, E_TOKEN_NOT_YET_VALID, E_TOKEN_PARTY, E_TOKEN_AUDIENCE, E_SESSION_INVALID
 */
enum err claims_judge(struct cx *cx, const struct issuer *issuer, const struct claims *claims,
                      bool is_cookie);

/* The highest role that the claim gives by the issuer's map; ROLE_NONE: it gives none. */
enum role claims_role(const struct issuer *issuer, const struct claims *claims);

/*
 * What a user may do with this token: roles and employers are the token's where the issuer's
 * settings say so, and ADMIN is the store's.
 *
 * employer_id  the one that the token names, STR_NONE if it names none
 *
 * E_SESSION_INVALID    the user is inactive, or nobody who signs in
 * E_EMPLOYER_INACTIVE
 * E_INSUFFICIENT_ROLE  the token gives no role, or names an employer that is not the user's
 */
enum err token_judge_user(struct cx *cx, const struct issuer *issuer, const struct claims *claims,
                          const struct known_user *user, str employer_id, struct principal *out);

#endif
