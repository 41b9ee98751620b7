/* Random bytes from the operating system; a failure ends the process. */
#ifndef SALLYPORT_CRYPTO_RANDOM_H
#define SALLYPORT_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

void random_bytes(void *out, size_t n);

/* n random bytes as 2n lower-case hex digits after the prefix. */
void random_hex_secret(struct secret *out, str prefix, size_t n_bytes);

#endif
