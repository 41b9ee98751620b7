/* What employers and users may be. Inside people/ only. */
#ifndef SALLYPORT_PEOPLE_RULES_H
#define SALLYPORT_PEOPLE_RULES_H

#include "base/form.h"
#include "base/secret.h"
#include "decide/access.h"
#include "people/queries.h"

enum { EMPLOYER_NAME_MAX_CHARS = 200 };

/* Members of a form; problems go to the form. */
enum role people_read_role(struct form *f, bool is_required);
str people_read_email(struct form *f);
void people_read_password(struct form *f, struct secret *out); /* absent: *out stays empty */
void people_read_status(struct form *f, bool *is_active);      /* absent: *is_active stays */

/* A list of {"issuer","id"}; absent: *out stays. */
void people_read_identities(struct form *f, const char *member, struct identities *out);

#endif
