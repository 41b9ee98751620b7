/*
 * What many keys have in common: API, employer, scopes, limit, address rules. Equal ones are kept
 * once, so that a key in memory costs little more than its digest, its id and its meters. Inside
 * keys/ only.
 *
 * They are never changed; a key gets others. All calls under the lock of the key table; reading one
 * needs none, as long as somebody holds it.
 */
#ifndef SALLYPORT_KEYS_RIGHTS_H
#define SALLYPORT_KEYS_RIGHTS_H

#include "keys/queries.h"

struct rights {
    struct decide_key policy; /* without expiry and rotation, which are of one key alone */
    bool is_instance;
};

/* Those of the row; given back with rights_release. */
const struct rights *rights_hold(const struct key_row *row);
void rights_release(const struct rights *rights);

size_t rights_bytes(void);

#endif
