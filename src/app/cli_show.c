/* Answers of the API, told to people. */
#include <inttypes.h>
#include <stdio.h>

#include "app/cli.h"
#include "app/columns.h"
#include "base/banned.h"
#include "base/err.h"
#include "base/json.h"

/* ---- members ---- */

static str member(const json_t *object, const char *name)
{
    return json_text(json_object_get(object, name));
}

static int64_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* "2026-03-05T09:30:00.000Z" as "2026-03-05 09:30Z"; null as what it means. */
static str when(struct cli_show *show, const json_t *object, const char *name, const char *if_null)
{
    str at = member(object, name);

    if (at.n < 16)
        return str_of(if_null);
    return arena_printf(show->arena, "%.10s %.5sZ", at.p, at.p + 11);
}

static str joined(struct cli_show *show, const json_t *list)
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

static str rate(struct cli_show *show, const json_t *key)
{
    const json_t *limit = json_object_get(key, "rateLimit");

    if (!json_is_object(limit))
        return S("none");
    return arena_printf(show->arena, "%" PRId64 " requests in %" PRId64 " s",
                        number(limit, "requests"), number(limit, "windowSeconds"));
}

static struct cell status_cell(const json_t *object)
{
    str status = member(object, "status");
    enum tint tint = str_eq(status, S("active"))      ? TINT_GOOD
                     : str_eq(status, S("scheduled")) ? TINT_NOTE
                                                      : TINT_BAD;

    return (struct cell){status, tint};
}

static struct cell plain(str text)
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

struct fact {
    const char *name;
    struct cell value;
};

/* "  name   value" lines, the names aligned; a name of NULL ends them. */
static void put_facts(struct cli_show *show, const struct fact *facts)
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

static void put_line(struct cli_show *show, str text, enum tint tint)
{
    put_tinted(show->out, text, tint, show->is_coloured);
    buf_put_byte(show->out, '\n');
}

/* "Created the API key "nightly"." */
static void put_done(struct cli_show *show, const char *what, str name)
{
    put_line(show, arena_printf(show->arena, "%s \"%.*s\".", what, STR_ARG(name)), TINT_BOLD);
}

static void put_if_empty(struct cli_show *show, const json_t *list, const char *text)
{
    if (json_array_size(list) == 0)
        buf_put(show->out, str_of(text));
}

/* ---- employers ---- */

static struct cell approved_cell(const json_t *employer)
{
    bool is_approved = json_is_true(json_object_get(employer, "isApproved"));

    return is_approved ? (struct cell){S("yes"), TINT_GOOD} : (struct cell){S("no"), TINT_BAD};
}

void cli_show_employers(struct cli_show *show, const json_t *answer)
{
    static const char *const names[] = {"ID", "STATUS", "APPROVED", "CREATED", "NAME"};
    const json_t *list = json_object_get(answer, "employers");
    json_t *employer;
    size_t i;

    put_if_empty(show, list,
                 "There are no employers yet.\n"
                 "Add one: sallyport employers create --name NAME\n");
    if (json_array_size(list) == 0)
        return;
    struct columns table = table_of(show, 5, names);
    json_array_foreach(list, i, employer)
    {
        columns_row(&table, (const struct cell[]){plain(member(employer, "id")),
                                                  status_cell(employer), approved_cell(employer),
                                                  plain(when(show, employer, "createdAt", "")),
                                                  plain(member(employer, "name"))});
    }
    columns_write(&table, show->out);
}

static void put_employer(struct cli_show *show, const char *done, const json_t *answer)
{
    put_done(show, done, member(answer, "name"));
    put_facts(show, (const struct fact[]){{"id", plain(member(answer, "id"))},
                                          {"status", status_cell(answer)},
                                          {"approved", approved_cell(answer)},
                                          {0}});
}

void cli_show_new_employer(struct cli_show *show, const json_t *answer)
{
    put_employer(show, "Added the employer", answer);
}

