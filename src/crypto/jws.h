/*
 * JSON Web Signatures (RFC 7515) in the compact form, on OpenSSL; and the keys that check them
 * (RFC 7517, RFC 7518, RFC 8037).
 *
 * Which algorithms and which keys are good is the caller's to say, never the token's: of the
 * header only alg, kid and typ are read, and only to be compared. There is no HMAC and no "none".
 */
#ifndef SALLYPORT_CRYPTO_JWS_H
#define SALLYPORT_CRYPTO_JWS_H

#include "base/json.h"

enum {
    JWS_MAX_BYTES = 16 * 1024,
    JWS_KID_MAX_BYTES = 256,
    JWS_RSA_MIN_BITS = 2048, /* RFC 7518 section 3.3 */
    JWS_RSA_MAX_BITS = 8192, /* above, one check takes milliseconds */
};

enum jws_alg {
    JWS_NO_ALG,
    JWS_RS256,
    JWS_RS384,
    JWS_RS512,
    JWS_PS256,
    JWS_PS384,
    JWS_PS512,
    JWS_ES256,
    JWS_ES384,
    JWS_ES512,
    JWS_EDDSA, /* with Ed25519 */
    JWS_ALGS_END,
};

/* "RS256". Exact, as RFC 7515 section 4.1.1 has it; JWS_NO_ALG: there is none of that name. */
str jws_alg_text(enum jws_alg alg);
enum jws_alg jws_alg_find(str text);

/* ---- tokens ---- */

/* Texts live in the arena, or are loans from the token. */
struct jws {
    enum jws_alg alg; /* JWS_NO_ALG: one that is not known here */
    str alg_text;
    str kid; /* STR_NONE: absent */
    str typ; /* STR_NONE: absent */
    str signing_input;
    str payload;
    str signature;
};

/*
 * Take a token apart, believing nothing. NULL, or what is wrong with it as a sentence, which names
 * parts and never quotes them.
 */
const char *jws_parse(struct arena *arena, str token, struct jws *out);

/* ---- keys ---- */

/* One key, read-only from the beginning; safe from any thread. */
struct jws_key;

/*
 * A public key as a JWK. NULL: *why says what is wrong with it, as the rest of a sentence that
 * starts with "the key".
 */
struct jws_key *jws_key_from_jwk(struct arena *arena, const json_t *jwk, const char **why);

/*
 * The next key of a PEM text, public or private: *rest becomes what follows it. NULL with *why
 * NULL: there is no more.
 */
struct jws_key *jws_key_from_pem(str *rest, const char **why);

struct jws_key *jws_key_share(struct jws_key *key); /* one more owner */
void jws_key_drop(struct jws_key **key);

str jws_key_kid(const struct jws_key *key); /* STR_NONE: it has none */

/* May it check this algorithm, by its type, its curve and what it says of itself? */
bool jws_key_fits(const struct jws_key *key, enum jws_alg alg);

/* ---- signatures ---- */

/* False also where the key does not fit the algorithm. */
bool jws_verify(const struct jws *jws, const struct jws_key *key);

/*
 * The compact form of header and payload, both JSON texts; the header names alg itself. STR_NONE:
 * the key does not fit, or holds no private part.
 */
str jws_sign(struct arena *arena, enum jws_alg alg, const struct jws_key *key, str header,
             str payload);

#endif
