/*
 * Passwords: Argon2id (RFC 9106) through libsodium, two at a time at most, since each takes 64 MiB.
 */
#ifndef SALLYPORT_CRYPTO_PASSWORD_H
#define SALLYPORT_CRYPTO_PASSWORD_H

#include "base/cx.h"
#include "base/secret.h"

enum { PASSWORD_HASH_BYTES = 128, PASSWORD_MIN_CHARS = 12, PASSWORD_MAX_BYTES = 1024 };

/* Once, before threads start. */
void password_start(void);

/* Twelve characters, no control character, and no other rule. */
bool password_is_fit(str text);

/* The encoded hash, with its parameters, in cx->arena. E_OVERLOADED: too many are waiting. */
enum err password_hash(struct cx *cx, const struct secret *password, str *out);

/*
 * `hash` may be STR_NONE for an account that does not exist or has no password: the same time is
 * taken, and *matches is false. E_OVERLOADED as above.
 */
enum err password_verify(struct cx *cx, const struct secret *password, str hash, bool *matches);

#endif
