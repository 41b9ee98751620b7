/*
 * How far the key table is believed where other processes change keys too. Inside keys/ only.
 *
 * While the change stream is current, without limit: whatever is changed is told. When it is not,
 * an entry is read again a second after it was read last. If the store does not answer either,
 * memory is all there is: it is believed until stream_max_silence, and then as the policy says.
 */
#ifndef SALLYPORT_KEYS_TRUST_H
#define SALLYPORT_KEYS_TRUST_H

#include "keys/keys.h"

void trust_set_shared(bool is_shared);

/* By a request that began at now_ns (monotonic), entries read at this instant or later are
 * believed: what was read for it always is. */
int64_t trust_since_ns(const struct keys_silence *policy, int64_t now_ns);

/* The store was asked for a key, and did not answer. */
void trust_note_unanswered(void);

/* Is the store away, and what is in memory not to be vouched for any more? */
bool trust_is_over(const struct keys_silence *policy);

#endif
