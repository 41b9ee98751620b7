/*
 * Cohorts: an employer's HR system uploads its people, and reads them back.
 *
 * An address is one person on the whole instance. A row whose address belongs to somebody who is
 * not a patient of the caller's employer is refused with the same words, whoever it is; such
 * refusals are counted per employer and day, since each says that an address exists.
 */
#ifndef SALLYPORT_COHORTS_COHORTS_H
#define SALLYPORT_COHORTS_COHORTS_H

#include "http/router.h"

/* Refused addresses of one employer a day; again while threads run, from then on. */
void cohorts_start(int64_t foreign_email_limit);

extern const struct route cohort_routes[];

#endif
