/*
 * A str is a loan of bytes: a pointer and a length, not NUL-terminated, never freed through it.
 * Small and passed by copy. An absent text is STR_NONE (p is NULL), an empty one has p set.
 */
#ifndef SALLYPORT_BASE_STR_H
#define SALLYPORT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *p;
    size_t n;
} str;

#define S(literal) ((str){"" literal, sizeof(literal) - 1})
#define STR_NONE   ((str){NULL, 0})

/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).n ? (s).p : ""

/* The text of a NUL-terminated string; NULL gives STR_NONE. */
str str_of(const char *text);

bool str_is_none(str s);
bool str_eq(str a, str b);
bool str_ieq(str a, str b); /* ASCII letters only */
int str_cmp(str a, str b);  /* by bytes, as memcmp */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
bool str_istarts(str s, str prefix);
bool str_has_byte(str s, char byte);

/* The part of s from `from` on, `n` bytes at most; clipped to s, never out of it. */
str str_sub(str s, size_t from, size_t n);

/* Without spaces and tabs at both ends. */
str str_trim(str s);

/*
 * Cut *rest at the first separator: the part before it is returned, *rest becomes what follows.
 * Without a separator all of *rest is returned and *rest becomes STR_NONE.
 */
str str_cut(str *rest, str separator);

/* Decimal digits only, no sign, at most `max`; false leaves *out alone. */
bool str_parse_u64(str s, uint64_t max, uint64_t *out);

/* In decimal; how many bytes. */
enum { STR_INT_BYTES = 20 };
size_t str_write_int(int64_t value, char out[STR_INT_BYTES]);

/* The value of one hex digit, or -1. */
int hex_value(char digit);

/* Writes 2*n lower-case digits, no NUL. */
void hex_write(const uint8_t *bytes, size_t n, char *out);

#endif
