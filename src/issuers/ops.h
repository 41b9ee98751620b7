/* What can be asked of issuers. Inside issuers/ only. */
#ifndef SALLYPORT_ISSUERS_OPS_H
#define SALLYPORT_ISSUERS_OPS_H

#include "issuers/queries.h"
#include "issuers/rules.h"

struct revocation {
    str issuer;
    str sid;
    int64_t ends_at_ms; /* written by issuers_revoke */
};

/* By its iss; NULL: none is configured with it. */
const struct issuer *issuers_find(str iss);

/* Refuse every token of this session from now on. */
enum err issuers_revoke(struct cx *cx, struct revocation *revocation);

#endif
