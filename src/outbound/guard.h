/*
 * The address guard: may this server call that URL, at that address? Pure; the rules come in.
 *
 * A tenant names where webhooks go, so nothing inside must be reached by their word. The URL is
 * judged when it is saved and when it is used, the answers of the resolver before a connection is
 * made, and the socket's own address at the last moment (outbound.h).
 *
 * Refused unless outbound_allow names it: whatever is not https, ports below 1024 other than 443,
 * and every address that the IANA special-purpose registries (RFC 6890) call not globally
 * reachable. Addresses at which clouds hand out credentials must be spelled out in full. Our own
 * listeners are never called.
 */
#ifndef SALLYPORT_OUTBOUND_GUARD_H
#define SALLYPORT_OUTBOUND_GUARD_H

#include "base/net.h"

enum guard_verdict {
    GUARD_FINE,
    GUARD_NO_URL,
    GUARD_SCHEME,   /* neither https nor http */
    GUARD_PLAIN,    /* http */
    GUARD_USERINFO, /* user:password@ */
    GUARD_PORT,
    GUARD_ADDRESS,  /* private, loopback, link-local, reserved … */
    GUARD_METADATA, /* a cloud hands out credentials there */
    GUARD_OURSELVES,
};

/* Of outbound_allow. */
struct guard_entry {
    str host; /* lower case, without the final dot; STR_NONE: a block */
    struct net_cidr block;
};

/* A listener of this server. */
struct guard_own {
    struct net_addr addr; /* 0.0.0.0 or :: is every address of the machine */
    int port;
};

struct guard_rules {
    const struct guard_entry *allowed;
    size_t n_allowed;
    const struct guard_own *own;
    size_t n_own;
    bool (*is_of_machine)(const struct net_addr *addr); /* NULL: only loopback is */
};

struct guard_url {
    str host;             /* lower case, without brackets and final dot */
    struct net_addr addr; /* of a literal, however it was spelled; else NET_NONE */
    int port;
    bool is_plain;
    bool is_named;     /* the host's name is in outbound_allow */
    bool needs_naming; /* http, or a port of its own: only where the address is named */
    str text;          /* as it is requested */
};

/* "example.com", "10.0.0.0/8", "::1". False: neither a host's name nor a block. */
bool guard_entry_parse(struct arena *arena, str text, struct guard_entry *out);

/* RFC 3986, by libcurl's own parser: what is judged is what will be requested. */
enum guard_verdict guard_judge_url(struct arena *arena, const struct guard_rules *rules, str url,
                                   struct guard_url *out);

/* Of an address that the URL's host has, or that a socket is about to be connected to. */
enum guard_verdict guard_judge_addr(const struct guard_rules *rules, const struct guard_url *url,
                                    const struct net_addr *addr);

/* "must be an https:// URL": the rest of a sentence that starts with what was judged. */
str guard_reason(enum guard_verdict verdict);

#endif
