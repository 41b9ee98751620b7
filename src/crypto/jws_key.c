/* Keys that check signatures: JWK and PEM become an EVP_PKEY, once. */
#include "crypto/jws_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/base64url.h"

enum { COORDINATE_MAX_BYTES = 66, ED25519_BYTES = 32, PEM_MAX_BYTES = 64 * 1024 };

struct curve {
    str name; /* RFC 7518 section 6.2.1.1 */
    const char *group;
    size_t bytes; /* of a coordinate */
};

static const struct curve curves[] = {
    {{"P-256", 5}, "prime256v1", 32},
    {{"P-384", 5}, "secp384r1", 48},
    {{"P-521", 5}, "secp521r1", 66},
};

static struct jws_key *key_of(EVP_PKEY *pkey)
{
    struct jws_key *key = mem_new(sizeof *key);

    key->pkey = pkey;
    key->owners = 1;
    return key;
}

struct jws_key *jws_key_share(struct jws_key *key)
{
    atomic_fetch_add(&key->owners, 1);
    return key;
}

void jws_key_drop(struct jws_key **key)
{
    if (*key && atomic_fetch_sub(&(*key)->owners, 1) == 1) {
        EVP_PKEY_free((*key)->pkey);
        free(*key);
    }
    *key = NULL;
}

str jws_key_kid(const struct jws_key *key)
{
    return key->kid_bytes ? (str){key->kid, key->kid_bytes} : STR_NONE;
}

static bool is_on(const EVP_PKEY *pkey, const char *group)
{
    char name[64];
    size_t n;

    return EVP_PKEY_get_group_name(pkey, name, sizeof name, &n) == 1 && strcmp(name, group) == 0;
}

bool jws_key_fits(const struct jws_key *key, enum jws_alg alg)
{
    const struct jws_method *method = jws_method(alg);

    if (alg == JWS_NO_ALG || (key->only != JWS_NO_ALG && key->only != alg))
        return false;
    return EVP_PKEY_get_base_id(key->pkey) == method->key_type &&
           (!method->group || is_on(key->pkey, method->group));
}

/* What no algorithm here could use is refused when it is read, not when it is needed. */
static const char *fault_of(EVP_PKEY *pkey)
{
    int bits = EVP_PKEY_get_bits(pkey);

    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
        if (bits < JWS_RSA_MIN_BITS)
            return "is an RSA key of fewer than 2048 bits";
        return bits > JWS_RSA_MAX_BITS ? "is an RSA key of more than 8192 bits" : NULL;
    case EVP_PKEY_EC:
        for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
            if (is_on(pkey, curves[i].group))
                return NULL;
        return "is on a curve other than P-256, P-384 and P-521";
    case EVP_PKEY_ED25519:
        return NULL;
    default:
        return "is not RSA, EC or Ed25519";
    }
}

/* ---- JWK ---- */

static str member(const json_t *jwk, const char *name)
{
    return json_text(json_object_get(jwk, name));
}

static bool read_bytes(struct arena *arena, const json_t *jwk, const char *name, str *out)
{
    str text = member(jwk, name);

    return text.n > 0 && base64url_read(arena, text, out) && out->n > 0;
}

/* Takes the builder's parameters; NULL if OpenSSL finds no key in them. */
static EVP_PKEY *pkey_of(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static EVP_PKEY *read_rsa(struct arena *arena, const json_t *jwk, const char **why)
{
    str n, e;

    *why = "has no n and e that are numbers";
    if (!read_bytes(arena, jwk, "n", &n) || !read_bytes(arena, jwk, "e", &e))
        return NULL;
    *why = "has an exponent that is even, 1, or of more than 8 bytes";
    if (e.n > 8 || !(e.p[e.n - 1] & 1) || (e.n == 1 && e.p[0] == 1))
        return NULL;
    *why = "is an RSA key of more than 8192 bits";
    if (n.n > JWS_RSA_MAX_BITS / 8 + 1)
        return NULL;
    *why = "has n and e that are no RSA key";
    BIGNUM *modulus = BN_bin2bn((const uint8_t *)n.p, (int)n.n, NULL);
    BIGNUM *exponent = BN_bin2bn((const uint8_t *)e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent);
    EVP_PKEY *pkey = pkey_of("RSA", builder);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

static const struct curve *curve_of(str name)
{
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (str_eq(curves[i].name, name))
            return &curves[i];
    return NULL;
}

/* RFC 7518 section 6.2.1.2: a coordinate has the length of the field, leading zeros included. */
static EVP_PKEY *read_ec(struct arena *arena, const json_t *jwk, const char **why)
{
    const struct curve *curve = curve_of(member(jwk, "crv"));
    uint8_t point[1 + 2 * COORDINATE_MAX_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    str x, y;

    *why = "is on a curve other than P-256, P-384 and P-521";
    if (!curve)
        return NULL;
    *why = "has no x and y of the curve's length";
    if (!read_bytes(arena, jwk, "x", &x) || !read_bytes(arena, jwk, "y", &y) ||
        x.n != curve->bytes || y.n != curve->bytes)
        return NULL;
    *why = "has a point that is not on its curve";
    memcpy(point + 1, x.p, x.n);
    memcpy(point + 1 + x.n, y.p, y.n);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0);
    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->bytes);
    return pkey_of("EC", builder);
}

static EVP_PKEY *read_okp(struct arena *arena, const json_t *jwk, const char **why)
{
    str x;

    *why = "is on a curve other than Ed25519";
    if (!str_eq(member(jwk, "crv"), S("Ed25519")))
        return NULL;
    *why = "has no x of 32 bytes";
    if (!read_bytes(arena, jwk, "x", &x) || x.n != ED25519_BYTES)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)x.p, x.n);
}

