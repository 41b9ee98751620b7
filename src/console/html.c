/* Markup with values in it, each escaped. */
#include "console/html.h"

#include <assert.h>

/* The five that could end a text or an attribute (HTML section 13.1.2). */
static str entity(char c)
{
    switch (c) {
    case '&':
        return S("&amp;");
    case '<':
        return S("&lt;");
    case '>':
        return S("&gt;");
    case '"':
        return S("&quot;");
    case '\'':
        return S("&#39;");
    default:
        return STR_NONE;
    }
}

void html_text(struct html *h, str text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.n; i++) {
        str safe = entity(text.p[i]);
        if (str_is_none(safe))
            continue;
        buf_put(h->out, str_sub(text, from, i - from));
        buf_put(h->out, safe);
        from = i + 1;
    }
    buf_put(h->out, str_sub(text, from, text.n - from));
}

void html_secret(struct html *h, const struct secret *secret)
{
    html_text(h, secret_reveal(secret));
}

void html_write(struct html *h, str markup, const str *values, size_t n)
{
    size_t used = 0;

    while (!str_is_none(markup)) {
        buf_put(h->out, str_cut(&markup, S("{}")));
        if (str_is_none(markup))
            break;
        assert(used < n);
        html_text(h, values[used++]);
    }
    assert(used == n);
}
