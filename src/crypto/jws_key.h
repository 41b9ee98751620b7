/* Inside crypto/jws: a key, and what an algorithm is made of. Others include crypto/jws.h. */
#ifndef SALLYPORT_CRYPTO_JWS_KEY_H
#define SALLYPORT_CRYPTO_JWS_KEY_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "crypto/jws.h"

struct jws_key {
    EVP_PKEY *pkey;
    enum jws_alg only; /* the JWK's own alg; JWS_NO_ALG: any that fits */
    atomic_int owners;
    size_t kid_bytes; /* 0: no kid */
    char kid[JWS_KID_MAX_BYTES];
};

struct jws_method {
    str name;
    int key_type;      /* EVP_PKEY_RSA … */
    const char *group; /* the curve of an ES*: OpenSSL's name */
    size_t half_bytes; /* of r and of s, in an ES* */
    const char *digest;
    bool is_pss;
};

const struct jws_method *jws_method(enum jws_alg alg);

#endif
