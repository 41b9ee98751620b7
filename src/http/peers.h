/*
 * How many connections each client address has. From any thread.
 *
 * An IPv6 client is its /64 (RFC 6177 section 2): it has all the addresses in there.
 */
#ifndef SALLYPORT_HTTP_PEERS_H
#define SALLYPORT_HTTP_PEERS_H

#include "base/net.h"

struct http_peers;

struct http_peers *http_peers_new(void);
void http_peers_drop(struct http_peers **peers);

/* One more of this address; returns how many there are now. */
int http_peers_add(struct http_peers *peers, const struct net_addr *addr);

/* One less; addr was added. */
void http_peers_remove(struct http_peers *peers, const struct net_addr *addr);

#endif
