/* Randomness from the kernel. */
#include "crypto/random.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/banned.h"
#include "base/mem.h"

enum { RANDOM_HEX_MAX_BYTES = 128, RANDOM_PREFIX_MAX_BYTES = 64 };

void random_bytes(void *out, size_t n)
{
    uint8_t *at = out;

    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fprintf(stderr, "sallyport: the system gives no random bytes: %s\n", strerror(errno));
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

void random_hex_secret(struct secret *out, str prefix, size_t n_bytes)
{
    uint8_t bytes[RANDOM_HEX_MAX_BYTES];
    char text[RANDOM_PREFIX_MAX_BYTES + 2 * RANDOM_HEX_MAX_BYTES];

    assert(n_bytes <= sizeof bytes && prefix.n <= RANDOM_PREFIX_MAX_BYTES);
    random_bytes(bytes, n_bytes);
    if (prefix.n)
        memcpy(text, prefix.p, prefix.n);
    hex_write(bytes, n_bytes, text + prefix.n);
    mem_wipe(bytes, sizeof bytes);
    secret_take(out, text, prefix.n + 2 * n_bytes);
}
