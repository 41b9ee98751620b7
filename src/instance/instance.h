/*
 * The instance: one store and the key that belongs to it (crypto/instance_key.h). The store
 * remembers the key's id, so that another key is noticed at start, and not by what it breaks.
 */
#ifndef SALLYPORT_INSTANCE_INSTANCE_H
#define SALLYPORT_INSTANCE_INSTANCE_H

#include "base/cx.h"
#include "base/secret.h"
#include "http/router.h"
#include "store/store.h"

struct instance_settings {
    const char *key_file;     /* outlives the process; not looked at if `key` is set */
    const struct secret *key; /* the key's text; used by instance_start alone */
};

/*
 * Read the key, make one at the first start, compare it with what the store remembers, and put it
 * in force. The audit, whose keys are kept under it, is opened here too.
 *
 * E_STORE_DOWN  there is no key, it is not this store's, or it is not well kept; or the audit does
 *               not open: the detail is a sentence for the operator
 */
enum err instance_start(struct cx *cx, const struct instance_settings *settings);
void instance_stop(void);

/* The id of the key that this store belongs to. E_ABSENT: it has had none yet. */
enum err instance_read_key_id(struct cx *cx, struct tx *tx, str *out);

extern const struct route instance_routes[];

#endif
