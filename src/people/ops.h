/* What an ADMIN can ask about employers and users. Inside people/ only. */
#ifndef SALLYPORT_PEOPLE_OPS_H
#define SALLYPORT_PEOPLE_OPS_H

#include "people/queries.h"
#include "people/rules.h"

enum err people_add_employer(struct cx *cx, str name, bool is_approved, struct employer *out);
enum err people_page_employers(struct cx *cx, str after, int64_t limit, struct employer_list *out);

/* From a PATCH body: name, status, isApproved. E_EMPLOYER_NOT_FOUND, E_INVALID_REQUEST. */
enum err people_change_employer(struct cx *cx, str id, const json_t *patch, struct employer *out);

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
 * From a PATCH body: role, status. Deactivating revokes the keys the user created and ends their
 * sessions, in the same transaction. E_USER_NOT_FOUND, E_LAST_ADMIN, E_INVALID_REQUEST.
 */
enum err people_change_user(struct cx *cx, str id, const json_t *patch, struct user *out);

#endif
