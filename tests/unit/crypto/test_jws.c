/* crypto/jws.h and crypto/base64url.h */
#include "unit.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "chance.h"
#include "crypto/base64url.h"
#include "crypto/jws.h"
#include "crypto/jws_vectors.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    arena_drop(&arena);
    return 0;
}

static struct jws_key *read_jwk(const char *text, const char **why)
{
    DROP(json) json_t *jwk = NULL;
    struct cx cx = {.arena = arena};

    if (json_read(&cx, str_of(text), &jwk) != E_OK)
        flunk("no JSON: %s", text);
    return jws_key_from_jwk(arena, jwk, why);
}

/* ---- base64url ---- */

static void base64url_has_one_text_for_each_sequence_of_bytes(void **state)
{
    static const struct {
        const char *text, *bytes;
    } good[] = {{"", ""},        {"Zg", "f"},          {"Zm8", "fo"},
                {"Zm9v", "foo"}, {"Zm9vYmE", "fooba"}, {"-_8", "\xfb\xff"}};
    static const char *const bad[] = {"Z",     "Zm9vY",  "Zg==",       "Zm8=", "Zm9v ",
                                      " Zm9v", "Zm9v\n", "Zh",         "Zm9",  "+_8",
                                      "-/8",   "Zm9v.",  "Zm\xc3\xa4v"};
    str out;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(base64url_read(arena, str_of(good[i].text), &out));
        assert_true(str_eq(out, str_of(good[i].bytes)));
        assert_true(str_eq(base64url_write(arena, out), str_of(good[i].text)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64url_read(arena, str_of(bad[i]), &out))
            flunk("taken: %s", bad[i]);
}

static void base64url_reads_back_what_it_writes(void **state)
{
    struct chance chance = chance_new("base64url");
    char bytes[100];

    (void)state;
    for (int round = 0; round < 1000; round++) {
        str in = {bytes, chance_below(&chance, sizeof bytes)};
        str out;
        for (size_t i = 0; i < in.n; i++)
            bytes[i] = (char)chance_below(&chance, 256);
        assert_true(base64url_read(arena, base64url_write(arena, in), &out));
        assert_true(str_eq(in, out));
    }
}

/* ---- the RFCs' own ---- */

static void published_tokens_verify_and_no_bit_of_them_may_change(void **state)
{
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct jws_key *key = read_jwk(vectors[i].key, &why);
        struct jws jws;
        if (!key)
            flunk("%s: the key %s", vectors[i].source, why);
        assert_null(jws_parse(arena, str_of(vectors[i].token), &jws));
        assert_int_equal(jws.alg, vectors[i].alg);
        if (!jws_verify(&jws, key))
            flunk("%s does not verify", vectors[i].source);
        for (size_t bit = 0; bit < jws.signature.n * 8; bit += 29) {
            ((char *)jws.signature.p)[bit / 8] ^= (char)(1 << bit % 8);
            assert_false(jws_verify(&jws, key));
            ((char *)jws.signature.p)[bit / 8] ^= (char)(1 << bit % 8);
        }
        jws.signing_input.n--;
        assert_false(jws_verify(&jws, key));
        jws_key_drop(&key);
    }
}

static void a_key_checks_its_own_algorithms_alone(void **state)
{
    static const struct {
        const char *source;
        unsigned algs; /* bits */
    } fits[] = {
        {"RFC 7515 appendix A.2", 1 << JWS_RS256 | 1 << JWS_RS384 | 1 << JWS_RS512 |
                                      1 << JWS_PS256 | 1 << JWS_PS384 | 1 << JWS_PS512},
        {"RFC 7515 appendix A.3", 1 << JWS_ES256},
        {"RFC 7515 appendix A.4", 1 << JWS_ES512},
        {"RFC 8037 appendix A.4", 1 << JWS_EDDSA},
    };
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        size_t v = 0;
        while (strcmp(vectors[v].source, fits[i].source) != 0)
            v++;
        struct jws_key *key = read_jwk(vectors[v].key, &why);
        for (enum jws_alg alg = JWS_NO_ALG; alg < JWS_ALGS_END; alg++)
            assert_int_equal(jws_key_fits(key, alg), fits[i].algs >> alg & 1);
        jws_key_drop(&key);
    }
}

