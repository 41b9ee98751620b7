/* Getting an issuer's keys over the network. Inside issuers/ only. */
#ifndef SALLYPORT_ISSUERS_FETCH_H
#define SALLYPORT_ISSUERS_FETCH_H

#include <stdatomic.h>

#include "issuers/issuers.h"

enum { FETCH_TIMEOUT_MS = 5000, FETCH_MAX_BYTES = 1024 * 1024, FETCH_KEYS_MAX = 64 };

struct keyset {
    struct jws_key *list[FETCH_KEYS_MAX];
    size_t n;
};

void keyset_drop(struct keyset *set);

/*
 * Read the issuer's keys: by discovery first, where no address is configured. Keys that cannot be
 * used are left out. Blocks for FETCH_TIMEOUT_MS a document at most, and ends early once *stops is
 * set.
 *
 * False: *why says what happened, in the arena. *out is written on true only.
 */
bool fetch_keys(struct arena *arena, const struct issuer *issuer, const atomic_bool *stops,
                struct keyset *out, str *why);

/* A JWKS document (RFC 7517 section 5) that has arrived. */
bool keyset_read(struct arena *arena, str text, struct keyset *out, str *why);

/* "jwks_uri" of a document of OpenID Connect Discovery, section 4.3: its issuer must be ours. */
bool discovery_read(struct arena *arena, const struct issuer *issuer, str text, str *jwks_url,
                    str *why);

#endif
