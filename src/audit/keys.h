/*
 * The keys of the audit, in memory: all that the store has, since a line is verified with the key
 * it was made with, however old it is. Inside audit/ only; from any thread.
 */
#ifndef SALLYPORT_AUDIT_KEYS_H
#define SALLYPORT_AUDIT_KEYS_H

#include "audit/queries.h"

/* In a transaction: read all, open them with the instance key in force. E_STORE_DOWN: one does not
 * open, and the former ones stay; the detail says which and what to do. */
enum err audit_keys_read(struct cx *cx, struct tx *tx);
void audit_keys_forget(void);

/* In a transaction: a new key, wrapped under keys->current, as the newest. */
enum err audit_keys_add(struct cx *cx, struct tx *tx, const struct instance_key *keys);

/* In a transaction: open each with either key, and wrap it under keys->current. */
enum err audit_keys_rewrap(struct cx *cx, struct tx *tx, const struct instance_key *keys);

/* The newest: what is made now is made with it. A copy, to be dropped. */
void audit_key_current(struct audit_key *out);

/* False: there is none of that id. */
bool audit_key_find(str id, struct audit_key *out);

#endif
