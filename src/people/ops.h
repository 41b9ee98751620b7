/* What an ADMIN can ask about employers and users. Inside people/ only. */
#ifndef SALLYPORT_PEOPLE_OPS_H
#define SALLYPORT_PEOPLE_OPS_H

#include "people/queries.h"
#include "people/rules.h"

enum err people_add_employer(struct cx *cx, str name, bool is_approved, struct employer *out);
/* only: this one and no other; STR_NONE: all */
enum err people_page_employers(struct cx *cx, str only, str after, int64_t limit,
                               struct employer_list *out);
enum err people_get_employer(struct cx *cx, str id,
                             struct employer *out); /* E_EMPLOYER_NOT_FOUND */

/* The members of a PATCH body in the words of a dialect; problems go to the form. True: identities
 * were sent. */
typedef bool (*employer_reader)(struct form *f, struct employer *employer);

/* E_EMPLOYER_NOT_FOUND, E_INVALID_REQUEST */
enum err people_change_employer(struct cx *cx, str id, const json_t *patch, employer_reader read,
                                struct employer *out);

/*
 * user      email, role and employer_id are set; completed here
 * password  not set: the account cannot sign in with a password
 *
 * E_EMAIL_TAKEN, E_EMPLOYER_NOT_FOUND
 */
enum err people_add_user(struct cx *cx, struct user *user, const struct secret *password);
enum err people_page_users(struct cx *cx, str employer_id, str after, int64_t limit,
                           struct user_list *out);

/* E_USER_NOT_FOUND */
enum err people_get_user(struct cx *cx, str id, struct user *out);

/*
 * From a PATCH body: role, status, identities. Deactivating revokes the keys the user created and
 * ends their sessions, in the same transaction. E_USER_NOT_FOUND, E_LAST_ADMIN, E_INVALID_REQUEST.
 */
enum err people_change_user(struct cx *cx, str id, const json_t *patch, struct user *out);

/*
 * In a transaction that holds the lock on people: these and no others.
 *
 * E_IDENTITY_TAKEN  one of them is somebody else's; the detail names it
 */
enum err people_set_identities(struct cx *cx, struct tx *tx, enum identity_kind kind, str owner_id,
                               const struct identities *identities);

/* Changes of employers and users are rare: one at a time, so that what was read is still so. */
enum err people_lock(struct tx *tx);

#endif
