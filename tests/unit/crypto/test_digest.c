/* crypto/digest.h and crypto/random.h */
#include "unit.h"

#include <stdlib.h>

#include "crypto/digest.h"
#include "crypto/random.h"

static void assert_hex(struct sha256 got, const char *want)
{
    char hex[2 * SHA256_BYTES + 1] = {0};

    hex_write(got.bytes, sizeof got.bytes, hex);
    assert_string_equal(hex, want);
}

/* FIPS 180-4 examples, as published by NIST with the standard ("SHA256.pdf") */
static void sha_256_gives_the_examples_of_nist(void **state)
{
    (void)state;
    assert_hex(digest_sha256(S("abc")),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hex(digest_sha256(S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_hex(digest_sha256(S("")),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hex(digest_sha256(STR_NONE),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* FIPS 180-2 appendix B.3 */
static void sha_256_of_a_million_a_is_right(void **state)
{
    size_t n = 1000000;
    char *text = malloc(n);

    (void)state;
    assert_non_null(text);
    memset(text, 'a', n);
    assert_hex(digest_sha256((str){text, n}),
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

static str filled(char *out, int byte, size_t n)
{
    memset(out, byte, n);
    return (str){out, n};
}

/* RFC 4231 sections 4.2 to 4.4 */
static void a_text_in_pieces_has_the_digest_of_the_whole(void **state)
{
    char text[300];
    struct sha256 whole;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    whole = digest_sha256((str){text, sizeof text});
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        struct sha256_run run;
        digest_begin(&run);
        for (size_t at = 0; at < sizeof text; at += piece)
            digest_put(&run, str_sub((str){text, sizeof text}, at, piece));
        digest_put(&run, S(""));
        struct sha256 got = digest_end(&run);
        assert_memory_equal(got.bytes, whole.bytes, SHA256_BYTES);
    }
}

static void hmac_gives_the_short_cases_of_rfc_4231(void **state)
{
    char key[20], data[50];

    (void)state;
    assert_hex(digest_hmac_sha256(filled(key, 0x0b, 20), S("Hi There")),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hex(digest_hmac_sha256(S("Jefe"), S("what do ya want for nothing?")),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_hex(digest_hmac_sha256(filled(key, 0xaa, 20), filled(data, 0xdd, 50)),
               "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}

/* RFC 4231 section 4.5 */
static void hmac_gives_the_fourth_case_of_rfc_4231(void **state)
{
    char key[25], data[50];

    (void)state;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (char)(i + 1);
    assert_hex(digest_hmac_sha256((str){key, sizeof key}, filled(data, 0xcd, 50)),
               "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

/* RFC 4231 sections 4.7 and 4.8 */
static void hmac_with_a_key_longer_than_a_block_digests_it_first(void **state)
{
    char key[131];

    (void)state;
    filled(key, 0xaa, sizeof key);
    assert_hex(digest_hmac_sha256((str){key, sizeof key},
                                  S("Test Using Larger Than Block-Size Key - Hash Key First")),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hex(digest_hmac_sha256(
                   (str){key, sizeof key},
                   S("This is a test using a larger than block-size key and a larger than "
                     "block-size data. The key needs to be hashed before being used by the HMAC "
                     "algorithm.")),
               "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void hmac_takes_no_key_and_no_text(void **state)
{
    (void)state;
    assert_hex(digest_hmac_sha256(STR_NONE, STR_NONE),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void random_bytes_differ_and_fill_the_whole(void **state)
{
    uint8_t a[5000] = {0}, b[5000] = {0};
    size_t n_zero = 0;

    (void)state;
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        n_zero += a[i] == 0;
    assert_true(n_zero < 100); /* about 20 are expected */
    random_bytes(a, 0);
}

static void a_hex_secret_is_prefix_and_lower_case_digits(void **state)
{
    DROP(secret) struct secret s = {0};

    (void)state;
    random_hex_secret(&s, S("whsec_"), 32);
    str text = secret_reveal(&s);
    assert_int_equal(text.n, 6 + 64);
    assert_true(str_starts(text, S("whsec_")));
    for (size_t i = 6; i < text.n; i++)
        assert_true(hex_value(text.p[i]) >= 0 && !(text.p[i] >= 'A' && text.p[i] <= 'F'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha_256_gives_the_examples_of_nist),
        cmocka_unit_test(sha_256_of_a_million_a_is_right),
        cmocka_unit_test(a_text_in_pieces_has_the_digest_of_the_whole),
        cmocka_unit_test(hmac_gives_the_short_cases_of_rfc_4231),
        cmocka_unit_test(hmac_gives_the_fourth_case_of_rfc_4231),
        cmocka_unit_test(hmac_with_a_key_longer_than_a_block_digests_it_first),
        cmocka_unit_test(hmac_takes_no_key_and_no_text),
        cmocka_unit_test(random_bytes_differ_and_fill_the_whole),
        cmocka_unit_test(a_hex_secret_is_prefix_and_lower_case_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
