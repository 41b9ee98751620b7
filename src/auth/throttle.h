/*
 * Slowing down guessing: failed sign-ins per account and per address. Inside auth/ only.
 *
 * Only failures are charged. An attempt is looked at when it begins and again when its password has
 * been checked, so that one among many at once gains nothing once the others have failed.
 */
#ifndef SALLYPORT_AUTH_THROTTLE_H
#define SALLYPORT_AUTH_THROTTLE_H

#include "base/net.h"
#include "decide/limit.h"

void throttle_start(int64_t account_failures, int64_t address_failures);
void throttle_use(int64_t account_failures, int64_t address_failures); /* from now on */
void throttle_stop(void);

/* May an attempt go on? False: *retry_after_ms says when. */
bool throttle_allows(str folded_email, const struct net_addr *client, struct rate_now now,
                     int64_t *retry_after_ms);

/* The attempt failed. */
void throttle_failed(str folded_email, const struct net_addr *client, struct rate_now now);

/* The attempt succeeded: the account's count starts anew. */
void throttle_succeeded(str folded_email);

#endif
