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

/* RFC 2104. */
struct sha256 digest_hmac_sha256(str key, str text);

#endif
