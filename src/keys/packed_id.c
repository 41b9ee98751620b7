#include "keys/packed_id.h"

#include <string.h>

#include "base/banned.h"

enum { KIND_NONE, KIND_PLAIN, KINDS_FIRST };

static const struct kind {
    str prefix;
    str alphabet;
    size_t digits;
    unsigned bits; /* of a digit */
} kinds[] = {
    {{"key_", 4}, {"0123456789abcdefghjkmnpqrstvwxyz", 32}, 24, 5},
    {{"user_", 5}, {"0123456789abcdefghjkmnpqrstvwxyz", 32}, 24, 5},
    {{"api_key_", 8}, {"0123456789abcdef", 16}, 32, 4},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static bool pack_digits(const struct kind *kind, str digits, uint8_t out[PACKED_ID_BODY_BYTES])
{
    uint32_t held = 0;
    unsigned n_held = 0;
    size_t at = 0;

    for (size_t i = 0; i < digits.n; i++) {
        const char *digit = memchr(kind->alphabet.p, digits.p[i], kind->alphabet.n);
        if (!digit)
            return false;
        held = held << kind->bits | (uint32_t)(digit - kind->alphabet.p);
        n_held += kind->bits;
        if (n_held >= 8)
            out[at++] = (uint8_t)(held >> (n_held -= 8));
    }
    return true;
}

static bool pack_kind(const struct kind *kind, str id, uint8_t out[PACKED_ID_BODY_BYTES])
{
    return id.n == kind->prefix.n + kind->digits && str_starts(id, kind->prefix) &&
           pack_digits(kind, str_sub(id, kind->prefix.n, id.n), out);
}

struct packed_id packed_id_of(str id)
{
    struct packed_id packed = {0};

    for (uint8_t i = 0; i < KINDS; i++) {
        packed.kind = (uint8_t)(KINDS_FIRST + i);
        if (pack_kind(&kinds[i], id, packed.body))
            return packed;
    }
    if (id.n == 0 || id.n > PACKED_ID_BODY_BYTES)
        return (struct packed_id){.kind = KIND_NONE};
    packed = (struct packed_id){.kind = KIND_PLAIN};
    memcpy(packed.body, id.p, id.n);
    return packed;
}

bool packed_id_is_none(const struct packed_id *id)
{
    return id->kind == KIND_NONE;
}

bool packed_id_eq(const struct packed_id *a, const struct packed_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static size_t write_digits(const struct kind *kind, const uint8_t *body, char *out)
{
    uint32_t held = 0;
    unsigned n_held = 0;

    for (size_t i = 0; i < kind->digits; i++) {
        if (n_held < kind->bits) {
            held = held << 8 | *body++;
            n_held += 8;
        }
        n_held -= kind->bits;
        out[i] = kind->alphabet.p[held >> n_held & ((1u << kind->bits) - 1)];
    }
    return kind->digits;
}

size_t packed_id_text(const struct packed_id *id, char out[PACKED_ID_TEXT_BYTES])
{
    if (id->kind < KINDS_FIRST) {
        memcpy(out, id->body, PACKED_ID_BODY_BYTES);
        return strnlen(out, PACKED_ID_BODY_BYTES);
    }
    const struct kind *kind = &kinds[id->kind - KINDS_FIRST];
    memcpy(out, kind->prefix.p, kind->prefix.n);
    return kind->prefix.n + write_digits(kind, id->body, out + kind->prefix.n);
}
