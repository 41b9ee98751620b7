/* SHA-256 and HMAC-SHA-256. */
#ifndef SALLYPORT_CRYPTO_DIGEST_H
#define SALLYPORT_CRYPTO_DIGEST_H

#include "base/str.h"

enum { SHA256_BYTES = 32 };

struct sha256 {
    uint8_t bytes[SHA256_BYTES];
};

/* FIPS 180-4. No allocation. */
struct sha256 digest_sha256(str text);

/* The same of a text that comes in pieces: begin, put as often as need be, end once. */
struct sha256_run {
    uint64_t state[16];
};

void digest_begin(struct sha256_run *run);
void digest_put(struct sha256_run *run, str piece);
struct sha256 digest_end(struct sha256_run *run);

/* The first half of FIPS 180-4's SHA-512: as long as the other, so that it has the same places. */
struct sha256 digest_sha512_half(str text);

/* RFC 2104. */
struct sha256 digest_hmac_sha256(str key, str text);

#endif
