/* What each byte may be part of, by the grammars of RFC 9110 and RFC 3986. */
#ifndef SALLYPORT_HTTP_CHARS_H
#define SALLYPORT_HTTP_CHARS_H

#include "base/str.h"

enum {
    CHAR_TEXT = 1,  /* a head: visible bytes, space, tab, and above ASCII */
    CHAR_TOKEN = 2, /* RFC 9110 section 5.6.2 */
    CHAR_PATH = 4,  /* RFC 3986 section 3.3: pchar, "/", and "%" for an escape to come */
    CHAR_QUERY = 8, /* visible ASCII but "#": clients send more than RFC 3986 section 3.4 has */
    CHAR_NAME = 16, /* a name or an IPv4 address in Host; no escapes */
    CHAR_DIGIT = 32,
};

extern const uint8_t http_chars[256];

static inline bool http_char_is(char c, unsigned kind)
{
    return (http_chars[(unsigned char)c] & kind) != 0;
}

static inline bool http_chars_are(str s, unsigned kind)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_char_is(s.p[i], kind))
            return false;
    return true;
}

#endif
