/* The statements of instance/: one function each. Inside instance/ only. */
#ifndef SALLYPORT_INSTANCE_QUERIES_H
#define SALLYPORT_INSTANCE_QUERIES_H

#include "store/store.h"

/* E_ABSENT: this store has had no key yet. */
enum err instance_find_key_id(struct cx *cx, struct tx *tx, str *out);

/* Does nothing where there is one; else it is the first. */
enum err instance_insert_key_id(struct tx *tx, str id, int64_t now_ms, bool *is_first);
enum err instance_update_key_id(struct tx *tx, str id, int64_t now_ms);

#endif
