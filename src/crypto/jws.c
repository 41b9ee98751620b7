/* Compact JWS: take apart, verify, sign. */
#include "crypto/jws.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "crypto/base64url.h"
#include "crypto/jws_key.h"

enum {
    ES_HALF_MAX_BYTES = 66,
    ES_DER_MAX_BYTES = 2 * (ES_HALF_MAX_BYTES + 3) + 6,
    SIGNATURE_MAX_BYTES = JWS_RSA_MAX_BITS / 8,
};

/* RFC 7518 section 3.1, RFC 8037 section 3.1. */
static const struct jws_method methods[JWS_ALGS_END] = {
    [JWS_NO_ALG] = {{"", 0}, EVP_PKEY_NONE, NULL, 0, NULL, false},
    [JWS_RS256] = {{"RS256", 5}, EVP_PKEY_RSA, NULL, 0, "SHA256", false},
    [JWS_RS384] = {{"RS384", 5}, EVP_PKEY_RSA, NULL, 0, "SHA384", false},
    [JWS_RS512] = {{"RS512", 5}, EVP_PKEY_RSA, NULL, 0, "SHA512", false},
    [JWS_PS256] = {{"PS256", 5}, EVP_PKEY_RSA, NULL, 0, "SHA256", true},
    [JWS_PS384] = {{"PS384", 5}, EVP_PKEY_RSA, NULL, 0, "SHA384", true},
    [JWS_PS512] = {{"PS512", 5}, EVP_PKEY_RSA, NULL, 0, "SHA512", true},
    [JWS_ES256] = {{"ES256", 5}, EVP_PKEY_EC, "prime256v1", 32, "SHA256", false},
    [JWS_ES384] = {{"ES384", 5}, EVP_PKEY_EC, "secp384r1", 48, "SHA384", false},
    [JWS_ES512] = {{"ES512", 5}, EVP_PKEY_EC, "secp521r1", 66, "SHA512", false},
    [JWS_EDDSA] = {{"EdDSA", 5}, EVP_PKEY_ED25519, NULL, 0, NULL, false},
};

const struct jws_method *jws_method(enum jws_alg alg)
{
    return &methods[alg];
}

str jws_alg_text(enum jws_alg alg)
{
    return methods[alg].name;
}

enum jws_alg jws_alg_find(str text)
{
    for (enum jws_alg alg = JWS_RS256; alg < JWS_ALGS_END; alg++)
        if (str_eq(methods[alg].name, text))
            return alg;
    return JWS_NO_ALG;
}

/* ---- taking apart ---- */

static bool read_text(const json_t *header, const char *name, str *out)
{
    const json_t *value = json_object_get(header, name);

    *out = json_text(value);
    return !value || json_is_string(value);
}

static const char *read_header(struct arena *arena, const json_t *header, struct jws *out)
{
    if (!json_is_object(header))
        return "The token's header is no JSON object.";
    /* RFC 7515 section 4.1.11: what is critical and not understood refuses the token; and nothing
     * that could be critical is understood here. */
    if (json_object_get(header, "crit"))
        return "The token's header has crit, and no extension is known here.";
    /* RFC 7797 section 6: without crit it would be read in two ways. */
    if (json_object_get(header, "b64"))
        return "The token's header has b64, which is not known here.";
    if (!read_text(header, "alg", &out->alg_text) || !read_text(header, "kid", &out->kid) ||
        !read_text(header, "typ", &out->typ))
        return "The token's header has an alg, kid or typ that is no text.";
    if (out->alg_text.n == 0)
        return "The token's header has no alg.";
    if (out->kid.n > JWS_KID_MAX_BYTES)
        return "The token's kid is longer than 256 bytes.";
    out->alg = jws_alg_find(out->alg_text);
    /* The loans end with the header. */
    out->alg_text = arena_dup(arena, out->alg_text);
    out->kid = arena_dup(arena, out->kid);
    out->typ = arena_dup(arena, out->typ);
    return NULL;
}

static const char *parse_header(struct arena *arena, str text, struct jws *out)
{
    DROP(json) json_t *header = NULL;
    struct cx cx = {.arena = arena};

    if (json_read(&cx, text, &header) != E_OK)
        return "The token's header is not valid JSON, or repeats a member.";
    return read_header(arena, header, out);
}

static const char *cut_token(str token, str parts[3])
{
    str rest = token;

    for (int i = 0; i < 3; i++)
        parts[i] = str_cut(&rest, S("."));
    if (str_is_none(parts[2]) || !str_is_none(rest))
        return "The token is not three parts with dots between.";
    if (parts[0].n == 0 || parts[1].n == 0)
        return "The token lacks its header or its payload.";
    return parts[2].n ? NULL : "The token has no signature.";
}

