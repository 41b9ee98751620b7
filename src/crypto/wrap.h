/*
 * Secrets that are kept readable, encrypted under the instance key: AES-256-GCM (NIST SP 800-38D)
 * with a key of the purpose's own. The text says which instance key it was made under, so that a
 * rotation can make it anew.
 *
 *     ik_0123456789abcdef:<nonce, ciphertext and tag in hex>
 */
#ifndef SALLYPORT_CRYPTO_WRAP_H
#define SALLYPORT_CRYPTO_WRAP_H

#include "crypto/instance_key.h"

/*
 * purpose  what kind of secret this is: "sallyport audit key"; its key is derived for it
 * place    where it is kept, an id: text moved to another place does not open
 */
str wrap_close(struct arena *arena, const uint8_t instance_key[INSTANCE_KEY_BYTES], str purpose,
               str place, str plain);

/* Under the current instance key or the previous, whichever the text names. False: it is neither,
 * or the text, the purpose or the place is not what it was made with. */
bool wrap_open(struct arena *arena, const struct instance_key *keys, str purpose, str place,
               str text, struct secret *out);

#endif
