/* Base64url, without padding and without leniency. */
#include "crypto/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_read(struct arena *arena, str text, str *out)
{
    uint32_t bits = 0;
    int n_bits = 0;
    size_t n = 0;

    if (text.n % 4 == 1)
        return false;
    char *p = arena_alloc(arena, text.n / 4 * 3 + 3);
    for (size_t i = 0; i < text.n; i++) {
        int value = value_of(text.p[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            p[n++] = (char)(bits >> n_bits & 0xff);
        }
    }
    /* RFC 4648 section 3.5: bits that are left over are zero. */
    if (bits & ((1u << n_bits) - 1))
        return false;
    *out = (str){p, n};
    return true;
}

str base64url_write(struct arena *arena, str bytes)
{
    char *p = arena_alloc(arena, bytes.n / 3 * 4 + 5);
    uint32_t bits = 0;
    int n_bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < bytes.n; i++) {
        bits = (bits << 8 | (uint8_t)bytes.p[i]) & 0xffffff;
        for (n_bits += 8; n_bits >= 6;) {
            n_bits -= 6;
            p[n++] = alphabet[bits >> n_bits & 63];
        }
    }
    if (n_bits > 0)
        p[n++] = alphabet[bits << (6 - n_bits) & 63];
    return (str){p, n};
}
