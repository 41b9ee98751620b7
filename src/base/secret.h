/*
 * A raw key, token, password or signing secret: never a str, so that it cannot be logged or
 * written by mistake. Wiped on drop, compared in constant time.
 */
#ifndef SALLYPORT_BASE_SECRET_H
#define SALLYPORT_BASE_SECRET_H

#include "base/drop.h"
#include "base/str.h"

enum { SECRET_MAX_BYTES = 8192 };

struct secret {
    char *p;
    size_t n;
};

/* Copies; more than SECRET_MAX_BYTES is refused with false, and *s is then empty. */
bool secret_set(struct secret *s, str text);

/* Copies, then wipes the bytes it came from. */
bool secret_take(struct secret *s, char *p, size_t n);

/* The one way to look inside; the loan ends with the secret. Never log it or keep it. */
str secret_reveal(const struct secret *s);

bool secret_is_set(const struct secret *s);

/* The time does not depend on where they differ. */
bool secret_eq(const void *a, const void *b, size_t n);

void secret_drop(struct secret *s);

#endif
