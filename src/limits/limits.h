/*
 * Rate-limit states by name, in memory and bounded: how often an address guessed, how often an
 * account failed to sign in. Names are kept as digests under a random seed, so that no email stays
 * in memory and nobody can choose names that collide.
 *
 * Safe from any thread. When the table is full, the name added first makes room.
 */
#ifndef SALLYPORT_LIMITS_LIMITS_H
#define SALLYPORT_LIMITS_LIMITS_H

#include "base/net.h"
#include "base/str.h"
#include "decide/limit.h"

struct limits;

struct limits *limits_new(size_t names_max);
void limits_drop(struct limits **limits);

/* Charge one under the name, if it passes. */
struct rate_verdict limits_charge(struct limits *limits, const struct rate_policy *policy, str name,
                                  struct rate_now now);

/* What charging would answer, without doing it. */
struct rate_verdict limits_look(struct limits *limits, const struct rate_policy *policy, str name,
                                struct rate_now now);

void limits_forget(struct limits *limits, str name);

/* An address as a name: IPv4 whole, IPv6 by /64, which is one customer's. The loan lives as long
 * as *room. */
str limits_address(const struct net_addr *addr, struct net_addr *room);

#endif
