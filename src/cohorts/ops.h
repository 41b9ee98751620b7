/* What a caller can ask of cohorts. Inside cohorts/ only. */
#ifndef SALLYPORT_COHORTS_OPS_H
#define SALLYPORT_COHORTS_OPS_H

#include "cohorts/queries.h"

struct upload {
    str id;
    size_t received;
    size_t created;
    size_t updated;
    size_t unchanged;
    size_t rejected;
    str errors; /* JSON list of {"index","member","reason"}, the first 100 */
};

/*
 * Upload the rows of {"patients": […]}. All or nothing, unless is_partial: then the good rows are
 * written and the bad ones reported.
 *
 * E_INVALID_REQUEST      the body is not of that form
 * E_COHORT_INVALID       a row is bad and nothing was written; the failure's members list them
 * E_FOREIGN_EMAIL_LIMIT  too many rows named addresses that cannot be used; nothing was written
 */
enum err cohorts_upload(struct cx *cx, const json_t *body, bool is_partial, struct upload *out);

enum err cohorts_page(struct cx *cx, const struct cohort_filter *filter, struct patient_list *out);

void cohorts_set_foreign_email_limit(int64_t a_day);

#endif