/* ---- parsing ---- */

static str token_of(const char *header, const char *payload, const char *signature)
{
    str head = base64url_write(arena, str_of(header));
    str body = base64url_write(arena, str_of(payload));

    return arena_printf(arena, "%.*s.%.*s.%s", STR_ARG(head), STR_ARG(body), signature);
}

static void what_is_no_token_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *header, *says;
    } headers[] = {
        {"", "lacks its header"},
        {"{", "not valid JSON"},
        {"[]", "no JSON object"},
        {"{}", "no alg"},
        {"{\"alg\":1}", "no text"},
        {"{\"alg\":\"\"}", "no alg"},
        {"{\"alg\":\"RS256\",\"alg\":\"none\"}", "repeats"},
        {"{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", "repeats"},
        {"{\"alg\":\"RS256\\u0000\"}", "not valid JSON"},
        {"{\"alg\":\"RS256\",\"kid\":null}", "no text"},
        {"{\"alg\":\"RS256\",\"typ\":{}}", "no text"},
        {"{\"alg\":\"RS256\",\"crit\":null}", "crit"},
        {"{\"alg\":\"RS256\",\"b64\":true}", "b64"},
        {"{\"alg\":\"RS256\"} x", "not valid JSON"},
        {"{\"alg\":\"\xff\"}", "not valid JSON"},
    };
    struct jws jws;

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const char *fault = jws_parse(arena, token_of(headers[i].header, "{}", "AAAA"), &jws);
        if (!fault || !strstr(fault, headers[i].says))
            flunk("%s: %s", headers[i].header, fault ? fault : "taken");
    }
    assert_non_null(jws_parse(arena, token_of("{\"alg\":\"RS256\"}", "", "AAAA"), &jws));
    assert_non_null(jws_parse(arena, token_of("{\"alg\":\"RS256\"}", "x", ""), &jws));
    assert_non_null(jws_parse(arena, STR_NONE, &jws));
}

static void unknown_algorithms_parse_and_never_verify(void **state)
{
    static const char *const names[] = {"none", "None",   "HS256",  "HS512",  "rs256",
                                        "RS1",  "ES256K", "RS256 ", "Ed25519"};
    const char *why;
    struct jws_key *key = read_jwk(vectors[0].key, &why);

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct jws jws;
        str header = arena_printf(arena, "{\"alg\":\"%s\"}", names[i]);
        assert_null(jws_parse(arena, token_of(header.p, "{}", "AAAA"), &jws));
        assert_int_equal(jws.alg, JWS_NO_ALG);
        assert_false(jws_verify(&jws, key));
    }
    jws_key_drop(&key);
}

static void a_token_has_at_most_16_kib(void **state)
{
    static char text[JWS_MAX_BYTES + 1];
    struct jws jws;
    str head = base64url_write(arena, S("{\"alg\":\"RS256\"}"));

    (void)state;
    memset(text, 'A', sizeof text);
    memcpy(text, head.p, head.n);
    text[head.n] = '.';
    text[sizeof text - 6] = '.';
    text[sizeof text - 7] = 'A';
    const char *fault = jws_parse(arena, (str){text, sizeof text}, &jws);
    assert_non_null(strstr(fault, "16 KiB"));
}

static void a_zero_signature_is_none(void **state)
{
    const char *why;

    /* CVE-2022-21449: r and s of zero verified anything. */
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct jws_key *key = read_jwk(vectors[i].key, &why);
        struct jws jws;
        assert_null(jws_parse(arena, str_of(vectors[i].token), &jws));
        memset((char *)jws.signature.p, 0, jws.signature.n);
        assert_false(jws_verify(&jws, key));
        jws.signature.n = 0;
        assert_false(jws_verify(&jws, key));
        jws_key_drop(&key);
    }
}