const char *jws_parse(struct arena *arena, str token, struct jws *out)
{
    struct jws jws = {.alg = JWS_NO_ALG};
    str parts[3], header;

    if (token.n > JWS_MAX_BYTES)
        return "The token is longer than 16 KiB.";
    const char *fault = cut_token(token, parts);
    if (fault)
        return fault;
    if (!base64url_read(arena, parts[0], &header) ||
        !base64url_read(arena, parts[1], &jws.payload) ||
        !base64url_read(arena, parts[2], &jws.signature))
        return "A part of the token is not base64url.";
    fault = parse_header(arena, header, &jws);
    if (fault)
        return fault;
    jws.signing_input = str_sub(token, 0, parts[0].n + 1 + parts[1].n);
    *out = jws;
    return NULL;
}

/* ---- ECDSA: r and s side by side here, DER in OpenSSL (RFC 7518 section 3.4) ---- */

static size_t der_of(str raw, size_t half, uint8_t out[ES_DER_MAX_BYTES])
{
    const uint8_t *bytes = (const uint8_t *)raw.p;
    BIGNUM *r = BN_bin2bn(bytes, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(bytes + half, (int)half, NULL);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    uint8_t *end = out;

    ECDSA_SIG_set0(signature, r, s);
    int n = i2d_ECDSA_SIG(signature, &end);
    ECDSA_SIG_free(signature);
    return n > 0 ? (size_t)n : 0;
}

static bool raw_of(const uint8_t *der, size_t n, size_t half, uint8_t *out)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool is_done = signature &&
                   BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, (int)half) == (int)half &&
                   BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + half, (int)half) == (int)half;

    ECDSA_SIG_free(signature);
    return is_done;
}

/* ---- signatures ---- */

/* RFC 7518 section 3.5: the salt is as long as the digest; MGF1 uses the same digest by default. */
static bool set_padding(EVP_PKEY_CTX *context, const struct jws_method *method)
{
    return !method->is_pss ||
           (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool verify_bytes(const struct jws_method *method, EVP_PKEY *pkey, str signature, str text)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL;
    bool is_good = context &&
                   EVP_DigestVerifyInit_ex(context, &key_context, method->digest, NULL, NULL, pkey,
                                           NULL) == 1 &&
                   set_padding(key_context, method) &&
                   EVP_DigestVerify(context, (const uint8_t *)signature.p, signature.n,
                                    (const uint8_t *)text.p, text.n) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return is_good;
}

bool jws_verify(const struct jws *jws, const struct jws_key *key)
{
    const struct jws_method *method = jws_method(jws->alg);
    uint8_t der[ES_DER_MAX_BYTES];
    str signature = jws->signature;

    if (!jws_key_fits(key, jws->alg))
        return false;
    if (method->half_bytes) {
        if (signature.n != 2 * method->half_bytes)
            return false;
        signature = (str){(const char *)der, der_of(signature, method->half_bytes, der)};
    }
    return verify_bytes(method, key->pkey, signature, jws->signing_input);
}

static bool sign_bytes(const struct jws_method *method, EVP_PKEY *pkey, str text, uint8_t *out,
                       size_t *n)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL;
    bool is_done =
        context &&
        EVP_DigestSignInit_ex(context, &key_context, method->digest, NULL, NULL, pkey, NULL) == 1 &&
        set_padding(key_context, method) &&
        EVP_DigestSign(context, out, n, (const uint8_t *)text.p, text.n) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return is_done;
}

str jws_sign(struct arena *arena, enum jws_alg alg, const struct jws_key *key, str header,
             str payload)
{
    const struct jws_method *method = jws_method(alg);
    uint8_t signature[SIGNATURE_MAX_BYTES], raw[2 * ES_HALF_MAX_BYTES];
    size_t n = sizeof signature;
    str head = base64url_write(arena, header);
    str body = base64url_write(arena, payload);
    str text = arena_printf(arena, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));
    str bytes = {(const char *)signature, 0};

    if (!jws_key_fits(key, alg) || !sign_bytes(method, key->pkey, text, signature, &n))
        return STR_NONE;
    bytes.n = n;
    if (method->half_bytes) {
        if (!raw_of(signature, n, method->half_bytes, raw))
            return STR_NONE;
        bytes = (str){(const char *)raw, 2 * method->half_bytes};
    }
    str end = base64url_write(arena, bytes);
    return arena_printf(arena, "%.*s.%.*s", STR_ARG(text), STR_ARG(end));
}
