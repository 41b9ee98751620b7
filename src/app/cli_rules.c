/* Rules of the gate as text: "GET /orders/{id}  fhir:read", one a line. */
#include "app/cli.h"
#include "base/json.h"

static str next_word(str *rest)
{
    *rest = str_trim(*rest);
    for (size_t i = 0; i < rest->n; i++) {
        if (rest->p[i] != ' ' && rest->p[i] != '\t')
            continue;
        str word = str_sub(*rest, 0, i);
        *rest = str_trim(str_sub(*rest, i, rest->n));
        return word;
    }
    str word = *rest;
    *rest = str_sub(word, word.n, 0);
    return word;
}

static void read_line(struct cli_form *form, str line, size_t number, struct json_out *j)
{
    str method = next_word(&line);
    str path = next_word(&line);

    if (method.n == 0 || str_starts(method, S("#")))
        return;
    if (path.n == 0)
        cli_problem(form,
                    "line %zu of the file: a rule is a method, a path, and scopes, like "
                    "GET /orders/{id}  fhir:read",
                    number);
    json_open_object(j, STR_NONE);
    json_put_text(j, S("method"), method);
    json_put_text(j, S("path"), path);
    json_put_text(j, S("scopes"), line);
    json_close_object(j);
}

void cli_read_rules(struct cli_form *form, str text, struct buf *body)
{
    struct json_out j = {body};

    json_open_object(&j, STR_NONE);
    json_open_array(&j, S("rules"));
    for (size_t number = 1; !str_is_none(text); number++) {
        str line = str_cut(&text, S("\n"));
        if (str_ends(line, S("\r")))
            line.n--;
        read_line(form, line, number, &j);
    }
    json_close_array(&j);
    json_close_object(&j);
}
