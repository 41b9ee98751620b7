/* Taking members out of an object, and noting what is wrong with them. */
#include "base/form.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"
#include "base/text.h"
#include "base/time.h"

enum { PROBLEMS_MAX_BYTES = 256 * 1024 };

void form_open_blank(struct form *f, struct cx *cx)
{
    *f = (struct form){.cx = cx, .code = E_INVALID_REQUEST, .prefix = "", .index = -1};
    buf_init(&f->problems, PROBLEMS_MAX_BYTES);
}

static void set_object(struct form *f, const json_t *object, const char *if_none)
{
    f->object = json_is_object(object) ? object : NULL;
    if (!f->object)
        form_problem(f, "", "%s", if_none);
}

void form_open(struct form *f, struct cx *cx, const json_t *object)
{
    form_open_blank(f, cx);
    set_object(f, object, "the body must be a JSON object");
}

void form_open_part(struct form *f, struct form *outer, const json_t *object, const char *prefix)
{
    *f = (struct form){.cx = outer->cx, .outer = outer, .prefix = prefix, .index = -1};
    set_object(f, object, "must be an object");
}

void form_open_row(struct form *f, struct form *outer, const json_t *object, int64_t index)
{
    *f = (struct form){.cx = outer->cx, .outer = outer, .prefix = "", .index = index};
    set_object(f, object, "must be an object");
}

static void write_problem(struct form *root, const struct form *f, const char *member, str reason)
{
    struct json_out j = {&root->problems};
    size_t prefix_bytes = strlen(f->prefix);
    char name[128];

    if (!member[0] && prefix_bytes)
        prefix_bytes--; /* the object itself: "rateLimit", not "rateLimit." */
    snprintf(name, sizeof name, "%.*s%s", (int)prefix_bytes, f->prefix, member);
    json_open_object(&j, STR_NONE);
    if (f->index >= 0)
        json_put_int(&j, S("index"), f->index);
    json_put_text(&j, S("member"), str_of(name));
    json_put_text(&j, S("reason"), text_valid_prefix(reason));
    json_close_object(&j);
}

void form_problem(struct form *f, const char *member, const char *format, ...)
{
    struct form *root = f;
    char reason[1024];
    va_list args;

    while (root->outer) {
        root->n_problems++;
        root = root->outer;
    }
    if (root->n_problems++ >= FORM_PROBLEMS_MAX)
        return;
    va_start(args, format);
    int n = vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof reason ? (size_t)n : sizeof reason - 1;
    write_problem(root, f, member, (str){reason, length});
}

static bool is_known(const struct form *f, str member)
{
    for (size_t i = 0; i < f->n_known; i++)
        if (str_eq(f->known[i], member))
            return true;
    return false;
}

static str known_list(const struct form *f)
{
    str list = S("");

    for (size_t i = 0; i < f->n_known; i++)
        list = arena_printf(f->cx->arena, "%.*s%s%.*s", STR_ARG(list), i ? ", " : "",
                            STR_ARG(f->known[i]));
    return list;
}

static void note_unknown_members(struct form *f)
{
    const char *name;
    json_t *value;
    str list = STR_NONE;

    json_object_foreach((json_t *)f->object, name, value)
    {
        if (is_known(f, str_of(name)))
            continue;
        if (str_is_none(list))
            list = known_list(f);
        form_problem(f, text_is_plain(str_of(name), 64) ? name : "?",
                     "is not known here; known are: %.*s", STR_ARG(list));
    }
}

void form_close_part(struct form *f)
{
    if (f->object)
        note_unknown_members(f);
}

str form_problems(const struct form *f)
{
    return arena_printf(f->cx->arena, "[%.*s]", STR_ARG(buf_str(&f->problems)));
}

struct form_mark form_mark(const struct form *f)
{
    return (struct form_mark){f->n_problems, f->problems.n};
}

void form_rewind(struct form *f, struct form_mark mark)
{
    assert(mark.bytes <= f->problems.n);
    f->n_problems = mark.n_problems;
    f->problems.n = mark.bytes;
}

enum err form_close(struct form *f)
{
    enum err e = E_OK;

    if (f->object)
        note_unknown_members(f);
    if (f->n_problems) {
        e = fail(f->cx, f->code, "%zu %s not valid.", f->n_problems,
                 f->n_problems == 1 ? "member is" : "members are");
        f->cx->failure.members =
            arena_printf(f->cx->arena, "\"errors\":%.*s", STR_ARG(form_problems(f)));
    }
    buf_drop(&f->problems);
    return e;
}

const json_t *form_value(struct form *f, const char *member)
{
    str name = str_of(member);

    if (!is_known(f, name) && f->n_known < FORM_MEMBERS_MAX)
        f->known[f->n_known++] = name;
    return f->object ? json_object_get(f->object, member) : NULL;
}

bool form_has(const struct form *f, const char *member)
{
    return f->object && json_object_get(f->object, member) != NULL;
}

str form_text(struct form *f, const char *member, size_t max_chars, bool is_required)
{
    const json_t *value = form_value(f, member);

    if (!value || (json_is_null(value) && !is_required)) {
        if (is_required && f->object)
            form_problem(f, member, "is required");
        return STR_NONE;
    }
    str text = json_text(value);
    if (str_is_none(text)) {
        form_problem(f, member, "must be a text");
        return STR_NONE;
    }
    const char *fault = text_fault(text, max_chars);
    if (fault) {
        form_problem(f, member, "%s (1 to %zu characters, no control characters)", fault,
                     max_chars);
        return STR_NONE;
    }
    return text;
}

bool form_bool(struct form *f, const char *member, bool if_absent)
{
    const json_t *value = form_value(f, member);

    if (value && !json_is_boolean(value))
        form_problem(f, member, "must be true or false");
    return json_is_boolean(value) ? json_is_true(value) : if_absent;
}

int64_t form_int(struct form *f, const char *member, int64_t min, int64_t max, int64_t if_absent)
{
    const json_t *value = form_value(f, member);

    if (!value)
        return if_absent;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max) {
        form_problem(f, member, "must be a whole number from %" PRId64 " to %" PRId64, min, max);
        return if_absent;
    }
    return json_integer_value(value);
}

int64_t form_time(struct form *f, const char *member)
{
    const json_t *value = form_value(f, member);
    int64_t at_ms;

    if (!value || json_is_null(value))
        return 0;
    if (time_parse(json_text(value), &at_ms))
        return at_ms;
    form_problem(f, member, "must be an instant such as 2030-01-31T00:00:00.000Z (RFC 3339)");
    return 0;
}
