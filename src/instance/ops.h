/* What an ADMIN can ask of the instance. Inside instance/ only. */
#ifndef SALLYPORT_INSTANCE_OPS_H
#define SALLYPORT_INSTANCE_OPS_H

#include "crypto/instance_key.h"
#include "instance/instance.h"

struct rotation {
    struct instance_key_id current;
    struct instance_key_id previous;
};

/*
 * A new current key; the former one becomes the previous. In force when it returns.
 *
 * E_INSTANCE_KEY_FIXED  a setting holds the key, which the server cannot write
 * E_STORE_DOWN          the file or the store cannot be written; the former key is still in force
 */
enum err instance_rotate_key(struct cx *cx, struct rotation *out);

#endif
