/*
 * Bodies of HTML forms, application/x-www-form-urlencoded: names and values as UTF-8 text.
 *
 * Strict: what no browser writes is refused (WHATWG URL section 5.2 says what they do write), so
 * that there is one reading of a body and no other.
 */
#ifndef SALLYPORT_HTTP_URLENCODED_H
#define SALLYPORT_HTTP_URLENCODED_H

#include "http/http.h"

enum { URLENCODED_PAIRS_MAX = 64, URLENCODED_NAME_MAX_BYTES = 64 };

struct urlencoded {
    struct {
        str name;
        str value;
    } pairs[URLENCODED_PAIRS_MAX];
    size_t n;
};

/*
 * Texts live in the arena. `many` is the one name that may come more than once, or STR_NONE. NULL,
 * or what is wrong, as a sentence.
 */
const char *urlencoded_parse(struct arena *arena, str body, str many, struct urlencoded *out);

/* The same of a request's body. E_UNSUPPORTED_MEDIA_TYPE, E_MALFORMED_FORM. */
enum err http_req_urlencoded(struct cx *cx, const struct http_req *req, str many,
                             struct urlencoded *out);

/* The first value of that name; STR_NONE if there is none. */
str urlencoded_value(const struct urlencoded *form, str name);

#endif
