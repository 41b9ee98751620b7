/*
 * The text of an API key: prefix, environment, then 64 lower-case hex digits, e.g. mt_live_ + 64.
 * The last 8 digits are the CRC-32 (IEEE, as zlib) of all the text before them, most significant
 * digit first; the other 56 are random. A wrong one is known without a look-up, and its fault can
 * be told, since it is about the caller's own input only.
 */
#ifndef SALLYPORT_DECIDE_KEY_TEXT_H
#define SALLYPORT_DECIDE_KEY_TEXT_H

#include "base/str.h"

enum { KEY_HEX_DIGITS = 64, KEY_CHECK_DIGITS = 8, KEY_RANDOM_BYTES = 28, KEY_TEXT_MAX_BYTES = 96 };

enum key_fault {
    KEY_TEXT_OK,
    KEY_TEXT_MISSING,        /* the field is there and empty */
    KEY_TEXT_TWICE,          /* set by the caller: two key fields */
    KEY_TEXT_IN_WRONG_PLACE, /* set by the caller: the key stands in Authorization or the query */
    KEY_TEXT_SPACES,         /* spaces or tabs around or inside it */
    KEY_TEXT_QUOTED,         /* quotation marks around it */
    KEY_TEXT_SCHEME,         /* starts with "Bearer " or another scheme word */
    KEY_TEXT_PREFIX,         /* does not start with the prefix */
    KEY_TEXT_ENVIRONMENT,    /* right prefix, another environment */
    KEY_TEXT_SHORT,          /* `by` characters are missing */
    KEY_TEXT_LONG,           /* `by` characters too many */
    KEY_TEXT_UPPER_CASE,     /* would be right in lower case */
    KEY_TEXT_NOT_HEX,        /* character number `by` (from 1, of the whole text) is no hex digit */
    KEY_TEXT_CHECKSUM,
};

/* What a key of an API looks like on this instance. */
struct key_form {
    str prefix;      /* "mt" */
    str environment; /* "live" or "test" */
};

struct key_text_verdict {
    enum key_fault fault;
    size_t by;
};

/* Pure, no allocation. Checked in the order of the enum, from KEY_TEXT_MISSING on. */
struct key_text_verdict key_text_judge(str text, const struct key_form *form);

/* CRC-32 as in zlib's crc32(). */
uint32_t key_text_crc32(str text);

/* Write a whole key from its random bytes; out holds KEY_TEXT_MAX_BYTES; returns the length. */
size_t key_text_make(const struct key_form *form, const uint8_t random[KEY_RANDOM_BYTES],
                     char out[KEY_TEXT_MAX_BYTES]);

/* Does this text look like one of our keys (right prefix, "_live_" or "_test_")? Then a key stands
 * in the wrong place, and the hint says so. */
bool key_text_resembles(str text, const struct key_form *form);

#endif
