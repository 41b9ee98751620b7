/* What the flags of a command say, and the parts of the request that it becomes. */
#include "app/cli_form.h"

#include <stdio.h>
#include <string.h>

#include "app/units.h"
#include "base/banned.h"
#include "base/text.h"
#include "base/time.h"

enum { ID_MAX_BYTES = 64 };

str flag_value(const struct cli_form *form, const char *flag)
{
    return cli_value(form->args, flag);
}

/* RFC 3986 section 2.3: all but the unreserved characters. */
str percent_encode(struct arena *arena, str text)
{
    char *out = arena_alloc(arena, 3 * text.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (text_is_plain((str){&c, 1}, 1) || c == '~')
            out[n++] = c;
        else
            n += (size_t)snprintf(out + n, 4, "%%%02X", (unsigned char)c);
    }
    return (str){out, n};
}

/* It goes into a header field, where a line end would be more than an id. */
str flag_employer(struct cli_form *form)
{
    str id = flag_value(form, "employer");

    if (!str_is_none(id) && !text_is_plain(id, ID_MAX_BYTES))
        cli_problem(form, "--employer must be an id, as shown by sallyport employers list");
    return id;
}

/* An instant, or a time from now. Absent: 0. */
int64_t flag_instant(struct cli_form *form, const char *flag)
{
    str text = flag_value(form, flag);
    int64_t at_ms = 0;

    if (str_is_none(text) || time_parse(text, &at_ms))
        return at_ms;
    if (duration_parse(text, &at_ms))
        return form->inputs->now_ms + at_ms;
    cli_problem(form,
                "--%s must be an instant like 2030-01-31T00:00:00Z, or a time from now like 90d",
                flag);
    return 0;
}

void put_flag_texts(struct cli_form *form, struct json_out *j, str member, const char *flag)
{
    const struct cli_args *args = form->args;

    json_open_array(j, member);
    for (size_t i = 0; i < args->n_given; i++) {
        str rest = args->given[i].value;
        if (!str_eq(str_of(args->given[i].flag->name), str_of(flag)))
            continue;
        while (!str_is_none(rest))
            json_put_text(j, STR_NONE, str_trim(str_cut(&rest, S(","))));
    }
    json_close_array(j);
}

/* "120/60s" or "none". */
void put_flag_rate(struct cli_form *form, struct json_out *j, str member, str window)
{
    str rest = flag_value(form, "rate");
    int64_t window_ms;
    uint64_t requests;

    if (str_is_none(rest))
        return;
    if (str_eq(rest, S("none"))) {
        json_put_null(j, member);
        return;
    }
    bool has_number = str_parse_u64(str_cut(&rest, S("/")), INT32_MAX, &requests);
    if (!has_number || !duration_parse(rest, &window_ms) || window_ms % SECOND_MS != 0) {
        cli_problem(form, "--rate must be requests and a time in whole seconds, like 120/60s or "
                          "5000/1d, or none");
        return;
    }
    json_open_object(j, member);
    json_put_int(j, S("requests"), (int64_t)requests);
    json_put_int(j, window, window_ms / SECOND_MS);
    json_close_object(j);
}

/* A path with the command's argument in it. */
str request_path(struct cli_form *form, const char *before, const char *after)
{
    str id = percent_encode(form->arena, form->args->argument);

    if (id.n == 0)
        cli_problem(form, "the id is empty");
    return arena_printf(form->arena, "%s%.*s%s", before, STR_ARG(id), after);
}

struct json_out request_body(struct cli_request *out)
{
    struct json_out j = {&out->body};

    json_open_object(&j, STR_NONE);
    return j;
}

/* "?name=value", or "&name=value" after the first. */
void request_parameter(struct cli_form *form, str *target, const char *name, str text)
{
    if (!str_is_none(text))
        *target = arena_printf(form->arena, "%.*s%s%s=%.*s", STR_ARG(*target),
                               str_has_byte(*target, '?') ? "&" : "?", name,
                               STR_ARG(percent_encode(form->arena, text)));
}
