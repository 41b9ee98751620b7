/*
 * Plans: what an employer's keys may be for. Scopes per API, how many keys, and the limit that a
 * key has where none is named. An employer without a plan may have everything.
 */
#ifndef SALLYPORT_PLANS_PLANS_H
#define SALLYPORT_PLANS_PLANS_H

#include "http/router.h"

extern const struct route plan_routes[];

/* After each change: what was made of plans must be made again. Once, before threads start. */
void plans_start(void (*changed)(void));

/* In a transaction: there is such a plan. E_PLAN_NOT_FOUND */
struct tx;
enum err plans_hold(struct cx *cx, struct tx *tx, str id);

#endif