void cli_show_changed_employer(struct cli_show *show, const json_t *answer)
{
    put_employer(show, "Changed the employer", answer);
}

/* ---- users ---- */

void cli_show_users(struct cli_show *show, const json_t *answer)
{
    static const char *const names[] = {"ID", "STATUS", "ROLE", "EMPLOYER", "CREATED", "EMAIL"};
    const json_t *list = json_object_get(answer, "users");
    json_t *user;
    size_t i;

    put_if_empty(show, list,
                 "There are no users yet.\n"
                 "Add one: sallyport users create --email EMAIL --role ADMIN\n");
    if (json_array_size(list) == 0)
        return;
    struct columns table = table_of(show, 6, names);
    json_array_foreach(list, i, user)
    {
        columns_row(&table, (const struct cell[]){plain(member(user, "id")), status_cell(user),
                                                  plain(member(user, "role")),
                                                  plain(member(user, "employerId")),
                                                  plain(when(show, user, "createdAt", "")),
                                                  plain(member(user, "email"))});
    }
    columns_write(&table, show->out);
}

static void put_user(struct cli_show *show, const char *done, const json_t *answer)
{
    put_done(show, done, member(answer, "email"));
    put_facts(show, (const struct fact[]){{"id", plain(member(answer, "id"))},
                                          {"status", status_cell(answer)},
                                          {"role", plain(member(answer, "role"))},
                                          {"employer", plain(member(answer, "employerId"))},
                                          {0}});
}

void cli_show_changed_user(struct cli_show *show, const json_t *answer)
{
    put_user(show, "Changed the user", answer);
}

void cli_show_new_user(struct cli_show *show, const json_t *answer)
{
    put_user(show, "Added the user", answer);
    if (!show->made_up)
        return;
    buf_put(show->out, S("\nThe password is shown only now; pass it on, it is not kept:\n\n  "));
    put_tinted(show->out, secret_reveal(show->made_up), TINT_BOLD, show->is_coloured);
    buf_put_byte(show->out, '\n');
}

void cli_show_reset_link(struct cli_show *show, const json_t *answer)
{
    str until = when(show, answer, "expiresAt", "");

    put_done(show, "Made a link for the user", member(answer, "userId"));
    buf_put(show->out, S("\n  "));
    put_tinted(show->out, member(answer, "url"), TINT_BOLD, show->is_coloured);
    buf_printf(show->out,
               "\n\nIt is shown only now: hand it to them. With it they set a new password, once, "
               "until %.*s.\nUntil then the present password goes on working.\n",
               STR_ARG(until));
}

void cli_show_sessions(struct cli_show *show, const json_t *answer)
{
    static const char *const names[] = {"ID", "SIGNED IN", "ENDS", "ADDRESS", "USER AGENT"};
    const json_t *list = json_object_get(answer, "sessions");
    json_t *session;
    size_t i;

    put_if_empty(show, list, "They are not signed in.\n");
    if (json_array_size(list) == 0)
        return;
    struct columns table = table_of(show, 5, names);
    json_array_foreach(list, i, session)
    {
        columns_row(&table, (const struct cell[]){plain(member(session, "id")),
                                                  plain(when(show, session, "createdAt", "")),
                                                  plain(when(show, session, "expiresAt", "")),
                                                  plain(member(session, "address")),
                                                  plain(member(session, "userAgent"))});
    }
    columns_write(&table, show->out);
}

void cli_show_signed_out(struct cli_show *show, const json_t *answer)
{
    str session = cli_value(show->args, "session");

    (void)answer;
    put_done(show, str_is_none(session) ? "Ended all sessions of the user" : "Ended the session",
             str_is_none(session) ? show->args->argument : session);
}

void cli_show_deactivated(struct cli_show *show, const json_t *answer)
{
    put_done(show, "Deactivated the user", member(answer, "email"));
    buf_put(show->out, S("Their sessions are ended and the keys they created are revoked.\n"));
}

/* ---- keys ---- */

