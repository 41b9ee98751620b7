/* AES-256-GCM on OpenSSL's EVP. */
#include "crypto/wrap.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "crypto/random.h"

/* NIST SP 800-38D section 8.2.2: 96 random bits are safe for 2^32 uses of one key. */
enum { NONCE_BYTES = 12, TAG_BYTES = 16, AROUND_BYTES = NONCE_BYTES + TAG_BYTES };

static bool start(EVP_CIPHER_CTX *gcm, const uint8_t instance_key[INSTANCE_KEY_BYTES], str purpose,
                  str place, const uint8_t *nonce, bool encrypts)
{
    struct sha256 key = instance_key_derive(instance_key, purpose);
    int n = 0;
    bool is_done =
        gcm && EVP_CipherInit_ex(gcm, EVP_aes_256_gcm(), NULL, key.bytes, nonce, encrypts) == 1 &&
        EVP_CipherUpdate(gcm, NULL, &n, (const uint8_t *)place.p, (int)place.n) == 1;

    mem_wipe(&key, sizeof key);
    return is_done;
}

str wrap_close(struct arena *arena, const uint8_t instance_key[INSTANCE_KEY_BYTES], str purpose,
               str place, str plain)
{
    struct instance_key_id id = instance_key_id_of(instance_key);
    uint8_t *bytes = arena_alloc(arena, plain.n + AROUND_BYTES);
    char *hex = arena_alloc(arena, 2 * (plain.n + AROUND_BYTES));
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;

    random_bytes(bytes, NONCE_BYTES);
    /* Nothing of this depends on what the world does: it fails only where the library is broken. */
    bool is_done = start(gcm, instance_key, purpose, place, bytes, true) &&
                   EVP_CipherUpdate(gcm, bytes + NONCE_BYTES, &n, (const uint8_t *)plain.p,
                                    (int)plain.n) == 1 &&
                   EVP_CipherFinal_ex(gcm, bytes + NONCE_BYTES + n, &rest) == 1 &&
                   EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
                                       bytes + NONCE_BYTES + plain.n) == 1;
    EVP_CIPHER_CTX_free(gcm);
    assert(is_done);
    hex_write(bytes, plain.n + AROUND_BYTES, hex);
    return arena_printf(arena, "%.*s:%.*s", STR_ARG(instance_key_id_text(&id)),
                        (int)(2 * (plain.n + AROUND_BYTES)), hex);
}

static bool parse_hex(struct arena *arena, str hex, uint8_t **out)
{
    if (hex.n % 2 != 0 || hex.n / 2 < AROUND_BYTES || hex.n / 2 > SECRET_MAX_BYTES + AROUND_BYTES)
        return false;
    *out = arena_alloc(arena, hex.n / 2);
    for (size_t i = 0; i < hex.n / 2; i++) {
        int high = hex_value(hex.p[2 * i]);
        int low = hex_value(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        (*out)[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Which of the two the text names, or NULL. */
static const uint8_t *key_named(const struct instance_key *keys, str id)
{
    struct instance_key_id current = instance_key_id_of(keys->current);
    struct instance_key_id previous = instance_key_id_of(keys->previous);

    if (str_eq(id, instance_key_id_text(&current)))
        return keys->current;
    if (keys->has_previous && str_eq(id, instance_key_id_text(&previous)))
        return keys->previous;
    return NULL;
}

bool wrap_open(struct arena *arena, const struct instance_key *keys, str purpose, str place,
               str text, struct secret *out)
{
    str rest = text;
    const uint8_t *key = key_named(keys, str_cut(&rest, S(":")));
    uint8_t *bytes;
    int n = 0, end = 0;

    if (!key || !parse_hex(arena, rest, &bytes))
        return false;
    size_t plain_n = rest.n / 2 - AROUND_BYTES;
    char *plain = arena_alloc(arena, plain_n + 1);
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    bool is_ours =
        start(gcm, key, purpose, place, bytes, false) &&
        EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, bytes + NONCE_BYTES + plain_n) ==
            1 &&
        EVP_CipherUpdate(gcm, (uint8_t *)plain, &n, bytes + NONCE_BYTES, (int)plain_n) == 1 &&
        EVP_CipherFinal_ex(gcm, (uint8_t *)plain + n, &end) == 1;
    EVP_CIPHER_CTX_free(gcm);
    if (!is_ours)
        mem_wipe(plain, plain_n);
    return is_ours && secret_take(out, plain, plain_n);
}
