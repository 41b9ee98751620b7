/* Requests and replies as values: fields, parameters, cookies. */
#include "http/http.h"

#include <string.h>

#include "base/banned.h"
#include "http/chars.h"

str http_method_text(enum http_method method)
{
    static const str texts[HTTP_METHODS_END] = {
        [HTTP_GET] = S("GET"),         [HTTP_HEAD] = S("HEAD"),   [HTTP_POST] = S("POST"),
        [HTTP_PUT] = S("PUT"),         [HTTP_PATCH] = S("PATCH"), [HTTP_DELETE] = S("DELETE"),
        [HTTP_OPTIONS] = S("OPTIONS"), [HTTP_OTHER] = S("OTHER"), [HTTP_ANY] = S("ANY"),
    };

    return method > 0 && method < HTTP_METHODS_END ? texts[method] : S("");
}

str http_req_field(const struct http_req *req, str name, int *count)
{
    str first = STR_NONE;
    int n = 0;

    for (size_t i = 0; i < req->n_fields; i++) {
        if (req->fields[i].name.n != name.n || !str_ieq(req->fields[i].name, name))
            continue;
        if (n++ == 0)
            first = req->fields[i].value;
    }
    if (count)
        *count = n;
    return first;
}

/* Escapes were checked by the parser; one that is not valid stands for itself. */
static str form_decode(struct arena *arena, str s)
{
    if (!str_has_byte(s, '%') && !str_has_byte(s, '+'))
        return s;
    char *p = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && s.n - i > 2 ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        p[n++] = low >= 0 ? (char)(high * 16 + low) : s.p[i] == '+' ? ' ' : s.p[i];
        i += low >= 0 ? 2 : 0;
    }
    return (str){p, n};
}

bool http_query_next(str *rest, struct arena *arena, str *name, str *value)
{
    while (!str_is_none(*rest)) {
        str pair = str_cut(rest, S("&"));
        if (pair.n == 0)
            continue;
        *name = form_decode(arena, str_cut(&pair, S("=")));
        *value = str_is_none(pair) ? S("") : form_decode(arena, pair);
        return true;
    }
    return false;
}

str http_req_query(const struct http_req *req, struct arena *arena, str name)
{
    str rest = req->query;
    str found, value;

    while (http_query_next(&rest, arena, &found, &value))
        if (str_eq(found, name))
            return value;
    return STR_NONE;
}

str http_cookie(str cookie_field, str name)
{
    str found = STR_NONE;

    while (!str_is_none(cookie_field)) {
        str pair = str_trim(str_cut(&cookie_field, S(";")));
        str key = str_cut(&pair, S("="));
        if (!str_eq(key, name) || str_is_none(pair))
            continue;
        /* Two of one name: a sibling host may have set the other (RFC 6265 section 8.6). */
        if (!str_is_none(found))
            return STR_NONE;
        found = pair;
    }
    return found;
}

void http_reply_init(struct http_reply *reply)
{
    *reply = (struct http_reply){.status = 0};
    buf_init(&reply->body, HTTP_REPLY_BODY_MAX);
}

void http_reply_drop(struct http_reply *reply)
{
    buf_drop(&reply->body);
    http_reply_init(reply);
}

void http_reply_clear(struct http_reply *reply)
{
    reply->status = 0;
    reply->content_type = reply->static_body = STR_NONE;
    reply->n_fields = 0; /* those that were there are looked at by nobody */
    reply->plan = (struct http_plan){0};
    reply->closes = reply->is_faulty = false;
    buf_clear(&reply->body);
}

void http_reply_field(struct http_reply *reply, str name, str value)
{
    if (reply->n_fields == HTTP_REPLY_FIELDS_MAX || !http_chars_are(name, CHAR_TOKEN) ||
        !http_chars_are(value, CHAR_TEXT)) {
        reply->is_faulty = true;
        return;
    }
    reply->fields[reply->n_fields++] = (struct http_reply_field){name, value};
}