/* mt_live_ab12…9f3e; nothing of it is known when only a digest was imported. */
static str key_shown(struct cli_show *show, const json_t *key)
{
    str prefix = member(key, "keyPrefix"), suffix = member(key, "keySuffix");

    if (prefix.n == 0)
        return S("(imported)");
    return arena_printf(show->arena, "%.*s…%.*s", STR_ARG(prefix), STR_ARG(suffix));
}

static void put_keys(struct cli_show *show, const json_t *list)
{
    static const char *const names[] = {"ID",      "STATUS",    "KEY",   "NAME",
                                        "EXPIRES", "LAST USED", "SCOPES"};
    struct columns table = table_of(show, 7, names);
    json_t *key;
    size_t i;

    json_array_foreach(list, i, key)
    {
        columns_row(&table,
                    (const struct cell[]){plain(member(key, "id")), status_cell(key),
                                          plain(key_shown(show, key)), plain(member(key, "name")),
                                          plain(when(show, key, "expiresAt", "never")),
                                          plain(when(show, key, "lastUsedAt", "never")),
                                          plain(joined(show, json_object_get(key, "scopes")))});
    }
    columns_write(&table, show->out);
}

void cli_show_keys(struct cli_show *show, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "keys");

    put_if_empty(show, list,
                 "There are no API keys yet.\n"
                 "Make one: sallyport keys create --name NAME --scope SCOPE\n");
    if (json_array_size(list))
        put_keys(show, list);
}

static void put_raw_key(struct cli_show *show, const json_t *answer)
{
    buf_put(show->out, S("\n  "));
    put_tinted(show->out, member(answer, "rawKey"), TINT_BOLD, show->is_coloured);
    buf_put(show->out, S("\n\nThe key is shown only now: put it into your secret store. The server "
                         "keeps its digest,\nand cannot show it again.\n\n"));
}

static void put_key_facts(struct cli_show *show, const json_t *key)
{
    str addresses = joined(show, json_object_get(key, "allowedIpCidrs"));

    put_facts(show,
              (const struct fact[]){{"id", plain(member(key, "id"))},
                                    {"status", status_cell(key)},
                                    {"scopes", plain(joined(show, json_object_get(key, "scopes")))},
                                    {"addresses", plain(addresses.n ? addresses : S("everywhere"))},
                                    {"works from", plain(when(show, key, "notBefore", "now"))},
                                    {"expires", plain(when(show, key, "expiresAt", "never"))},
                                    {"limit", plain(rate(show, key))},
                                    {0}});
}

void cli_show_new_key(struct cli_show *show, const json_t *answer)
{
    put_done(show, "Created the API key", member(answer, "name"));
    put_raw_key(show, answer);
    put_key_facts(show, answer);
}

void cli_show_rotated_key(struct cli_show *show, const json_t *answer)
{
    str until = when(show, answer, "previousSecretEndsAt", "");

    put_done(show, "Rotated the API key", member(answer, "name"));
    put_raw_key(show, answer);
    if (until.n)
        buf_printf(show->out, "The old key still works until %.*s.\n\n", STR_ARG(until));
    else
        buf_put(show->out, S("The old key is refused from now on.\n\n"));
    put_key_facts(show, answer);
}

void cli_show_revoked(struct cli_show *show, const json_t *answer)
{
    (void)answer;
    put_done(show, "Revoked the API key", show->args->argument);
    buf_put(show->out, S("It is refused from now on.\n"));
}

void cli_show_imported(struct cli_show *show, const json_t *answer)
{
    int64_t n = number(answer, "imported");

    put_line(show,
             arena_printf(show->arena, "Imported %" PRId64 " API %s.", n, n == 1 ? "key" : "keys"),
             TINT_BOLD);
    put_keys(show, json_object_get(answer, "keys"));
}

/* ---- the gate ---- */

