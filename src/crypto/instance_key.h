/*
 * The instance key: two 256-bit keys, the current one and the one before it, so that it can be
 * rotated. What is made now is made with the current one; what the former made can still be
 * verified. Nothing is made with the key itself: each purpose has a key of its own, derived from
 * it.
 *
 * As text, in a file or a setting: 64 hex digits, and for the previous key ":" and 64 more.
 */
#ifndef SALLYPORT_CRYPTO_INSTANCE_KEY_H
#define SALLYPORT_CRYPTO_INSTANCE_KEY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/digest.h"

enum {
    INSTANCE_KEY_BYTES = 32,
    INSTANCE_KEY_ID_CHARS = 3 + 16,                           /* "ik_" and 16 hex digits */
    INSTANCE_KEY_TEXT_MAX_BYTES = 4 * INSTANCE_KEY_BYTES + 1, /* both, with the colon */
};

/* DROP(instance_key) one: it is wiped. */
struct instance_key {
    uint8_t current[INSTANCE_KEY_BYTES];
    uint8_t previous[INSTANCE_KEY_BYTES];
    bool has_previous;
};

/* Tells one key from another and gives nothing of it away; not NUL-terminated. */
struct instance_key_id {
    char text[INSTANCE_KEY_ID_CHARS];
};

void instance_key_drop(struct instance_key *key);

/* A new one, without a previous. */
void instance_key_make(struct instance_key *out);

/* A new current key; the former one becomes the previous. */
void instance_key_rotate(const struct instance_key *from, struct instance_key *out);

/* Both cases of hex, spaces around it ignored. False: it is not of that form. */
bool instance_key_parse(str text, struct instance_key *out);
void instance_key_write(const struct instance_key *key, struct secret *out);

struct instance_key_id instance_key_id_of(const uint8_t key[INSTANCE_KEY_BYTES]);
str instance_key_id_text(const struct instance_key_id *id);

/* ---- its file ---- */

/*
 * E_ABSENT      there is no such file
 * E_STORE_DOWN  it cannot be read, others may read it too, or it holds no key: *why is a sentence
 *               with the fix
 */
enum err instance_key_read_file(struct arena *arena, const char *path, struct instance_key *out,
                                str *why);

/*
 * Whole or not at all: a new file beside it, made durable, takes its name. 0600. E_STORE_DOWN with
 * *why: what was there before is still there.
 */
enum err instance_key_write_file(struct arena *arena, const char *path,
                                 const struct instance_key *key, str *why);

/* ---- the one in force ---- */

/* From any thread; copied. The former one is forgotten and wiped. */
void instance_key_set(const struct instance_key *key);
void instance_key_unset(void);

/* A copy, to be dropped. */
void instance_key_get(struct instance_key *out);

/* Each purpose has a key of its own, so that no value made for one says anything in another. */
enum instance_key_purpose {
    INSTANCE_KEY_IDEMPOTENCY,
    INSTANCE_KEY_FORMS,
    INSTANCE_KEY_PURPOSES_END,
};

/* HMAC-SHA-256 under the current key; *id says under which, to be kept beside it. */
struct sha256 instance_key_mac(enum instance_key_purpose purpose, str text,
                               struct instance_key_id *id);

/* The same under the key of that id. False: it is neither the current one nor the previous. */
bool instance_key_mac_again(str id, enum instance_key_purpose purpose, str text,
                            struct sha256 *out);

/* RFC 5869 section 2.3, one block: HMAC(key, label | 0x01). For the tests. */
struct sha256 instance_key_derive(const uint8_t key[INSTANCE_KEY_BYTES], str label);

#endif
