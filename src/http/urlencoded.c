/* Form bodies: cut at "&" and "=", decoded once, and refused where they are not as browsers write.
 */
#include "http/urlencoded.h"

#include "base/text.h"

/* The bytes that stand for themselves; all others are escaped, and a space is a "+". */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '*' ||
           c == '-' || c == '.' || c == '_';
}

/* The value of the escape at s.p[i], or -1. */
static int escape_at(str s, size_t i)
{
    int high = s.n - i > 2 ? hex_value(s.p[i + 1]) : -1;
    int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;

    return low < 0 ? -1 : high * 16 + low;
}

static const char *decode(struct arena *arena, str s, str *out)
{
    char *p = arena_alloc(arena, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        int value = s.p[i] == '+' ? ' ' : s.p[i];
        if (s.p[i] == '%') {
            value = escape_at(s, i);
            i += 2;
            if (value < 0)
                return "An escape in the form is cut short, or is not hex.";
            if (value == 0)
                return "The form holds a NUL.";
        } else if (s.p[i] != '+' && !is_plain(s.p[i])) {
            return "The form holds a byte that must be percent-encoded.";
        }
        p[n++] = (char)value;
    }
    *out = (str){p, n};
    if (text_valid_prefix(*out).n != n)
        return "The form holds text that is not UTF-8.";
    return NULL;
}

static const char *add(struct arena *arena, str pair, str many, struct urlencoded *out)
{
    str name, value;
    bool has_value = str_has_byte(pair, '=');
    const char *fault = decode(arena, str_cut(&pair, S("=")), &name);

    if (!fault)
        fault = decode(arena, pair, &value);
    if (fault)
        return fault;
    if (!has_value)
        return "A field of the form has no \"=\".";
    if (!text_is_plain(name, URLENCODED_NAME_MAX_BYTES))
        return "A field of the form has a name that is not valid.";
    if (!str_eq(name, many) && !str_is_none(urlencoded_value(out, name)))
        return "A field of the form is there twice.";
    if (out->n == URLENCODED_PAIRS_MAX)
        return "The form has too many fields.";
    out->pairs[out->n].name = name;
    out->pairs[out->n++].value = value;
    return NULL;
}

const char *urlencoded_parse(struct arena *arena, str body, str many, struct urlencoded *out)
{
    const char *fault = NULL;

    *out = (struct urlencoded){.n = 0};
    if (body.n == 0)
        return NULL;
    while (!fault && !str_is_none(body))
        fault = add(arena, str_cut(&body, S("&")), many, out);
    return fault;
}

enum err http_req_urlencoded(struct cx *cx, const struct http_req *req, str many,
                             struct urlencoded *out)
{
    str rest = http_req_field(req, S("content-type"), NULL);
    str type = str_trim(str_cut(&rest, S(";")));

    cx->doing = "reading the form";
    if (!str_ieq(type, S("application/x-www-form-urlencoded"))) {
        fail_hint(cx, "Send the form from its own page.");
        return fail(cx, E_UNSUPPORTED_MEDIA_TYPE,
                    "Content-Type is not application/x-www-form-urlencoded.");
    }
    const char *fault = urlencoded_parse(cx->arena, req->body, many, out);
    return fault ? fail(cx, E_MALFORMED_FORM, "%s", fault) : E_OK;
}

str urlencoded_value(const struct urlencoded *form, str name)
{
    for (size_t i = 0; i < form->n; i++)
        if (str_eq(form->pairs[i].name, name))
            return form->pairs[i].value;
    return STR_NONE;
}
