/* Secrets: kept apart, wiped, compared in constant time. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

bool secret_set(struct secret *s, str text)
{
    struct secret copy = {0};
    bool fits = text.n <= SECRET_MAX_BYTES && !str_is_none(text);

    if (fits) {
        copy = (struct secret){mem_new(text.n + 1), text.n};
        if (text.n)
            memcpy(copy.p, text.p, text.n);
    }
    secret_drop(s); /* only now: the text may be a part of it */
    *s = copy;
    return fits;
}

bool secret_take(struct secret *s, char *p, size_t n)
{
    bool fits = secret_set(s, (str){p, n});

    mem_wipe(p, n);
    return fits;
}

str secret_reveal(const struct secret *s)
{
    return s->p ? (str){s->p, s->n} : STR_NONE;
}

bool secret_is_set(const struct secret *s)
{
    return s->p != NULL;
}

bool secret_eq(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *x = a;
    const volatile unsigned char *y = b;
    unsigned char difference = 0;

    for (size_t i = 0; i < n; i++)
        difference |= (unsigned char)(x[i] ^ y[i]);
    return difference == 0;
}

void secret_drop(struct secret *s)
{
    if (s->p) {
        mem_wipe(s->p, s->n);
        free(s->p);
    }
    *s = (struct secret){0};
}