/* ---- keys ---- */

#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define OKP                                                                                        \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static void keys_that_cannot_be_used_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *jwk, *says;
    } cases[] = {
        {"[]", "no JSON object"},
        {"{}", "kty"},
        {"{\"kty\":\"oct\",\"k\":\"AAAA\"}", "private"},
        {"{\"kty\":\"RSA\"}", "no n and e"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "2048"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"Ag\"}", "exponent"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQ\"}", "exponent"},
        {"{\"kty\":\"RSA\",\"n\":\"A+AB\",\"e\":\"AQAB\"}", "numbers"},
        {"{\"kty\":\"EC\",\"crv\":\"P-192\",\"x\":\"AA\",\"y\":\"AA\"}", "curve"},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "curve"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}", "length"},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "length"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X "\"}",
         "not on its curve"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}", "Ed25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}", "32 bytes"},
        {"{" OKP ",\"use\":\"enc\"}", "not for signatures"},
        {"{" OKP ",\"key_ops\":[\"sign\"]}", "not for verifying"},
        {"{" OKP ",\"key_ops\":\"verify\"}", "not for verifying"},
        {"{" OKP ",\"alg\":\"RS256\"}", "does not fit"},
        {"{" OKP ",\"alg\":\"HS256\"}", "not known"},
        {"{" OKP ",\"alg\":7}", "not known"},
        {"{" OKP ",\"kid\":\"\"}", "kid"},
        {"{" OKP ",\"kid\":7}", "kid"},
        {"{" OKP ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}", "private"},
    };
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jws_key *key = read_jwk(cases[i].jwk, &why);
        if (key || !strstr(why, cases[i].says))
            flunk("%s: %s", cases[i].jwk, key ? "taken" : why);
    }
}

static void a_key_says_what_it_is_for(void **state)
{
    const char *why;
    struct jws_key *key = read_jwk("{" OKP ",\"kid\":\"k\",\"use\":\"sig\",\"alg\":\"EdDSA\","
                                   "\"key_ops\":[\"sign\",\"verify\"]}",
                                   &why);

    (void)state;
    assert_non_null(key);
    assert_true(str_eq(jws_key_kid(key), S("k")));
    assert_true(jws_key_fits(key, JWS_EDDSA));
    struct jws_key *shared = jws_key_share(key);
    jws_key_drop(&key);
    assert_true(str_eq(jws_key_kid(shared), S("k")));
    jws_key_drop(&shared);
}

/* ---- keys of our own, as PEM and as JWK ---- */

enum { PEM_BYTES = 16 * 1024 };

struct pair {
    EVP_PKEY *pkey;
    struct jws_key *key; /* with its private part */
    char pem[PEM_BYTES];
    str jwk;
};

static EVP_PKEY *make_pkey(enum jws_alg alg, unsigned bits)
{
    static const char *const curves[] = {
        [JWS_ES256] = "P-256", [JWS_ES384] = "P-384", [JWS_ES512] = "P-521"};

    if (alg == JWS_EDDSA)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return alg >= JWS_ES256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[alg])
                            : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
}

static str number(EVP_PKEY *pkey, const char *name, int width)
{
    uint8_t bytes[1024];
    BIGNUM *bn = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &bn), 1);
    int n = BN_bn2binpad(bn, bytes, width ? width : BN_num_bytes(bn));
    BN_free(bn);
    return base64url_write(arena, (str){(const char *)bytes, (size_t)n});
}

static str jwk_of(EVP_PKEY *pkey)
{
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
        str n = number(pkey, OSSL_PKEY_PARAM_RSA_N, 0), e = number(pkey, OSSL_PKEY_PARAM_RSA_E, 0);
        return arena_printf(arena, "{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"}", STR_ARG(n),
                            STR_ARG(e));
    }
    int bits = EVP_PKEY_get_bits(pkey);
    int width = (bits + 7) / 8;
    str x = number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, width);
    str y = number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, width);
    return arena_printf(arena, "{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                        bits, STR_ARG(x), STR_ARG(y));
}

