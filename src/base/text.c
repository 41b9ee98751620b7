/* Unicode text, by utf8proc. */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/banned.h"

enum { EMAIL_MAX_BYTES = 254, EMAIL_LOCAL_MAX_BYTES = 64 };

/* The next code point, or -1; *rest moves on. */
static int32_t next_char(str *rest)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)rest->p, (utf8proc_ssize_t)rest->n, &c);

    if (n <= 0)
        return -1;
    *rest = str_sub(*rest, (size_t)n, rest->n);
    return c;
}

static bool is_control(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        /* Bidirectional embeddings, overrides and isolates make a name read as another one. */
        return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    }
}

const char *text_fault(str text, size_t max_chars)
{
    size_t n_chars = 0;
    bool has_ink = false;

    if (text.n == 0)
        return "is empty";
    while (text.n) {
        int32_t c = next_char(&text);
        if (c < 0)
            return "is not valid UTF-8";
        if (is_control(c))
            return "holds a control character";
        if (++n_chars > max_chars)
            return "is too long";
        if (utf8proc_category(c) != UTF8PROC_CATEGORY_ZS)
            has_ink = true;
    }
    return has_ink ? NULL : "holds nothing but spaces";
}

bool text_is_plain(str text, size_t max_bytes)
{
    if (text.n == 0 || text.n > max_bytes)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

str text_valid_prefix(str text)
{
    str rest = text;

    while (rest.n)
        if (next_char(&rest) < 0)
            break;
    return str_sub(text, 0, text.n - rest.n);
}

str text_fold(struct arena *arena, str text)
{
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t n = utf8proc_map(
        (const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.n, &folded,
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);

    str out = n < 0 ? STR_NONE : arena_dup(arena, (str){(const char *)folded, (size_t)n});
    free(folded);
    return out;
}

static bool is_domain(str domain)
{
    if (domain.n == 0 || str_starts(domain, S(".")) || str_ends(domain, S(".")) ||
        str_starts(domain, S("-")) || str_ends(domain, S("-")))
        return false;
    for (size_t i = 0; i < domain.n; i++) {
        unsigned char c = (unsigned char)domain.p[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && c != '.' && c != '-' && c < 0x80)
            return false;
        if (c == '.' && domain.p[i - 1] == '.')
            return false;
    }
    return true;
}

bool text_is_email(str text)
{
    str domain = text;

    if (text.n > EMAIL_MAX_BYTES || text_fault(text, EMAIL_MAX_BYTES))
        return false;
    str local = str_cut(&domain, S("@"));
    if (local.n == 0 || local.n > EMAIL_LOCAL_MAX_BYTES || str_is_none(domain))
        return false;
    for (str rest = local; rest.n;) {
        int32_t c = next_char(&rest);
        if (utf8proc_category(c) == UTF8PROC_CATEGORY_ZS || (c < 128 && strchr("\"(),:;<>[\\]", c)))
            return false;
    }
    return is_domain(domain);
}
