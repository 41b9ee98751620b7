/* Reading JSON strictly, and writing it straight into a buffer. */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

static void *json_malloc(size_t bytes)
{
    return mem_new(bytes);
}

void json_start(void)
{
    json_set_alloc_funcs(json_malloc, mem_wipe_free);
    json_object_seed(0);
}

void json_drop(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

/* jansson's own limit is 2048 levels of recursion; ours is judged before it starts. */
static bool is_too_deep(str text)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

enum err json_read(struct cx *cx, str text, json_t **out)
{
    json_error_t error;

    if (text.n == 0)
        return fail(cx, E_MALFORMED_JSON, "The body is empty.");
    if (is_too_deep(text))
        return fail(cx, E_MALFORMED_JSON, "More than %d levels of nesting.", JSON_DEPTH_MAX);
    json_t *value = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
    if (!value) {
        /* jansson ends some messages with "near '…'": a piece of the body, which may be a secret.
         */
        str said = str_of(error.text);
        str what = str_cut(&said, S(" near "));
        return fail(cx, E_MALFORMED_JSON, "Line %d, column %d: %.*s.", error.line, error.column,
                    STR_ARG(what));
    }
    *out = value;
    return E_OK;
}

str json_text(const json_t *value)
{
    if (!json_is_string(value))
        return STR_NONE;
    return (str){json_string_value(value), json_string_length(value)};
}

/* ---- writing ---- */

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
