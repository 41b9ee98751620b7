#include "gate/flat.h"

#include "base/json.h"

enum { DIGITS_MAX = 9 };

struct reader {
    const char *p, *end;
};

/* RFC 8259 section 2. */
static void skip_space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

/* The byte, with the space around it. */
static bool take(struct reader *r, char byte)
{
    skip_space(r);
    if (r->p == r->end || *r->p != byte)
        return false;
    r->p++;
    skip_space(r);
    return true;
}

/* Whether what is not ASCII is UTF-8 is for the full reader to say. */
static bool is_plain(char byte)
{
    return (unsigned char)byte < 128 && json_plain[(unsigned char)byte];
}

static bool take_text(struct reader *r, str *out)
{
    if (r->p == r->end || *r->p != '"')
        return false;
    const char *start = ++r->p;
    while (r->p < r->end && is_plain(*r->p))
        r->p++;
    if (r->p == r->end || *r->p != '"')
        return false;
    *out = (str){start, (size_t)(r->p - start)};
    r->p++;
    return true;
}

/* RFC 8259 section 6: no zero before another digit. What follows the digits is looked at by the
 * caller, who knows only "," and "}". */
static bool take_number(struct reader *r, int64_t *out)
{
    const char *start = r->p;

    *out = 0;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - start < DIGITS_MAX)
        *out = *out * 10 + (*r->p++ - '0');
    return r->p > start && (*start != '0' || r->p - start == 1);
}

static bool is_named(const struct flat_member *list, size_t n, str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].name, name))
            return true;
    return false;
}

static bool take_member(struct reader *r, struct flat_member *out)
{
    *out = (struct flat_member){0};
    if (!take_text(r, &out->name) || !take(r, ':'))
        return false;
    out->is_text = take_text(r, &out->text);
    return out->is_text || take_number(r, &out->number);
}

bool flat_read(str text, struct flat_member *out, size_t max, size_t *n)
{
    struct reader r = {text.p, text.p + text.n};

    *n = 0;
    if (!text.n || !take(&r, '{'))
        return false;
    do {
        if (*n == max || !take_member(&r, &out[*n]) || is_named(out, *n, out[*n].name))
            return false;
        ++*n;
    } while (take(&r, ','));
    return take(&r, '}') && r.p == r.end;
}
