/* Answers of the API, told to people: what all of them are told with. */
#include "app/cli_show.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

/* ---- members ---- */

str show_text(const json_t *object, const char *name)
{
    return json_text(json_object_get(object, name));
}

int64_t show_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

str show_time(struct cli_show *show, const json_t *object, const char *name, const char *if_null)
{
    str at = show_text(object, name);

    if (at.n < 16)
        return str_of(if_null);
    return arena_printf(show->arena, "%.10s %.5sZ", at.p, at.p + 11);
}

str show_joined(struct cli_show *show, const json_t *list)
{
    str text = S("");
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        str one = json_text(item);
        text = arena_printf(show->arena, "%.*s%s%.*s", STR_ARG(text), i ? ", " : "", STR_ARG(one));
    }
    return text;
}

str show_rate(struct cli_show *show, const json_t *key)
{
    const json_t *limit = json_object_get(key, "rateLimit");

    if (!json_is_object(limit))
        return S("none");
    return arena_printf(show->arena, "%" PRId64 " requests in %" PRId64 " s",
                        show_number(limit, "requests"), show_number(limit, "windowSeconds"));
}

struct cell show_status(const json_t *object)
{
    str status = show_text(object, "status");
    enum tint tint = str_eq(status, S("active"))      ? TINT_GOOD
                     : str_eq(status, S("scheduled")) ? TINT_NOTE
                                                      : TINT_BAD;

    return (struct cell){status, tint};
}

struct cell plain(str text)
{
    return (struct cell){text, TINT_NONE};
}

/* ---- layout ---- */

static struct columns table_of(struct cli_show *show, size_t n, const char *const *names)
{
    struct cell cells[COLUMNS_MAX];
    struct columns table;

    columns_init(&table, show->arena, n);
    table.is_coloured = show->is_coloured;
    table.width = show->width;
    for (size_t i = 0; i < n; i++)
        cells[i] = (struct cell){str_of(names[i]), TINT_DIM};
    columns_row(&table, cells);
    return table;
}

void show_facts(struct cli_show *show, const struct fact *facts)
{
    struct columns table;

    columns_init(&table, show->arena, 2);
    table.is_coloured = show->is_coloured;
    for (; facts->name; facts++) {
        str name = arena_printf(show->arena, "  %s", facts->name);
        columns_row(&table, (const struct cell[]){{name, TINT_DIM}, facts->value});
    }
    columns_write(&table, show->out);
}

void show_line(struct cli_show *show, str text, enum tint tint)
{
    put_tinted(show->out, text, tint, show->is_coloured);
    buf_put_byte(show->out, '\n');
}

void show_done(struct cli_show *show, const char *what, str name)
{
    show_line(show, arena_printf(show->arena, "%s \"%.*s\".", what, STR_ARG(name)), TINT_BOLD);
}

void show_list(struct cli_show *show, const json_t *answer, const struct show_list *list)
{
    const json_t *items = json_object_get(answer, list->member);
    struct cell cells[COLUMNS_MAX];
    size_t n = 0, i;
    json_t *item;

    if (json_array_size(items) == 0) {
        buf_put(show->out, str_of(list->if_empty));
        return;
    }
    while (n < COLUMNS_MAX && list->names[n])
        n++;
    struct columns table = table_of(show, n, list->names);
    json_array_foreach(items, i, item)
    {
        list->row(show, item, cells);
        columns_row(&table, cells);
    }
    columns_write(&table, show->out);
}

/* ---- problems ---- */

/* "keys[3].scopes[0]: is not a scope", or "row 7, email: …" */
static void put_error(struct cli_show *show, const json_t *error)
{
    const json_t *row = json_object_get(error, "index");
    str name = show_text(error, "member");

    buf_put(show->out, S("  - "));
    if (json_is_integer(row))
        buf_printf(show->out, "row %" PRId64 "%s", (int64_t)json_integer_value(row),
                   name.n ? ", " : ": ");
    put_tinted(show->out, name, TINT_NOTE, show->is_coloured);
    buf_put(show->out, name.n ? S(" ") : S(""));
    put_tinted(show->out, show_text(error, "reason"), TINT_NONE, false);
    buf_put_byte(show->out, '\n');
}

/* Under /api/v1 the problem is the one element of "errors", with a message for a title. */
static const json_t *problem_of(const json_t *answer)
{
    const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);

    return show_text(first, "message").n ? first : answer;
}

void cli_show_problem(struct cli_show *show, const json_t *answer)
{
    const json_t *problem = problem_of(answer);
    const json_t *errors = json_object_get(problem, "errors");
    str title = show_text(problem, problem == answer ? "title" : "message");
    json_t *error;
    size_t i;

    put_tinted(show->out, title.n ? title : S("The server refused."), TINT_BAD, show->is_coloured);
    str code = show_text(problem, "code");
    if (code.n) {
        str shown = arena_printf(show->arena, " %.*s", STR_ARG(code));
        put_tinted(show->out, shown, TINT_DIM, show->is_coloured);
    }
    buf_put_byte(show->out, '\n');
    if (show_text(problem, "detail").n)
        show_line(show, show_text(problem, "detail"), TINT_NONE);
    if (show_text(problem, "hint").n)
        show_line(
            show,
            arena_printf(show->arena, "What to do: %.*s", STR_ARG(show_text(problem, "hint"))),
            TINT_NONE);
    json_array_foreach(errors, i, error) put_error(show, error);
}

void cli_write_problem(enum err e, str detail, struct buf *out)
{
    const struct err_info *info = err_info(e);
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("title"), info->message);
    json_put_int(&j, S("status"), info->status);
    json_put_text(&j, S("detail"), detail);
    json_put_text(&j, S("code"), info->code);
    json_put_text(&j, S("hint"), info->fix);
    json_close_object(&j);
}