void cli_show_new_gate_token(struct cli_show *show, const json_t *answer)
{
    put_done(show, "Created the gate token", member(answer, "name"));
    buf_put(show->out, S("\n  "));
    put_tinted(show->out, member(answer, "token"), TINT_BOLD, show->is_coloured);
    buf_put(show->out,
            S("\n\nIt is shown only now. Whoever holds it may ask about any key: give it to "
              "one gateway\nor program, as 'Authorization: Bearer …'.\n\n"));
    put_facts(show, (const struct fact[]){{"id", plain(member(answer, "id"))}, {0}});
}

void cli_show_gate_tokens(struct cli_show *show, const json_t *answer)
{
    static const char *const names[] = {"ID", "CREATED", "NAME"};
    const json_t *list = json_object_get(answer, "gateTokens");
    json_t *token;
    size_t i;

    put_if_empty(show, list,
                 "There are no gate tokens yet.\n"
                 "Make one: sallyport gate-tokens create --name NAME\n");
    if (json_array_size(list) == 0)
        return;
    struct columns table = table_of(show, 3, names);
    json_array_foreach(list, i, token)
    {
        columns_row(&table, (const struct cell[]){plain(member(token, "id")),
                                                  plain(when(show, token, "createdAt", "")),
                                                  plain(member(token, "name"))});
    }
    columns_write(&table, show->out);
}

void cli_show_gate_revoked(struct cli_show *show, const json_t *answer)
{
    (void)answer;
    put_done(show, "Revoked the gate token", show->args->argument);
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
        size_t width = member(rule, "method").n + member(rule, "path").n;
        widest = width > widest ? width : widest;
    }
    json_array_foreach(list, i, rule)
    {
        str method = member(rule, "method"), path = member(rule, "path");
        str scopes = member(rule, "scopes");
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

    put_line(show,
             n ? arena_printf(show->arena, "%zu %s in force; what none of them fits is refused.", n,
                              n == 1 ? "rule is" : "rules are")
               : S("There are no rules any more: method and path are not judged."),
             TINT_BOLD);
}

/* ---- the audit ---- */

/* "user user_06b3… (ADMIN)" */
static str actor_text(struct cli_show *show, const json_t *line)
{
    const json_t *actor = json_object_get(line, "actor");
    str kind = member(actor, "kind");
    str id = member(actor, "id");

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

void cli_show_audit(struct cli_show *show, const json_t *answer)
{
    static const char *const names[] = {"AT", "ACTION", "ACTOR", "TARGET", "ADDRESS", "DETAIL"};
    const json_t *list = json_object_get(answer, "lines");
    json_t *line;
    size_t i;

    put_if_empty(show, list, "There are no such lines.\n");
    if (json_array_size(list) == 0)
        return;
    struct columns table = table_of(show, 6, names);
    json_array_foreach(list, i, line)
    {
        const json_t *target = json_object_get(line, "target");
        columns_row(&table, (const struct cell[]){plain(when(show, line, "at", "")),
                                                  {member(line, "action"), TINT_NOTE},
                                                  plain(actor_text(show, line)),
                                                  plain(member(target, "id")),
                                                  plain(member(line, "address")),
                                                  plain(detail_text(show, line))});
    }
    columns_write(&table, show->out);
    if (member(answer, "nextCursor").n)
        buf_put(show->out,
                S("There are older lines: --limit 1000, --all, or --to with an instant.\n"));
}

static void put_finding(struct cli_show *show, const json_t *finding)
{
    const json_t *seal = json_object_get(finding, "number");
    str line_id = member(finding, "lineId");

    buf_put(show->out, S("  - "));
    put_tinted(show->out, member(finding, "problem"), TINT_BAD, show->is_coloured);
    if (json_is_integer(seal))
        buf_printf(show->out, " (number %" PRId64 "%s%.*s)", (int64_t)json_integer_value(seal),
                   line_id.n ? ", line " : "", STR_ARG(line_id));
    else if (line_id.n)
        buf_printf(show->out, " (line %.*s)", STR_ARG(line_id));
    buf_printf(show->out, "\n    What to do: %.*s\n", STR_ARG(member(finding, "fix")));
}

void cli_show_verification(struct cli_show *show, const json_t *answer)
{
    const json_t *findings = json_object_get(answer, "findings");
    int64_t n = number(answer, "findingCount");
    json_t *finding;
    size_t i;

    if (n == 0)
        put_line(show, S("The audit is sound: nothing was altered, taken out or put in."),
                 TINT_GOOD);
    else
        put_line(show,
                 arena_printf(show->arena, "The audit is NOT sound: %" PRId64 " %s.", n,
                              n == 1 ? "finding" : "findings"),
                 TINT_BAD);
    json_array_foreach(findings, i, finding) put_finding(show, finding);
    if (n > (int64_t)json_array_size(findings))
        buf_put(show->out, S("  … and more.\n"));
    str count = arena_printf(show->arena, "%" PRId64 ", of which %" PRId64 " are linked",
                             number(answer, "lines"), number(answer, "sealed"));
    put_facts(show,
              (const struct fact[]){{"lines", plain(count)},
                                    {"archived", plain(arena_printf(show->arena, "through %" PRId64,
                                                                    number(answer, "archived")))},
                                    {"head", plain(member(answer, "head"))},
                                    {0}});
}

void cli_show_archived(struct cli_show *show, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "archives");
    json_t *archive;
    size_t i;

    put_line(show,
             arena_printf(show->arena, "Archived %" PRId64 " lines of the audit.",
                          number(answer, "lines")),
             TINT_BOLD);
    json_array_foreach(list, i, archive)
    {
        put_line(show, member(archive, "file"), TINT_NONE);
    }
    if (json_array_size(list) == 0)
        buf_put(show->out, S("No line is older than audit_retention, or that is 0s: for ever.\n"));
    else
        buf_put(show->out, S("Put the files away apart from this machine.\n"));
}

