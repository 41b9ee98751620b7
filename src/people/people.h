/*
 * Employers and the people who sign in, for whoever runs the instance. Patients are people too;
 * cohorts/ writes them, and they are not shown here.
 */
#ifndef SALLYPORT_PEOPLE_PEOPLE_H
#define SALLYPORT_PEOPLE_PEOPLE_H

#include "base/cx.h"
#include "base/secret.h"
#include "decide/principal.h"
#include "http/router.h"
#include "store/store.h"

extern const struct route people_routes[];
extern const struct route people_management_routes[]; /* under /api/v1 */

/*
 * First start: on a store without people, make one employer (active, approved) and one ADMIN in
 * it. Does nothing when there is an ADMIN already, or when no email is given.
 *
 * E_INVALID_REQUEST  the email or the password is not fit; the detail says why
 */
enum err people_first_start(struct cx *cx, str email, const struct secret *password);

/*
 * Let who act for another employer, as x-employer-id asks; STR_NONE asks for nothing. An operator
 * who names none acts for the only employer there is, if there is only one.
 *
 * E_EMPLOYER_NOT_FOUND, E_INSUFFICIENT_ROLE
 */
enum err people_act_for(struct cx *cx, str employer_id, struct principal *who);

/* ---- as other services know them ---- */

enum {
    IDENTITIES_MAX = 32, /* of one user or employer */
    IDENTITY_ISSUER_MAX_CHARS = 1024,
    IDENTITY_ID_MAX_CHARS = 255, /* OpenID Connect Core section 2: a sub has 255 at most */
};

/* A person is (iss, sub), an employer (iss, the id of its organization there). */
struct identity {
    str issuer;
    str id;
};

struct known_user {
    str id;
    str email;
    str employer_id;
    enum role role;
    bool is_active;
    bool employer_is_active;
};

/* In a transaction. Texts live in cx->arena. E_ABSENT: nobody is linked to it. */
enum err people_find_by_identity(struct cx *cx, struct tx *tx, const struct identity *identity,
                                 struct known_user *out);
enum err people_find_employer_by_identity(struct cx *cx, struct tx *tx,
                                          const struct identity *identity, str *employer_id);

struct newcomer {
    struct identity identity;
    str email; /* STR_NONE: not known, or called unverified */
    bool email_is_verified;
    str employer_id; /* STR_NONE: none was named */
    enum role role;  /* of a user to be made */
    bool may_link;   /* to the active user with that address, who is no ADMIN */
    bool may_create;
};

/*
 * Link somebody seen for the first time to a user, or make one. Somebody else may have done so
 * meanwhile: then that user is found.
 *
 * E_USER_UNKNOWN  neither could be done; the detail says why
 */
enum err people_welcome(struct cx *cx, const struct newcomer *newcomer, struct known_user *out);

#endif
