/*
 * Network addresses and CIDR blocks as values; no socket, no resolver.
 *
 * IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2) are always unwrapped to IPv4. Text forms
 * are RFC 5952 for IPv6 and dotted decimal without leading zeros for IPv4.
 */
#ifndef SALLYPORT_BASE_NET_H
#define SALLYPORT_BASE_NET_H

#include "base/arena.h"
#include "base/str.h"

enum net_family { NET_NONE, NET_V4, NET_V6 };

struct net_addr {
    uint8_t family;    /* enum net_family; NET_NONE: not known */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the others are zero */
};

struct net_cidr {
    struct net_addr addr; /* host bits are zero */
    uint8_t prefix;       /* 0 … 32 or 128 */
};

enum { NET_TEXT_BYTES = 64 }; /* any address or block fits, with a NUL */

/* An address alone: no port, no brackets, no zone. */
bool net_addr_parse(str text, struct net_addr *out);

/* The text lives in the arena; NET_NONE writes "unknown". */
str net_addr_write(struct arena *arena, const struct net_addr *addr);
/* An IPv4-mapped address as IPv4; any other as it is. */
struct net_addr net_addr_unmapped(const struct net_addr *addr);
bool net_addr_eq(const struct net_addr *a, const struct net_addr *b);

/* Into out, NUL-terminated; returns the length. */
size_t net_addr_text(const struct net_addr *addr, char out[NET_TEXT_BYTES]);

enum cidr_fault {
    CIDR_OK,
    CIDR_BAD_ADDRESS, /* not an IPv4 or IPv6 address */
    CIDR_BAD_PREFIX,  /* not digits, a leading zero, or longer than the address */
    CIDR_HOST_BITS,   /* bits beyond the prefix are set; *out holds the corrected block */
};

/*
 * RFC 4632 section 3.1 and RFC 4291 section 2.3. A bare address is its own /32 or /128.
 * A block of IPv4-mapped addresses (prefix 96 and longer) is the IPv4 block.
 */
enum cidr_fault net_cidr_parse(str text, struct net_cidr *out);
str net_cidr_write(struct arena *arena, const struct net_cidr *cidr); /* always with its prefix */
bool net_cidr_has(const struct net_cidr *cidr, const struct net_addr *addr);
bool net_cidrs_have(const struct net_cidr *cidrs, size_t n, const struct net_addr *addr);

/* The address with all bits after the prefix cleared (guess counting: /64 of IPv6). */
struct net_addr net_addr_masked(const struct net_addr *addr, unsigned prefix);

/*
 * The client's address behind proxies: the peer; if the peer is trusted, the right-most entry of
 * `forwarded` (RFC 7239) or of `x_forwarded_for` that is not trusted itself, or the left-most if
 * all are. Either text is STR_NONE when its field is absent. An entry that is no address
 * (obfuscated, "unknown") ends the search: the answer is then NET_NONE, since a forger may have put
 * it there. So it is when both fields are there and lead to different addresses: a proxy that
 * writes one of them may let the client's own text of the other pass.
 */
struct net_addr net_client_addr(const struct net_addr *peer, const struct net_cidr *trusted,
                                size_t n_trusted, str forwarded, str x_forwarded_for);

/* The same behind a peer that is known to write X-Forwarded-For; NET_NONE where it has not. */
struct net_addr net_forwarded_addr(const struct net_cidr *trusted, size_t n_trusted,
                                   str x_forwarded_for);

#endif