/* ---- the instance ---- */

void cli_show_rekeyed(struct cli_show *show, const json_t *answer)
{
    put_line(show, S("Made a new instance key; it is in force."), TINT_BOLD);
    put_facts(show, (const struct fact[]){{"key", plain(member(answer, "keyId"))},
                                          {"previous", plain(member(answer, "previousKeyId"))},
                                          {0}});
    buf_put(show->out, S("Back up its file; the copies you have hold the former key only.\n"));
}

/* ---- problems ---- */

/* "keys[3].scopes[0]: is not a scope", or "row 7, email: …" */
static void put_error(struct cli_show *show, const json_t *error)
{
    const json_t *row = json_object_get(error, "index");
    str name = member(error, "member");

    buf_put(show->out, S("  - "));
    if (json_is_integer(row))
        buf_printf(show->out, "row %" PRId64 "%s", (int64_t)json_integer_value(row),
                   name.n ? ", " : ": ");
    put_tinted(show->out, name, TINT_NOTE, show->is_coloured);
    buf_put(show->out, name.n ? S(" ") : S(""));
    put_tinted(show->out, member(error, "reason"), TINT_NONE, false);
    buf_put_byte(show->out, '\n');
}

void cli_show_problem(struct cli_show *show, const json_t *problem)
{
    const json_t *errors = json_object_get(problem, "errors");
    str title = member(problem, "title");
    json_t *error;
    size_t i;

    put_tinted(show->out, title.n ? title : S("The server refused."), TINT_BAD, show->is_coloured);
    str code = member(problem, "code");
    if (code.n) {
        str shown = arena_printf(show->arena, " %.*s", STR_ARG(code));
        put_tinted(show->out, shown, TINT_DIM, show->is_coloured);
    }
    buf_put_byte(show->out, '\n');
    if (member(problem, "detail").n)
        put_line(show, member(problem, "detail"), TINT_NONE);
    if (member(problem, "hint").n)
        put_line(show,
                 arena_printf(show->arena, "What to do: %.*s", STR_ARG(member(problem, "hint"))),
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