static void write_pem(EVP_PKEY *pkey, bool is_private, char out[PEM_BYTES])
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (is_private)
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PUBKEY(bio, pkey);
    int n = BIO_read(bio, out, PEM_BYTES - 1);
    assert_true(n > 0);
    out[n] = '\0';
    BIO_free(bio);
}

static void make_pair(struct pair *pair, enum jws_alg alg)
{
    const char *why;

    pair->pkey = make_pkey(alg, 2048);
    write_pem(pair->pkey, true, pair->pem);
    str rest = str_of(pair->pem);
    pair->key = jws_key_from_pem(&rest, &why);
    assert_non_null(pair->key);
    pair->jwk = alg == JWS_EDDSA ? STR_NONE : jwk_of(pair->pkey);
}

static void drop_pair(struct pair *pair)
{
    jws_key_drop(&pair->key);
    EVP_PKEY_free(pair->pkey);
}

static str sign(const struct pair *pair, enum jws_alg alg)
{
    str name = jws_alg_text(alg);
    str header = arena_printf(arena, "{\"alg\":\"%.*s\"}", STR_ARG(name));

    return jws_sign(arena, alg, pair->key, header, S("{\"sub\":\"kim\"}"));
}

static void what_is_signed_verifies_with_that_key_and_algorithm_alone(void **state)
{
    static struct pair pair, other;

    (void)state;
    for (enum jws_alg alg = JWS_RS256; alg < JWS_ALGS_END; alg++) {
        struct jws jws;
        make_pair(&pair, alg);
        make_pair(&other, alg);
        str token = sign(&pair, alg);
        assert_null(jws_parse(arena, token, &jws));
        assert_true(str_eq(jws.payload, S("{\"sub\":\"kim\"}")));
        assert_true(jws_verify(&jws, pair.key));
        assert_false(jws_verify(&jws, other.key));
        for (enum jws_alg wrong = JWS_RS256; wrong < JWS_ALGS_END; wrong++) {
            struct jws changed = jws;
            changed.alg = wrong;
            assert_int_equal(jws_verify(&changed, pair.key), wrong == alg);
        }
        drop_pair(&pair);
        drop_pair(&other);
    }
}

static void pem_files_may_hold_several_keys(void **state)
{
    static struct pair a, b;
    static char first[PEM_BYTES], second[PEM_BYTES];
    const char *why;

    (void)state;
    make_pair(&a, JWS_ES256);
    make_pair(&b, JWS_RS256);
    write_pem(a.pkey, false, first);
    write_pem(b.pkey, false, second);
    str text = arena_printf(arena, "a comment\n%sand another\n%s\n", first, second);
    struct jws_key *one = jws_key_from_pem(&text, &why);
    struct jws_key *two = jws_key_from_pem(&text, &why);
    assert_true(jws_key_fits(one, JWS_ES256));
    assert_true(jws_key_fits(two, JWS_RS256));
    assert_null(jws_key_from_pem(&text, &why));
    assert_null(why);
    struct jws jws;
    assert_null(jws_parse(arena, sign(&b, JWS_RS256), &jws));
    assert_true(jws_verify(&jws, two));
    assert_true(str_is_none(jws_sign(arena, JWS_ES256, one, S("{}"), S("{}"))));
    jws_key_drop(&one);
    jws_key_drop(&two);
    drop_pair(&a);
    drop_pair(&b);
}

