/* Gate tokens and rules, told to people. */
#include "app/cli_show.h"
#include "base/banned.h"

void cli_show_new_gate_token(struct cli_show *show, const json_t *answer)
{
    show_done(show, "Created the gate token", show_text(answer, "name"));
    buf_put(show->out, S("\n  "));
    put_tinted(show->out, show_text(answer, "token"), TINT_BOLD, show->is_coloured);
    buf_put(show->out,
            S("\n\nIt is shown only now. Whoever holds it may ask about any key: give it to "
              "one gateway\nor program, as 'Authorization: Bearer …'.\n\n"));
    show_facts(show, (const struct fact[]){{"id", plain(show_text(answer, "id"))}, {0}});
}

static void gate_tokens_row(struct cli_show *show, const json_t *token, struct cell *cells)
{
    cells[0] = plain(show_text(token, "id"));
    cells[1] = plain(show_time(show, token, "createdAt", ""));
    cells[2] = plain(show_text(token, "name"));
}

void cli_show_gate_tokens(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {"gateTokens",
                                          "There are no gate tokens yet.\n"
                                          "Make one: sallyport gate-tokens create --name NAME\n",
                                          {"ID", "CREATED", "NAME"},
                                          gate_tokens_row};

    show_list(show, answer, &list);
}

void cli_show_gate_revoked(struct cli_show *show, const json_t *answer)
{
    (void)answer;
    show_done(show, "Revoked the gate token", show->args->argument);
    buf_put(show->out, S("It is refused from now on.\n"));
}

/* As it can be given to "gate-rules set". */
void cli_show_gate_rules(struct cli_show *show, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "rules");
    size_t widest = 0;
    json_t *rule;
    size_t i;

    if (json_array_size(list) == 0)
        buf_put(show->out, S("# There are no rules: method and path are not judged.\n"));
    json_array_foreach(list, i, rule)
    {
        size_t width = show_text(rule, "method").n + show_text(rule, "path").n;
        widest = width > widest ? width : widest;
    }
    json_array_foreach(list, i, rule)
    {
        str method = show_text(rule, "method"), path = show_text(rule, "path");
        str scopes = show_text(rule, "scopes");
        int gap = scopes.n ? (int)(widest - method.n - path.n) + 2 : 0;
        put_tinted(show->out, method, TINT_NONE, false);
        buf_put_byte(show->out, ' ');
        put_tinted(show->out, path, TINT_BOLD, show->is_coloured);
        buf_printf(show->out, "%*s", gap, "");
        put_tinted(show->out, scopes, TINT_NONE, false);
        buf_put_byte(show->out, '\n');
    }
}

void cli_show_gate_rules_set(struct cli_show *show, const json_t *answer)
{
    size_t n = json_array_size(json_object_get(answer, "rules"));

    show_line(show,
              n ? arena_printf(show->arena, "%zu %s in force; what none of them fits is refused.",
                               n, n == 1 ? "rule is" : "rules are")
                : S("There are no rules any more: method and path are not judged."),
              TINT_BOLD);
}
