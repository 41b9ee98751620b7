/* Reading JSON strictly. */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "base/text.h"

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