static EVP_PKEY *read_by_type(struct arena *arena, const json_t *jwk, const char **why)
{
    str type = member(jwk, "kty");

    if (str_eq(type, S("RSA")))
        return read_rsa(arena, jwk, why);
    if (str_eq(type, S("EC")))
        return read_ec(arena, jwk, why);
    if (str_eq(type, S("OKP")))
        return read_okp(arena, jwk, why);
    *why = "has a kty other than RSA, EC and OKP";
    return NULL;
}

static bool may_verify(const json_t *operations)
{
    const json_t *operation;
    size_t i;

    if (!operations)
        return true;
    json_array_foreach(operations, i,
                       operation) if (str_eq(json_text(operation), S("verify"))) return true;
    return false;
}

/* What it says of itself: RFC 7517 section 4. */
static const char *purpose_fault(const json_t *jwk)
{
    const json_t *alg = json_object_get(jwk, "alg");
    const json_t *use = json_object_get(jwk, "use");
    const json_t *kid = json_object_get(jwk, "kid");

    if (use && !str_eq(json_text(use), S("sig")))
        return "is not for signatures";
    if (!may_verify(json_object_get(jwk, "key_ops")))
        return "is not for verifying";
    if (alg && jws_alg_find(json_text(alg)) == JWS_NO_ALG)
        return "is for an algorithm that is not known here";
    if (kid && (json_text(kid).n == 0 || json_text(kid).n > JWS_KID_MAX_BYTES))
        return "has a kid that is no text of 1 to 256 bytes";
    if (json_object_get(jwk, "d") || json_object_get(jwk, "k"))
        return "is published with its private part";
    return NULL;
}

struct jws_key *jws_key_from_jwk(struct arena *arena, const json_t *jwk, const char **why)
{
    str kid = member(jwk, "kid");

    *why = json_is_object(jwk) ? purpose_fault(jwk) : "is no JSON object";
    if (*why)
        return NULL;
    EVP_PKEY *pkey = read_by_type(arena, jwk, why);
    if (pkey)
        *why = fault_of(pkey);
    struct jws_key *key = pkey && !*why ? key_of(pkey) : NULL;
    ERR_clear_error();
    if (!key) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    key->only = jws_alg_find(member(jwk, "alg"));
    key->kid_bytes = kid.n;
    if (kid.n)
        memcpy(key->kid, kid.p, kid.n);
    if (key->only != JWS_NO_ALG && !jws_key_fits(key, key->only)) {
        *why = "has an alg that does not fit its kty or crv";
        jws_key_drop(&key);
    }
    return key;
}

/* ---- PEM ---- */

/* Nobody is asked for a password. */
static int no_password(char *out, int size, int rwflag, void *self)
{
    (void)out;
    (void)size;
    (void)rwflag;
    (void)self;
    return -1;
}

struct jws_key *jws_key_from_pem(str *rest, const char **why)
{
    static const char begin[] = "-----BEGIN ";
    const char *at = rest->n ? memmem(rest->p, rest->n, begin, strlen(begin)) : NULL;

    *why = NULL;
    if (!at)
        return NULL;
    *why = "cannot be read as PEM";
    str pem = str_sub(*rest, (size_t)(at - rest->p), rest->n);
    if (pem.n > PEM_MAX_BYTES)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    str first = str_sub(pem, strlen(begin), S("PUBLIC").n);
    EVP_PKEY *pkey = str_eq(first, S("PUBLIC"))
                         ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL)
                         : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    *rest = str_sub(pem, pem.n - (size_t)BIO_pending(bio), pem.n);
    BIO_free(bio);
    ERR_clear_error();
    if (!pkey)
        return NULL;
    *why = fault_of(pkey);
    if (!*why)
        return key_of(pkey);
    EVP_PKEY_free(pkey);
    return NULL;
}
