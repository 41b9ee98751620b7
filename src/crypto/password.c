/* Argon2id through libsodium, behind a gate: two hashes run at a time, some wait, the rest go. */
#include "crypto/password.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/text.h"

enum {
    HASHES_AT_ONCE = 2,
    HASHES_WAITING_MAX = 32,
    OVERLOADED_RETRY_S = 2, /* 32 waiting, two at a time, some 100 ms each */
};

static_assert(PASSWORD_HASH_BYTES == crypto_pwhash_STRBYTES, "libsodium's encoded hash");

/* All three are guarded by gate_lock; a waiter sleeps on gate_free. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_free = PTHREAD_COND_INITIALIZER;
static unsigned n_running, n_waiting;

/* What the password of an absent account is compared with; not changed after password_start. */
static char absent_hash[PASSWORD_HASH_BYTES];

bool password_is_fit(str text)
{
    return text.n <= PASSWORD_MAX_BYTES && !text_fault(text, PASSWORD_MAX_BYTES) &&
           text_fault(text, PASSWORD_MIN_CHARS - 1);
}

static enum err overloaded(struct cx *cx, const char *detail)
{
    cx->failure.retry_after_s = OVERLOADED_RETRY_S;
    return fail(cx, E_OVERLOADED, "%s", detail);
}

static enum err gate_enter(struct cx *cx)
{
    pthread_mutex_lock(&gate_lock);
    bool is_full = n_running == HASHES_AT_ONCE && n_waiting == HASHES_WAITING_MAX;
    if (!is_full) {
        n_waiting++;
        while (n_running == HASHES_AT_ONCE)
            pthread_cond_wait(&gate_free, &gate_lock);
        n_waiting--;
        n_running++;
    }
    pthread_mutex_unlock(&gate_lock);
    return is_full ? overloaded(cx, "Too many passwords are being checked.") : E_OK;
}

static void gate_leave(void)
{
    pthread_mutex_lock(&gate_lock);
    n_running--;
    pthread_cond_signal(&gate_free);
    pthread_mutex_unlock(&gate_lock);
}

static bool hash_text(str password, char out[PASSWORD_HASH_BYTES])
{
    return crypto_pwhash_str(out, password.n ? password.p : "", password.n,
                             crypto_pwhash_OPSLIMIT_INTERACTIVE,
                             crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
}

void password_start(void)
{
    if (sodium_init() < 0 || !hash_text(S("no account has this password"), absent_hash)) {
        fprintf(stderr, "sallyport: passwords cannot be hashed: libsodium or 64 MiB is missing\n");
        abort();
    }
}

enum err password_hash(struct cx *cx, const struct secret *password, str *out)
{
    char hash[PASSWORD_HASH_BYTES];

    TRY(gate_enter(cx));
    bool is_done = hash_text(secret_reveal(password), hash);
    gate_leave();
    if (!is_done)
        return overloaded(cx, "There is no memory to hash a password.");
    *out = arena_dup(cx->arena, str_of(hash));
    return E_OK;
}

enum err password_verify(struct cx *cx, const struct secret *password, str hash, bool *matches)
{
    char stored[PASSWORD_HASH_BYTES] = {0};
    bool has_hash = hash.n > 0 && hash.n < sizeof stored;
    str text = secret_reveal(password);

    memcpy(stored, has_hash ? hash.p : absent_hash, has_hash ? hash.n : sizeof stored);
    TRY(gate_enter(cx));
    errno = 0;
    bool is_equal = crypto_pwhash_str_verify(stored, text.n ? text.p : "", text.n) == 0;
    bool is_out_of_memory = !is_equal && errno == ENOMEM;
    gate_leave();
    if (is_out_of_memory)
        return overloaded(cx, "There is no memory to check a password.");
    *matches = is_equal && has_hash;
    return E_OK;
}
