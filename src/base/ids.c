/* Identifiers that sort by age. */
#include "base/ids.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/banned.h"

enum { TIME_CHARS = 9, CHANCE_CHARS = ID_BODY_CHARS - TIME_CHARS };

/* Crockford's base 32 in lower case: no i, l, o, u; its order is the order of the bytes. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

str id_new(struct arena *arena, const char *prefix, int64_t now_ms)
{
    unsigned char chance[CHANCE_CHARS];
    char body[ID_BODY_CHARS];

    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
        abort();
    for (int i = 0; i < TIME_CHARS; i++)
        body[i] = alphabet[(now_ms >> (5 * (TIME_CHARS - 1 - i))) & 31];
    for (int i = 0; i < CHANCE_CHARS; i++)
        body[TIME_CHARS + i] = alphabet[chance[i] & 31];
    return arena_printf(arena, "%s_%.*s", prefix, ID_BODY_CHARS, body);
}

str id_new_hex(struct arena *arena, const char *prefix, int64_t now_ms)
{
    unsigned char bytes[16];
    char body[2 * sizeof bytes];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort();
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(now_ms >> (40 - 8 * i));
    hex_write(bytes, sizeof bytes, body);
    return arena_printf(arena, "%s%.*s", prefix, (int)sizeof body, body);
}

bool id_is_shaped(str text, const char *prefix)
{
    str start = str_of(prefix);

    if (text.n != start.n + 1 + ID_BODY_CHARS || !str_starts(text, start) || text.p[start.n] != '_')
        return false;
    for (size_t i = start.n + 1; i < text.n; i++)
        if (!strchr(alphabet, text.p[i]) || text.p[i] == '\0')
            return false;
    return true;
}
