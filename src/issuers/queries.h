/* The statements of issuers/: one function each. Inside issuers/ only. */
#ifndef SALLYPORT_ISSUERS_QUERIES_H
#define SALLYPORT_ISSUERS_QUERIES_H

#include "base/cx.h"
#include "store/store.h"

/* Again: it is kept until the later end. */
enum err issuers_insert_revoked(struct tx *tx, str issuer, str sid, int64_t now_ms,
                                int64_t ends_at_ms);
enum err issuers_is_revoked(struct tx *tx, str issuer, str sid, int64_t now_ms, bool *out);
enum err issuers_delete_ended(struct tx *tx, int64_t now_ms);

#endif
