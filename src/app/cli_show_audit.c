/* The audit and the instance, told to people. */
#include <inttypes.h>

#include "app/cli_show.h"
#include "base/banned.h"

/* ---- the audit ---- */

/* "user user_06b3… (ADMIN)" */
static str actor_text(struct cli_show *show, const json_t *line)
{
    const json_t *actor = json_object_get(line, "actor");
    str kind = show_text(actor, "kind");
    str id = show_text(actor, "id");

    if (id.n == 0 || str_eq(id, kind))
        return kind;
    return arena_printf(show->arena, "%.*s %.*s", STR_ARG(kind), STR_ARG(id));
}

static str detail_text(struct cli_show *show, const json_t *line)
{
    const json_t *detail = json_object_get(line, "detail");
    str text = S("");
    const char *name;
    json_t *item;

    json_object_foreach((json_t *)detail, name, item)
    {
        const char *gap = text.n ? ", " : "";
        if (json_is_integer(item))
            text = arena_printf(show->arena, "%.*s%s%s %" PRId64, STR_ARG(text), gap, name,
                                (int64_t)json_integer_value(item));
        else
            text = arena_printf(show->arena, "%.*s%s%s %.*s", STR_ARG(text), gap, name,
                                STR_ARG(json_text(item)));
    }
    return text;
}

static void audit_row(struct cli_show *show, const json_t *line, struct cell *cells)
{
    const json_t *target = json_object_get(line, "target");

    cells[0] = plain(show_time(show, line, "at", ""));
    cells[1] = (struct cell){show_text(line, "action"), TINT_NOTE};
    cells[2] = plain(actor_text(show, line));
    cells[3] = plain(show_text(target, "id"));
    cells[4] = plain(show_text(line, "address"));
    cells[5] = plain(detail_text(show, line));
}

void cli_show_audit(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {"lines",
                                          "There are no such lines.\n",
                                          {"AT", "ACTION", "ACTOR", "TARGET", "ADDRESS", "DETAIL"},
                                          audit_row};

    show_list(show, answer, &list);
    if (show_text(answer, "nextCursor").n)
        buf_put(show->out,
                S("There are older lines: --limit 1000, --all, or --to with an instant.\n"));
}

static void put_finding(struct cli_show *show, const json_t *finding)
{
    const json_t *seal = json_object_get(finding, "number");
    str line_id = show_text(finding, "lineId");

    buf_put(show->out, S("  - "));
    put_tinted(show->out, show_text(finding, "problem"), TINT_BAD, show->is_coloured);
    if (json_is_integer(seal))
        buf_printf(show->out, " (number %" PRId64 "%s%.*s)", (int64_t)json_integer_value(seal),
                   line_id.n ? ", line " : "", STR_ARG(line_id));
    else if (line_id.n)
        buf_printf(show->out, " (line %.*s)", STR_ARG(line_id));
    buf_printf(show->out, "\n    What to do: %.*s\n", STR_ARG(show_text(finding, "fix")));
}

void cli_show_verification(struct cli_show *show, const json_t *answer)
{
    const json_t *findings = json_object_get(answer, "findings");
    int64_t n = show_number(answer, "findingCount");
    json_t *finding;
    size_t i;

    if (n == 0)
        show_line(show, S("The audit is sound: nothing was altered, taken out or put in."),
                  TINT_GOOD);
    else
        show_line(show,
                  arena_printf(show->arena, "The audit is NOT sound: %" PRId64 " %s.", n,
                               n == 1 ? "finding" : "findings"),
                  TINT_BAD);
    json_array_foreach(findings, i, finding) put_finding(show, finding);
    if (n > (int64_t)json_array_size(findings))
        buf_put(show->out, S("  … and more.\n"));
    str count = arena_printf(show->arena, "%" PRId64 ", of which %" PRId64 " are linked",
                             show_number(answer, "lines"), show_number(answer, "sealed"));
    show_facts(show, (const struct fact[]){
                         {"lines", plain(count)},
                         {"archived", plain(arena_printf(show->arena, "through %" PRId64,
                                                         show_number(answer, "archived")))},
                         {"head", plain(show_text(answer, "head"))},
                         {0}});
}

void cli_show_archived(struct cli_show *show, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "archives");
    json_t *archive;
    size_t i;

    show_line(show,
              arena_printf(show->arena, "Archived %" PRId64 " lines of the audit.",
                           show_number(answer, "lines")),
              TINT_BOLD);
    json_array_foreach(list, i, archive)
    {
        show_line(show, show_text(archive, "file"), TINT_NONE);
    }
    if (json_array_size(list) == 0)
        buf_put(show->out, S("No line is older than audit_retention, or that is 0s: for ever.\n"));
    else
        buf_put(show->out, S("Put the files away apart from this machine.\n"));
}

/* ---- the instance ---- */

void cli_show_rekeyed(struct cli_show *show, const json_t *answer)
{
    show_line(show, S("Made a new instance key; it is in force."), TINT_BOLD);
    show_facts(show, (const struct fact[]){{"key", plain(show_text(answer, "keyId"))},
                                           {"previous", plain(show_text(answer, "previousKeyId"))},
                                           {0}});
    buf_put(show->out, S("Back up its file; the copies you have hold the former key only.\n"));
}
