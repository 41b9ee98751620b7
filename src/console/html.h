/*
 * Writing HTML: the markup is a literal of this program, and whatever is put into it is escaped.
 * There is no way to write a text from elsewhere as markup. Inside console/ only.
 */
#ifndef SALLYPORT_CONSOLE_HTML_H
#define SALLYPORT_CONSOLE_HTML_H

#include "base/buf.h"
#include "base/secret.h"

struct html {
    struct buf *out;
};

/*
 * Each "{}" of the markup takes the next value, which is a str; STR_NONE writes nothing. A value
 * belongs between tags, or into an attribute in double quotes:
 *
 *     HTML(h, "<a href=\"/employer/api-keys/{}\">{}</a>", id, name);
 */
#define HTML(h, markup, ...)                                                                       \
    html_write((h), S(markup), (const str[]){__VA_ARGS__ __VA_OPT__(, ) STR_NONE},                 \
               sizeof((const str[]){__VA_ARGS__ __VA_OPT__(, ) STR_NONE}) / sizeof(str) - 1)

/* A value for each {}, or it is a fault of this program. */
void html_write(struct html *h, str markup, const str *values, size_t n);

void html_text(struct html *h, str text);
void html_secret(struct html *h, const struct secret *secret);

#endif
