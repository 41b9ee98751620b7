/* Keys to import: a document, a list, or one JSON object a line, as the body of one request. */
#include "app/cli.h"
#include "base/json.h"

enum { BAD_LINES_SHOWN = 20 };

static bool is_blank(str line)
{
    return str_trim(line).n == 0;
}

/* Is it JSON? If not, *detail says where not. The caller drops *out. */
static bool parses(struct cli_form *form, str text, json_t **out, str *detail)
{
    struct cx cx = {.arena = form->arena};

    if (json_read(&cx, text, out) == E_OK)
        return true;
    *detail = cx.failure.detail;
    return false;
}

static str next_line(str *rest)
{
    str line = str_cut(rest, S("\n"));

    return str_ends(line, S("\r")) ? str_sub(line, 0, line.n - 1) : line;
}

static bool is_object(struct cli_form *form, str line, str *detail)
{
    DROP(json) json_t *value = NULL;

    *detail = S("is no JSON object");
    return parses(form, line, &value, detail) && json_is_object(value);
}

/* Of "Line 1, column 6: …" what is left once the line is known. */
static str without_line(str detail)
{
    str rest = detail;

    str_cut(&rest, S(", "));
    return str_istarts(detail, S("line ")) && rest.n ? rest : detail;
}

/* One object a line, as far as its first line tells. */
static bool looks_like_lines(struct cli_form *form, str text)
{
    str line = S(""), detail;

    while (!str_is_none(text) && is_blank(line))
        line = next_line(&text);
    return is_object(form, line, &detail);
}

static void read_lines(struct cli_form *form, str text, struct buf *body)
{
    struct json_out j = {body};
    size_t n_bad = 0;
    str detail;

    json_open_object(&j, STR_NONE);
    json_open_array(&j, S("keys"));
    for (size_t number = 1; !str_is_none(text) && n_bad < BAD_LINES_SHOWN; number++) {
        str line = next_line(&text);
        if (is_blank(line))
            continue;
        if (is_object(form, line, &detail)) {
            json_put_raw(&j, STR_NONE, line);
            continue;
        }
        n_bad++;
        cli_problem(form, "line %zu of the file: %.*s", number, STR_ARG(without_line(detail)));
    }
    json_close_array(&j);
    json_close_object(&j);
}

static void read_document(struct cli_form *form, const json_t *document, str text, struct buf *body)
{
    struct json_out j = {body};

    if (json_object_get(document, "keys")) {
        buf_put(body, text);
        return;
    }
    if (!json_is_object(document) && !json_is_array(document)) {
        cli_problem(form, "the file must hold {\"keys\": [...]}, or one JSON object a line");
        return;
    }
    json_open_object(&j, STR_NONE);
    if (json_is_array(document)) {
        json_put_raw(&j, S("keys"), text);
    } else {
        json_open_array(&j, S("keys"));
        json_put_raw(&j, STR_NONE, text);
        json_close_array(&j);
    }
    json_close_object(&j);
}

void cli_read_import(struct cli_form *form, str text, struct buf *body)
{
    DROP(json) json_t *document = NULL;
    str detail = STR_NONE;

    if (parses(form, text, &document, &detail))
        read_document(form, document, text, body);
    else if (looks_like_lines(form, text))
        read_lines(form, text, body);
    else
        cli_problem(form, "the file is not JSON: %.*s", STR_ARG(detail));
}
