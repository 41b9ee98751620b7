/* Cursors: "k.key_06b3….1a2b3c4d". */
#include "base/cursor.h"

#include <stdio.h>

#include "base/banned.h"
#include "base/text.h"

enum { CHECK_CHARS = 8 };

/* FNV-1a: against slips and cuts. A forged cursor gains nothing: lists are bound to the caller. */
static uint32_t check_of(char list, str id)
{
    uint32_t hash = 2166136261u;

    hash = (hash ^ (unsigned char)list) * 16777619u;
    for (size_t i = 0; i < id.n; i++)
        hash = (hash ^ (unsigned char)id.p[i]) * 16777619u;
    return hash;
}

str cursor_write(struct arena *arena, char list, str id)
{
    return arena_printf(arena, "%c.%.*s.%08x", list, STR_ARG(id), check_of(list, id));
}

bool cursor_read(str text, char list, str *id)
{
    char check[CHECK_CHARS + 1];

    if (text.n > CURSOR_MAX_BYTES || text.n < CHECK_CHARS + 4 || text.p[0] != list ||
        text.p[1] != '.' || text.p[text.n - CHECK_CHARS - 1] != '.')
        return false;
    str middle = str_sub(text, 2, text.n - CHECK_CHARS - 3);
    if (!text_is_plain(middle, CURSOR_MAX_BYTES))
        return false;
    snprintf(check, sizeof check, "%08x", check_of(list, middle));
    if (!str_eq(str_sub(text, text.n - CHECK_CHARS, CHECK_CHARS), (str){check, CHECK_CHARS}))
        return false;
    *id = middle;
    return true;
}
