/* Loans of bytes: compare, cut, trim, read numbers. */
#include "base/str.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

str str_of(const char *text)
{
    return text ? (str){text, strlen(text)} : STR_NONE;
}

bool str_is_none(str s)
{
    return s.p == NULL;
}

bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_ieq(str a, str b)
{
    return a.n == b.n && str_istarts(a, b);
}

int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

bool str_istarts(str s, str prefix)
{
    if (s.n < prefix.n)
        return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (lower(s.p[i]) != lower(prefix.p[i]))
            return false;
    return true;
}

bool str_has_byte(str s, char byte)
{
    return s.n && memchr(s.p, byte, s.n) != NULL;
}

str str_sub(str s, size_t from, size_t n)
{
    if (from > s.n)
        from = s.n;
    if (n > s.n - from)
        n = s.n - from;
    return (str){s.p ? s.p + from : NULL, n};
}

str str_trim(str s)
{
    while (s.n && is_blank(s.p[0]))
        s = str_sub(s, 1, s.n);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* memmem prepares itself for long needles, which costs more than these searches take. */
static const char *find(str s, str part)
{
    if (part.n == 0 || part.n > s.n)
        return NULL;
    const char *stop = s.p + s.n - part.n + 1;
    for (const char *at = s.p; at < stop; at++) {
        at = memchr(at, part.p[0], (size_t)(stop - at));
        if (!at || memcmp(at, part.p, part.n) == 0)
            return at;
    }
    return NULL;
}

str str_cut(str *rest, str separator)
{
    str whole = *rest;
    const char *at = find(whole, separator);

    if (!at) {
        *rest = STR_NONE;
        return whole;
    }
    size_t head = (size_t)(at - whole.p);
    *rest = str_sub(whole, head + separator.n, whole.n);
    return str_sub(whole, 0, head);
}

bool str_parse_u64(str s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (value > max / 10 || value * 10 > max - digit)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    char c = lower(digit);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void hex_write(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

size_t str_write_int(int64_t value, char out[STR_INT_BYTES])
{
    char digits[STR_INT_BYTES];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        digits[--at] = '-';
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}
