/*
 * SHA-256 and HMAC on OpenSSL's low-level functions. They are deprecated, but with EVP on OpenSSL
 * 3.0 each digest costs an allocation, and this one stands on the path of every request.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/digest.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

enum { SHA256_BLOCK_BYTES = 64 };

struct sha256 digest_sha256(str text)
{
    struct sha256 out;
    SHA256_CTX sha;

    SHA256_Init(&sha);
    SHA256_Update(&sha, text.p, text.n);
    SHA256_Final(out.bytes, &sha);
    return out;
}

struct sha256 digest_sha512_half(str text)
{
    uint8_t whole[SHA512_DIGEST_LENGTH];
    struct sha256 out;

    SHA512((const unsigned char *)text.p, text.n, whole);
    memcpy(out.bytes, whole, sizeof out.bytes);
    return out;
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256_run), "a run holds OpenSSL's state");

void digest_begin(struct sha256_run *run)
{
    SHA256_Init((SHA256_CTX *)run);
}

void digest_put(struct sha256_run *run, str piece)
{
    SHA256_Update((SHA256_CTX *)run, piece.p, piece.n);
}

struct sha256 digest_end(struct sha256_run *run)
{
    struct sha256 out;

    SHA256_Final(out.bytes, (SHA256_CTX *)run);
    return out;
}

/* RFC 2104 section 2: the digest of (key XOR pad) and then the text. */
static struct sha256 padded_digest(const uint8_t key[SHA256_BLOCK_BYTES], uint8_t pad, str text)
{
    uint8_t block[SHA256_BLOCK_BYTES];
    struct sha256 out;
    SHA256_CTX sha;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = key[i] ^ pad;
    SHA256_Init(&sha);
    SHA256_Update(&sha, block, sizeof block);
    SHA256_Update(&sha, text.p, text.n);
    SHA256_Final(out.bytes, &sha);
    mem_wipe(block, sizeof block);
    return out;
}

struct sha256 digest_hmac_sha256(str key, str text)
{
    uint8_t whole_key[SHA256_BLOCK_BYTES] = {0};

    if (key.n > sizeof whole_key) {
        struct sha256 shorter = digest_sha256(key);
        memcpy(whole_key, shorter.bytes, sizeof shorter.bytes);
        mem_wipe(&shorter, sizeof shorter);
    } else if (key.n) {
        memcpy(whole_key, key.p, key.n);
    }
    struct sha256 inner = padded_digest(whole_key, 0x36, text);
    struct sha256 outer =
        padded_digest(whole_key, 0x5c, (str){(const char *)inner.bytes, sizeof inner.bytes});
    mem_wipe(whole_key, sizeof whole_key);
    return outer;
}