static void small_rsa_keys_and_broken_pem_are_refused(void **state)
{
    static char pem[PEM_BYTES];
    EVP_PKEY *small = make_pkey(JWS_RS256, 1024);
    const char *why;

    (void)state;
    write_pem(small, false, pem);
    str text = str_of(pem);
    assert_null(jws_key_from_pem(&text, &why));
    assert_non_null(strstr(why, "2048"));
    assert_null(read_jwk(jwk_of(small).p, &why));
    assert_non_null(strstr(why, "2048"));
    EVP_PKEY_free(small);
    for (size_t i = 0; i < 2; i++) {
        text = i ? S("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
                 : S("-----BEGIN CERTIFICATE-----\n");
        assert_null(jws_key_from_pem(&text, &why));
        assert_non_null(why);
    }
}

/* ---- Debian's jose ---- */

static void write_file(const char *path, str text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fwrite(text.p, 1, text.n, f);
    fclose(f);
}

static str read_file(const char *path)
{
    static char text[JWS_MAX_BYTES];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    while (n && text[n - 1] == '\n')
        n--;
    return arena_dup(arena, (str){text, n});
}

static void run(const char *folder, const char *command)
{
    str line = arena_printf(arena, "cd %s && %s", folder, command);

    if (system(line.p) != 0)
        flunk("failed (is the package jose installed?): %s", command);
}

static void check_theirs(const char *folder, enum jws_alg alg)
{
    DROP(json) json_t *jwk = NULL;
    struct cx cx = {.arena = arena};
    const char *why;
    struct jws jws;
    str name = jws_alg_text(alg);

    run(folder, arena_printf(arena,
                             "jose jwk gen -i '{\"alg\":\"%.*s\",\"kid\":\"k\"}' -o key &&"
                             " jose jwk pub -i key -o pub &&"
                             " jose jws sig -I payload -k key -c -o token",
                             STR_ARG(name))
                    .p);
    assert_int_equal(json_read(&cx, read_file(arena_printf(arena, "%s/pub", folder).p), &jwk),
                     E_OK);
    struct jws_key *key = jws_key_from_jwk(arena, jwk, &why);
    if (!key)
        flunk("%.*s: the key %s", STR_ARG(name), why);
    assert_null(jws_parse(arena, read_file(arena_printf(arena, "%s/token", folder).p), &jws));
    assert_int_equal(jws.alg, alg);
    assert_true(str_eq(jws.payload, S("{\"sub\":\"kim\"}")));
    assert_true(jws_verify(&jws, key));
    jws_key_drop(&key);
}

static void check_ours(const char *folder, enum jws_alg alg)
{
    static struct pair pair;

    make_pair(&pair, alg);
    write_file(arena_printf(arena, "%s/pub", folder).p, pair.jwk);
    write_file(arena_printf(arena, "%s/token", folder).p, sign(&pair, alg));
    run(folder, "jose jws ver -i token -k pub -O payload2 && cmp payload payload2");
    drop_pair(&pair);
}

static void jose_takes_our_tokens_and_we_take_its(void **state)
{
    char folder[] = "/tmp/test_jws.XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(arena_printf(arena, "%s/payload", folder).p, S("{\"sub\":\"kim\"}"));
    /* It has no EdDSA. */
    for (enum jws_alg alg = JWS_RS256; alg < JWS_EDDSA; alg++) {
        check_theirs(folder, alg);
        check_ours(folder, alg);
    }
    run("/tmp", arena_printf(arena, "rm -r %s", folder).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_has_one_text_for_each_sequence_of_bytes),
        cmocka_unit_test(base64url_reads_back_what_it_writes),
        cmocka_unit_test(published_tokens_verify_and_no_bit_of_them_may_change),
        cmocka_unit_test(a_key_checks_its_own_algorithms_alone),
        cmocka_unit_test(what_is_no_token_is_refused_with_a_sentence),
        cmocka_unit_test(unknown_algorithms_parse_and_never_verify),
        cmocka_unit_test(a_token_has_at_most_16_kib),
        cmocka_unit_test(a_zero_signature_is_none),
        cmocka_unit_test(keys_that_cannot_be_used_are_refused_with_a_reason),
        cmocka_unit_test(a_key_says_what_it_is_for),
        cmocka_unit_test(what_is_signed_verifies_with_that_key_and_algorithm_alone),
        cmocka_unit_test(pem_files_may_hold_several_keys),
        cmocka_unit_test(small_rsa_keys_and_broken_pem_are_refused),
        cmocka_unit_test(jose_takes_our_tokens_and_we_take_its),
    };

    json_start();
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
