/*
 * Guessing: well-formed keys that do not exist, counted per client address (IPv6 by /64).
 * Inside keys/ only.
 */
#ifndef SALLYPORT_KEYS_GUESSES_H
#define SALLYPORT_KEYS_GUESSES_H

#include "base/net.h"
#include "decide/limit.h"

void guesses_start(int64_t a_minute); /* 0: not counted */
void guesses_use(int64_t a_minute);   /* from now on */
void guesses_stop(void);

/*
 * Count one guess. The verdict's is_allowed is false when the address has used up its limit. An
 * address that is not known is not counted.
 */
struct rate_verdict guesses_count(const struct net_addr *client, struct rate_now now);

#endif
