/* The instance key as a value, and what is made with the one in force. */
#include "crypto/instance_key.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "crypto/random.h"

enum { LABEL_MAX_BYTES = 64 };

/* Set at start and by a rotation; guarded by the lock, which is held for a copy only. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct instance_key in_force;
static bool is_set;

static const str labels[INSTANCE_KEY_PURPOSES_END] = {
    [INSTANCE_KEY_IDEMPOTENCY] = {"sallyport idempotency payload", 29},
    [INSTANCE_KEY_FORMS] = {"sallyport form token", 20},
};

void instance_key_drop(struct instance_key *key)
{
    mem_wipe(key, sizeof *key);
}

void instance_key_make(struct instance_key *out)
{
    *out = (struct instance_key){0};
    random_bytes(out->current, sizeof out->current);
}

void instance_key_rotate(const struct instance_key *from, struct instance_key *out)
{
    DROP(instance_key) struct instance_key made;

    instance_key_make(&made);
    memcpy(made.previous, from->current, sizeof made.previous);
    made.has_previous = true;
    *out = made;
}

/* ---- as text ---- */

static bool parse_one(str text, uint8_t out[INSTANCE_KEY_BYTES])
{
    if (text.n != 2 * INSTANCE_KEY_BYTES)
        return false;
    for (size_t i = 0; i < INSTANCE_KEY_BYTES; i++) {
        int high = hex_value(text.p[2 * i]);
        int low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static str trim_lines(str text)
{
    while (text.n && str_has_byte(S(" \t\r\n"), text.p[text.n - 1]))
        text.n--;
    return str_trim(text);
}

bool instance_key_parse(str text, struct instance_key *out)
{
    DROP(instance_key) struct instance_key key = {0};
    str rest = trim_lines(text);
    str current = str_cut(&rest, S(":"));

    if (!parse_one(current, key.current))
        return false;
    key.has_previous = !str_is_none(rest);
    if (key.has_previous && !parse_one(rest, key.previous))
        return false;
    *out = key;
    return true;
}

void instance_key_write(const struct instance_key *key, struct secret *out)
{
    char text[INSTANCE_KEY_TEXT_MAX_BYTES];
    size_t n = 2 * INSTANCE_KEY_BYTES;

    hex_write(key->current, INSTANCE_KEY_BYTES, text);
    if (key->has_previous) {
        text[n++] = ':';
        hex_write(key->previous, INSTANCE_KEY_BYTES, text + n);
        n += 2 * INSTANCE_KEY_BYTES;
    }
    secret_take(out, text, n);
}

/* ---- deriving ---- */

static str key_bytes(const uint8_t key[INSTANCE_KEY_BYTES])
{
    return (str){(const char *)key, INSTANCE_KEY_BYTES};
}

struct sha256 instance_key_derive(const uint8_t key[INSTANCE_KEY_BYTES], str label)
{
    char text[LABEL_MAX_BYTES + 1];

    assert(label.n <= LABEL_MAX_BYTES);
    memcpy(text, label.p, label.n);
    text[label.n] = 1;
    return digest_hmac_sha256(key_bytes(key), (str){text, label.n + 1});
}

struct instance_key_id instance_key_id_of(const uint8_t key[INSTANCE_KEY_BYTES])
{
    struct sha256 digest = instance_key_derive(key, S("sallyport key id"));
    struct instance_key_id id = {"ik_"};

    hex_write(digest.bytes, (INSTANCE_KEY_ID_CHARS - 3) / 2, id.text + 3);
    return id;
}

str instance_key_id_text(const struct instance_key_id *id)
{
    return (str){id->text, sizeof id->text};
}

static struct sha256 mac(const uint8_t key[INSTANCE_KEY_BYTES], enum instance_key_purpose purpose,
                         str text)
{
    struct sha256 derived = instance_key_derive(key, labels[purpose]);
    struct sha256 out = digest_hmac_sha256(key_bytes(derived.bytes), text);

    mem_wipe(&derived, sizeof derived);
    return out;
}

/* ---- the one in force ---- */

void instance_key_set(const struct instance_key *key)
{
    pthread_rwlock_wrlock(&lock);
    mem_wipe(&in_force, sizeof in_force);
    in_force = *key;
    is_set = true;
    pthread_rwlock_unlock(&lock);
}

void instance_key_unset(void)
{
    pthread_rwlock_wrlock(&lock);
    mem_wipe(&in_force, sizeof in_force);
    is_set = false;
    pthread_rwlock_unlock(&lock);
}

void instance_key_get(struct instance_key *out)
{
    pthread_rwlock_rdlock(&lock);
    assert(is_set);
    *out = in_force;
    pthread_rwlock_unlock(&lock);
}

struct sha256 instance_key_mac(enum instance_key_purpose purpose, str text,
                               struct instance_key_id *id)
{
    DROP(instance_key) struct instance_key key;

    instance_key_get(&key);
    *id = instance_key_id_of(key.current);
    return mac(key.current, purpose, text);
}

static bool is_id_of(str id, const uint8_t key[INSTANCE_KEY_BYTES])
{
    struct instance_key_id own = instance_key_id_of(key);

    return str_eq(id, instance_key_id_text(&own));
}

bool instance_key_mac_again(str id, enum instance_key_purpose purpose, str text, struct sha256 *out)
{
    DROP(instance_key) struct instance_key key;

    instance_key_get(&key);
    if (is_id_of(id, key.current))
        *out = mac(key.current, purpose, text);
    else if (key.has_previous && is_id_of(id, key.previous))
        *out = mac(key.previous, purpose, text);
    else
        return false;
    return true;
}
