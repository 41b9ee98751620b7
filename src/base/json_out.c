/* JSON written straight into a buffer; apart from reading, since it needs no jansson. */
#include "base/json.h"

#include "base/banned.h"
#include "base/time.h"

const bool json_plain[256] = {
    [' ' ... '!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
    [128 ... 255] = true,
};

static void put_quoted(struct buf *out, str text)
{
    static const char hex[] = "0123456789abcdef";
    size_t plain_from = 0;

    buf_put_byte(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (json_plain[c])
            continue;
        buf_put(out, str_sub(text, plain_from, i - plain_from));
        plain_from = i + 1;
        if (c == '"' || c == '\\') {
            buf_put(out, (str){(char[]){'\\', (char)c}, 2});
        } else if (c == '\n') {
            buf_put(out, S("\\n"));
        } else {
            buf_put(out, (str){(char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6});
        }
    }
    buf_put(out, str_sub(text, plain_from, text.n));
    buf_put_byte(out, '"');
}

/* A comma is due unless something has just been opened or named. */
static void put_key(struct json_out *j, str key)
{
    char last = j->out->n ? j->out->p[j->out->n - 1] : '{';

    if (last != '{' && last != '[' && last != ':')
        buf_put_byte(j->out, ',');
    if (str_is_none(key))
        return;
    put_quoted(j->out, key);
    buf_put_byte(j->out, ':');
}

void json_open_object(struct json_out *j, str key)
{
    put_key(j, key);
    buf_put_byte(j->out, '{');
}

void json_close_object(struct json_out *j)
{
    buf_put_byte(j->out, '}');
}

void json_open_array(struct json_out *j, str key)
{
    put_key(j, key);
    buf_put_byte(j->out, '[');
}

void json_close_array(struct json_out *j)
{
    buf_put_byte(j->out, ']');
}

void json_put_text(struct json_out *j, str key, str text)
{
    if (str_is_none(text)) {
        json_put_null(j, key);
        return;
    }
    put_key(j, key);
    put_quoted(j->out, text);
}

void json_put_int(struct json_out *j, str key, int64_t value)
{
    put_key(j, key);
    buf_put_int(j->out, value);
}

void json_put_bool(struct json_out *j, str key, bool value)
{
    put_key(j, key);
    buf_put(j->out, value ? S("true") : S("false"));
}

void json_put_null(struct json_out *j, str key)
{
    put_key(j, key);
    buf_put(j->out, S("null"));
}

void json_put_time(struct json_out *j, str key, int64_t at_ms)
{
    char text[TIME_TEXT_BYTES];

    if (at_ms == 0) {
        json_put_null(j, key);
        return;
    }
    time_write(at_ms, text);
    json_put_text(j, key, (str){text, sizeof text});
}

void json_put_secret(struct json_out *j, str key, const struct secret *secret)
{
    if (j->is_kept)
        j->left_secret_out = true;
    else
        json_put_text(j, key, secret_reveal(secret));
}

void json_put_personal(struct json_out *j, str key, str text)
{
    json_put_text(j, key, j->is_kept ? STR_NONE : text);
}

void json_put_raw(struct json_out *j, str key, str json)
{
    put_key(j, key);
    buf_put(j->out, json);
}

void json_put_members(struct json_out *j, str members)
{
    if (members.n == 0)
        return;
    put_key(j, STR_NONE);
    buf_put(j->out, members);
}
