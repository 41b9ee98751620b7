/* app/cli.h: words to requests, and answers to text. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/cli.h"
#include "app/columns.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "chance.h"

enum { WORDS_MAX = 40 };

/* 2026-03-05T09:30:00Z */
static const int64_t NOW_MS = INT64_C(1772703000000);

/* One command line, and what came of it. */
struct line {
    struct arena *arena;
    struct cli_args args;
    struct cli_request request;
    struct secret password;
    struct buf out;
    str file;
    str problems;
};

static int start_line(void **state)
{
    struct line *l = mem_new(sizeof *l);

    json_start();
    l->arena = arena_new();
    buf_init(&l->out, 1 << 20);
    *state = l;
    return 0;
}

static int end_line(void **state)
{
    struct line *l = *state;

    cli_request_drop(&l->request);
    secret_drop(&l->password);
    buf_drop(&l->out);
    arena_drop(&l->arena);
    free(l);
    return 0;
}

/* The words, cut at spaces; "+" in one stands for a space. */
static bool parse(struct line *l, const char *text)
{
    char *words[WORDS_MAX + 1] = {NULL};
    str rest = arena_dup(l->arena, str_of(text));
    size_t n = 0;

    while (rest.n) {
        str word = arena_dup(l->arena, str_cut(&rest, S(" ")));
        for (char *p = (char *)word.p; *p; p++)
            *p = *p == '+' ? ' ' : *p;
        assert_true(n < WORDS_MAX);
        words[n++] = (char *)word.p;
    }
    l->problems = STR_NONE;
    return cli_parse(l->arena, words, &l->args, &l->problems);
}

static bool build(struct line *l, const char *text)
{
    struct cli_inputs inputs = {NOW_MS, &l->password, l->file};

    if (!parse(l, text))
        flunk("%s: %.*s", text, STR_ARG(l->problems));
    cli_request_drop(&l->request);
    return cli_build(l->arena, &l->args, &inputs, &l->request, &l->problems);
}

static void assert_str(str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        flunk("\"%.*s\"\nnot \"%s\"", STR_ARG(got), want);
}

static void assert_request(struct line *l, const char *text, enum http_method method,
                           const char *target, const char *body)
{
    if (!build(l, text))
        flunk("%s: %.*s", text, STR_ARG(l->problems));
    assert_int_equal(l->request.method, method);
    assert_str(l->request.target, target);
    assert_str(buf_str(&l->request.body), body);
}

static void assert_says(str text, const char *what)
{
    if (!memmem(text.p, text.n, what, strlen(what)))
        flunk("\"%s\" is not in: %.*s", what, STR_ARG(text));
}

static void assert_wrong(struct line *l, const char *text, const char *what)
{
    if (parse(l, text))
        flunk("%s is taken", text);
    assert_says(l->problems, what);
}

static void assert_not_built(struct line *l, const char *text, const char *what)
{
    if (build(l, text))
        flunk("%s is taken", text);
    assert_says(l->problems, what);
}

/* ---- which command ---- */

static void every_command_is_found_by_its_words(void **state)
{
    struct line *l = *state;
    char text[200];

    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        snprintf(text, sizeof text, "%s%s%s%s", c->group ? c->group : "", c->group ? " " : "",
                 c->verb, c->argument ? " x" : "");
        bool is_fit = parse(l, text);
        assert_ptr_equal(l->args.command, c);
        for (const struct cli_flag *f = c->flags; f->name; f++)
            if (f->is_required && is_fit)
                flunk("%s does not need --%s", text, f->name);
    }
}

static void an_unknown_command_gets_a_suggestion(void **state)
{
    struct line *l = *state;

    assert_wrong(l, "srve", "did you mean serve?");
    assert_null(l->args.command);
    assert_wrong(l, "key create", "did you mean keys?");
    assert_wrong(l, "keys craete", "did you mean keys create?");
    assert_str(l->args.topic[0], "keys");
    assert_wrong(l, "keys", "which of its commands");
    assert_wrong(l, "frobnicate", "there is no command frobnicate\n");
}

static void an_unknown_flag_gets_a_suggestion_and_its_value_is_not_shown(void **state)
{
    struct line *l = *state;

    assert_wrong(l, "keys create --nmae=x", "did you mean --name?");
    assert_wrong(l, "serve --lissten 127.0.0.1:1", "did you mean --listen?");
    assert_wrong(l, "serve --admin-pasword hunter2", "did you mean --admin-password?");
    assert_null(memmem(l->problems.p, l->problems.n, "hunter2", 7));
    assert_wrong(l, "keys list --jsn", "did you mean --json?");
}

static void missing_flags_and_words_are_all_named(void **state)
{
    struct line *l = *state;

    assert_wrong(l, "keys create", "--name NAME is missing");
    assert_says(l->problems, "--scope SCOPE is missing");
    assert_wrong(l, "keys revoke", "ID is missing");
    assert_wrong(l, "keys create --scope a --name", "--name needs a value");
    assert_wrong(l, "keys create --name --scope a", "--name needs a value");
}

static void what_is_too_much_is_refused(void **state)
{
    struct line *l = *state;

    assert_wrong(l, "keys list all", "unexpected word \"all\"");
    assert_wrong(l, "keys create --name x --scope a b", "write --scope before each");
    assert_wrong(l, "keys create --name x --name y --scope a", "--name is given twice");
    assert_wrong(l, "employers create --name x --unapproved=no", "takes no value");
    assert_wrong(l, "serve --json", "--json is not a flag");
}

static void json_may_stand_before_the_command_or_after_it(void **state)
{
    struct line *l = *state;

    assert_true(parse(l, "--json keys list"));
    assert_true(l->args.is_json);
    assert_true(parse(l, "keys list --json"));
    assert_true(l->args.is_json);
    assert_true(parse(l, "keys list"));
    assert_false(l->args.is_json);
}

static void a_value_may_start_with_dashes_after_an_equals_sign(void **state)
{
    struct line *l = *state;

    assert_true(parse(l, "keys create --name=--x --scope a"));
    assert_str(cli_value(&l->args, "name"), "--x");
    assert_true(parse(l, "keys revoke -- --x"));
    assert_str(l->args.argument, "--x");
    assert_true(parse(l, "keys import -"));
    assert_str(l->args.argument, "-");
}

static void help_is_asked_for_in_every_way(void **state)
{
    struct line *l = *state;
    const struct cli_command *help = cli_find(STR_NONE, S("help"));

    assert_true(parse(l, "help keys create"));
    assert_ptr_equal(l->args.command, help);
    assert_str(l->args.topic[0], "keys");
    assert_str(l->args.topic[1], "create");
    assert_true(parse(l, "keys create --nonsense --help"));
    assert_ptr_equal(l->args.command, help);
    assert_str(l->args.topic[1], "create");
    assert_true(parse(l, "keys -h"));
    assert_str(l->args.topic[0], "keys");
    assert_true(str_is_none(l->args.topic[1]));
    assert_true(parse(l, "--help"));
    assert_ptr_equal(l->args.command, help);
    assert_true(str_is_none(l->args.topic[0]));
}

/* ---- requests ---- */

static void employers(void **state)
{
    struct line *l = *state;

    assert_request(l, "employers create --name Acme+Health", HTTP_POST, "/api/admin/employers",
                   "{\"name\":\"Acme Health\"}");
    assert_request(l, "employers create --unapproved --name=A", HTTP_POST, "/api/admin/employers",
                   "{\"name\":\"A\",\"isApproved\":false}");
    assert_request(l, "employers list", HTTP_GET, "/api/admin/employers", "");
    assert_string_equal(l->request.list, "employers");
    assert_request(l, "employers change emp_1 --approve", HTTP_PATCH, "/api/admin/employers/emp_1",
                   "{\"isApproved\":true}");
    assert_request(l, "employers change emp_1 --name A --status inactive", HTTP_PATCH,
                   "/api/admin/employers/emp_1", "{\"name\":\"A\",\"status\":\"inactive\"}");
}

static void users(void **state)
{
    struct line *l = *state;

    secret_set(&l->password, S("a \"password\""));
    assert_request(l, "users create --email a@b.c --role employer-admin --password-stdin",
                   HTTP_POST, "/api/admin/users",
                   "{\"email\":\"a@b.c\",\"role\":\"EMPLOYER_ADMIN\","
                   "\"password\":\"a \\\"password\\\"\"}");
    assert_request(l, "users create --email a@b.c --role ADMIN --employer emp_1", HTTP_POST,
                   "/api/admin/users",
                   "{\"email\":\"a@b.c\",\"role\":\"ADMIN\",\"employerId\":\"emp_1\","
                   "\"password\":\"a \\\"password\\\"\"}");
    assert_true(str_is_none(l->request.employer));
    assert_request(l, "users list", HTTP_GET, "/api/admin/users", "");
    assert_request(l, "users list --employer emp_1", HTTP_GET, "/api/admin/users?employerId=emp_1",
                   "");
    assert_request(l, "users deactivate user_1", HTTP_PATCH, "/api/admin/users/user_1",
                   "{\"status\":\"inactive\"}");
    assert_request(l, "users change user_1 --role member --status active", HTTP_PATCH,
                   "/api/admin/users/user_1", "{\"role\":\"MEMBER\",\"status\":\"active\"}");
    assert_request(l, "users reset-password user_1", HTTP_POST,
                   "/api/admin/users/user_1/reset-link", "");
    assert_request(l, "users sessions user_1", HTTP_GET, "/api/admin/users/user_1/sessions", "");
    assert_string_equal(l->request.list, "sessions");
    assert_request(l, "users sign-out user_1", HTTP_DELETE, "/api/admin/users/user_1/sessions", "");
    assert_request(l, "users sign-out user_1 --session s/1", HTTP_DELETE,
                   "/api/admin/users/user_1/sessions/s%2F1", "");
}

static void keys(void **state)
{
    struct line *l = *state;

    assert_request(l, "keys create --name ci --scope cohort:read", HTTP_POST,
                   "/api/employer/api-keys", "{\"name\":\"ci\",\"scopes\":[\"cohort:read\"]}");
    assert_true(str_is_none(l->request.employer));
    assert_request(l, "keys list --employer emp_1", HTTP_GET, "/api/employer/api-keys", "");
    assert_str(l->request.employer, "emp_1");
    assert_string_equal(l->request.list, "keys");
    assert_request(l, "keys revoke key_1 --employer emp_1", HTTP_DELETE,
                   "/api/employer/api-keys/key_1", "");
    assert_str(l->request.employer, "emp_1");
    assert_request(l, "keys rotate key_1", HTTP_POST, "/api/employer/api-keys/key_1/rotate", "");
    assert_request(l, "keys rotate key_1 --overlap 0", HTTP_POST,
                   "/api/employer/api-keys/key_1/rotate", "{\"overlapSeconds\":0}");
    assert_request(l, "keys rotate key_1 --overlap 1h", HTTP_POST,
                   "/api/employer/api-keys/key_1/rotate", "{\"overlapSeconds\":3600}");
    assert_not_built(l, "keys rotate key_1 --overlap soon", "--overlap must be");
    assert_not_built(l, "keys rotate key_1 --overlap 1500ms", "--overlap must be");
}

static void a_key_with_everything(void **state)
{
    assert_request(*state,
                   "keys create --name ci --scope cohort:read --scope cohort:write,fhir:read "
                   "--cidr 10.0.0.0/8 --cidr ::1 --not-before 2026-04-01T00:00:00Z --expires 90d "
                   "--rate 5000/1d --employer emp_1",
                   HTTP_POST, "/api/employer/api-keys",
                   "{\"name\":\"ci\",\"scopes\":[\"cohort:read\",\"cohort:write\",\"fhir:read\"],"
                   "\"allowedIpCidrs\":[\"10.0.0.0/8\",\"::1\"],"
                   "\"notBefore\":\"2026-04-01T00:00:00.000Z\","
                   "\"expiresAt\":\"2026-06-03T09:30:00.000Z\","
                   "\"rateLimit\":{\"requests\":5000,\"windowSeconds\":86400}}");
}

static void a_rate_is_requests_and_whole_seconds_or_none(void **state)
{
    static const char *const wrong[] = {"120",        "120/",      "/60s", "120/60", "x/60s",
                                        "120/1500ms", "120/60s/2", "NONE", "-1/60s"};
    struct line *l = *state;
    char text[100];

    assert_request(l, "keys create --name n --scope a --rate none", HTTP_POST,
                   "/api/employer/api-keys",
                   "{\"name\":\"n\",\"scopes\":[\"a\"],\"rateLimit\":null}");
    assert_request(l, "keys create --name n --scope a --rate 120/60s", HTTP_POST,
                   "/api/employer/api-keys",
                   "{\"name\":\"n\",\"scopes\":[\"a\"],"
                   "\"rateLimit\":{\"requests\":120,\"windowSeconds\":60}}");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, "keys create --name n --scope a --rate %s", wrong[i]);
        assert_not_built(l, text, "--rate must be");
    }
}

static void an_instant_is_rfc_3339_or_a_time_from_now(void **state)
{
    struct line *l = *state;

    assert_not_built(l, "keys create --name n --scope a --expires 2030-01-31", "--expires must be");
    assert_not_built(l, "keys create --name n --scope a --not-before soon", "--not-before must be");
    assert_not_built(l, "keys create --name n --scope a --expires -1d", "--expires must be");
}

static void wrong_values_are_all_named(void **state)
{
    struct line *l = *state;

    assert_not_built(l, "keys create --name n --scope a --expires x --not-before y --rate z",
                     "--expires must be");
    assert_says(l->problems, "--not-before must be");
    assert_says(l->problems, "--rate must be");
}

static void an_employer_is_an_id_and_nothing_that_could_end_a_header_line(void **state)
{
    struct line *l = *state;

    assert_not_built(l, "keys list --employer a\r\nx-evil:1", "--employer must be an id");
    assert_not_built(l, "keys list --employer=", "--employer must be an id");
    assert_not_built(l, "users list --employer a&b", "--employer must be an id");
}

static void an_id_stays_one_part_of_the_path(void **state)
{
    struct line *l = *state;

    assert_request(l, "keys revoke ../users?x#y", HTTP_DELETE,
                   "/api/employer/api-keys/..%2Fusers%3Fx%23y", "");
}

/* ---- import ---- */

static void assert_import(struct line *l, const char *file, const char *body)
{
    l->file = str_of(file);
    assert_request(l, "keys import f", HTTP_POST, "/api/employer/api-keys/import", body);
}

static void assert_no_import(struct line *l, const char *file, const char *what)
{
    l->file = str_of(file);
    assert_not_built(l, "keys import f", what);
}

static void a_document_is_sent_as_it_is(void **state)
{
    struct line *l = *state;

    assert_import(l, "{\"keys\": [ {\"name\":\"a\"} ]}", "{\"keys\": [ {\"name\":\"a\"} ]}");
    assert_import(l, "[{\"name\":\"a\"}]", "{\"keys\":[{\"name\":\"a\"}]}");
}

static void lines_become_a_document(void **state)
{
    struct line *l = *state;

    assert_import(l, "{\"name\":\"a\"}\r\n\n  {\"name\":\"b\"}\n",
                  "{\"keys\":[{\"name\":\"a\"},  {\"name\":\"b\"}]}");
    assert_import(l, "{\"name\":\"a\"}\n", "{\"keys\":[{\"name\":\"a\"}\n]}");
}

static void bad_lines_are_named(void **state)
{
    struct line *l = *state;

    assert_no_import(l, "{\"name\":\"a\"}\n\n{\"name\":}\n[1]\n{\"a\":1,\"a\":2}\n",
                     "line 3 of the file: column 9");
    assert_says(l->problems, "line 4 of the file: is no JSON object");
    assert_says(l->problems, "line 5 of the file: column");
    assert_no_import(l, "", "is not JSON");
    assert_no_import(l, "name,key\na,b\n", "is not JSON");
    assert_no_import(l, "{\"keys\": [\n  {\"name\": \"a\",}\n]}", "ine 2, column");
}

/* What the file holds are keys: a problem must not show them. */
static void a_problem_shows_nothing_of_the_file(void **state)
{
    struct line *l = *state;

    assert_no_import(l, "{\"key\":\"a\"}\n{\"key\":\"hunter2\" hunter2}\n", "line 2");
    assert_null(memmem(l->problems.p, l->problems.n, "hunter2", 7));
}

/* ---- passwords ---- */

static void a_made_up_password_has_twenty_characters_of_its_own(void **state)
{
    struct secret other = {0};
    struct line *l = *state;

    cli_make_password(&l->password);
    cli_make_password(&other);
    str text = secret_reveal(&l->password);
    assert_int_equal(text.n, 20);
    for (size_t i = 0; i < text.n; i++)
        assert_true(str_has_byte(S("0123456789abcdefghjkmnpqrstvwxyz"), text.p[i]));
    assert_false(str_eq(text, secret_reveal(&other)));
    secret_drop(&other);
}

/* ---- answers ---- */

static str show(struct line *l, const char *command, const char *json)
{
    struct cx cx = {.arena = l->arena};
    DROP(json) json_t *answer = NULL;

    if (command && !parse(l, command))
        flunk("%s: %.*s", command, STR_ARG(l->problems));
    struct cli_show shown = {.arena = l->arena,
                             .out = &l->out,
                             .args = &l->args,
                             .made_up = l->password.p ? &l->password : NULL};
    buf_clear(&l->out);
    if (json)
        assert_int_equal(json_read(&cx, str_of(json), &answer), E_OK);
    if (command)
        l->args.command->show(&shown, answer);
    else
        cli_show_problem(&shown, answer);
    return buf_str(&l->out);
}

static const char a_key[] =
    "{\"id\":\"key_1\",\"name\":\"ci\",\"scopes\":[\"cohort:read\",\"fhir:read\"],"
    "\"status\":\"active\",\"allowedIpCidrs\":[],\"notBefore\":null,"
    "\"expiresAt\":\"2026-06-03T09:30:00.000Z\",\"rateLimit\":null,\"keyPrefix\":\"mt_live_ab12\","
    "\"keySuffix\":\"9f3e\",\"lastUsedAt\":null,\"previousSecretEndsAt\":null,\"rawKey\":\"RAW\"}";

static void a_new_key_is_shown_with_what_it_may_do(void **state)
{
    struct line *l = *state;
    str text = show(l, "keys create --name ci --scope a", a_key);

    assert_says(text, "\n  RAW\n");
    assert_says(text, "shown only now");
    assert_says(text, "  scopes      cohort:read, fhir:read\n");
    assert_says(text, "  expires     2026-06-03 09:30Z\n");
    assert_says(text, "  limit       none\n");
}

static void a_rotated_key_says_what_becomes_of_the_old_one(void **state)
{
    assert_says(show(*state, "keys rotate key_1", a_key), "The old key is refused from now on.");
}

static void lists_are_aligned(void **state)
{
    char text[2000];
    struct line *l = *state;

    snprintf(text, sizeof text, "{\"keys\":[%s],\"nextCursor\":null}", a_key);
    assert_str(show(l, "keys list", text),
               "ID     STATUS  KEY                NAME  EXPIRES            LAST USED  SCOPES\n"
               "key_1  active  mt_live_ab12…9f3e  ci    2026-06-03 09:30Z  never      "
               "cohort:read, fhir:read\n");
    assert_says(show(l, "keys list", "{\"keys\":[]}"), "There are no API keys yet.");
    assert_says(show(l, "users list", "{\"users\":[]}"), "There are no users yet.");
    assert_says(show(l, "employers list", "{\"employers\":[]}"), "There are no employers yet.");
}

static void a_new_user_is_shown_the_password_that_was_made_up_only(void **state)
{
    static const char user[] = "{\"id\":\"user_1\",\"email\":\"a@b.c\",\"role\":\"MEMBER\","
                               "\"employerId\":\"emp_1\",\"status\":\"active\"}";
    struct line *l = *state;
    str text = show(l, "users create --email a@b.c --role MEMBER", user);

    assert_null(memmem(text.p, text.n, "password", 8));
    cli_make_password(&l->password);
    text = show(l, "users create --email a@b.c --role MEMBER", user);
    assert_non_null(memmem(text.p, text.n, secret_reveal(&l->password).p, CLI_PASSWORD_BYTES));
}

static void a_problem_is_title_detail_hint_and_errors(void **state)
{
    assert_str(show(*state, NULL,
                    "{\"title\":\"T.\",\"detail\":\"D.\",\"hint\":\"H.\",\"code\":\"C\","
                    "\"errors\":[{\"member\":\"name\",\"reason\":\"is empty\"},"
                    "{\"index\":7,\"member\":\"email\",\"reason\":\"is taken\"}]}"),
               "T. C\nD.\nWhat to do: H.\n  - name is empty\n  - row 7, email is taken\n");
    assert_says(show(*state, NULL, "{}"), "The server refused.");
}

/* Answers of another release, or of something else behind the socket, end no process. */
static void any_answer_can_be_shown(void **state)
{
    static const char *const answers[] = {
        "{}",
        "[]",
        "{\"keys\":7,\"users\":{},\"employers\":\"x\",\"imported\":\"y\"}",
        "{\"keys\":[7,{\"scopes\":7,\"rateLimit\":[],\"expiresAt\":\"x\"}]}",
        "{\"users\":[null],\"employers\":[[]],\"errors\":{}}",
    };
    static const char *const lines[] = {"employers list",
                                        "employers create --name x",
                                        "users list",
                                        "users deactivate u",
                                        "users change u --role ADMIN",
                                        "users reset-password u",
                                        "users sessions u",
                                        "users sign-out u",
                                        "employers change e --approve",
                                        "gate-tokens create --name n",
                                        "gate-tokens list",
                                        "gate-tokens revoke g",
                                        "gate-rules show",
                                        "gate-rules set f",
                                        "users create --email e --role r",
                                        "keys list",
                                        "keys create --name x --scope y",
                                        "keys rotate k",
                                        "keys revoke k",
                                        "keys import f"};

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
            show(*state, lines[k], answers[i]);
        show(*state, NULL, answers[i]);
    }
    show(*state, "keys revoke k", NULL);
}

/* ---- help ---- */

static void every_command_and_flag_is_in_the_help(void **state)
{
    struct line *l = *state;
    struct cli_show help = {.arena = l->arena, .out = &l->out, .args = &l->args};
    char flag[64];

    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        buf_clear(&l->out);
        assert_true(cli_help(&help, STR_NONE, STR_NONE));
        assert_says(buf_str(&l->out), c->meaning);
        buf_clear(&l->out);
        assert_true(c->group ? cli_help(&help, str_of(c->group), str_of(c->verb))
                             : cli_help(&help, str_of(c->verb), STR_NONE));
        assert_says(buf_str(&l->out), c->example);
        for (const struct cli_flag *f = c->flags; f->name; f++) {
            snprintf(flag, sizeof flag, "--%s", f->name);
            assert_says(buf_str(&l->out), flag);
        }
    }
    assert_true(cli_help(&help, S("keys"), STR_NONE));
    assert_true(cli_help(&help, S("settings"), STR_NONE));
    assert_false(cli_help(&help, S("nonsense"), STR_NONE));
    assert_false(cli_help(&help, S("keys"), S("nonsense")));
}

/* An example in the help that does not work would be worse than none. */
static void every_example_parses(void **state)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        str rest = str_of(c->example);
        if (c->kind == CLI_SERVE || str_has_byte(rest, '\''))
            continue; /* has a setting's flag, or quotes */
        str_cut(&rest, S(" "));
        assert_true(parse(*state, rest.p));
        assert_ptr_equal(((struct line *)*state)->args.command, c);
    }
}

/* ---- columns ---- */

static void wide_characters_keep_columns_aligned(void **state)
{
    struct line *l = *state;
    struct columns table;

    columns_init(&table, l->arena, 2);
    columns_row(&table, (const struct cell[]){{S("健康")}, {S("x")}});
    columns_row(&table, (const struct cell[]){{S("Béta")}, {S("y")}});
    columns_row(&table, (const struct cell[]){{S("a\033[31m\xff")}, {S("z")}});
    columns_write(&table, &l->out);
    assert_str(buf_str(&l->out), "健康     x\nBéta     y\na?[31m?  z\n");
}

static void the_last_column_is_wrapped_to_the_terminal(void **state)
{
    struct line *l = *state;
    struct columns table;

    columns_init(&table, l->arena, 2);
    table.width = 30;
    columns_row(&table, (const struct cell[]){{S("ab")}, {S("one two three four five six seven")}});
    columns_write(&table, &l->out);
    assert_str(buf_str(&l->out), "ab  one two three four five\n    six seven\n");
    buf_clear(&l->out);
    table.width = 20;
    columns_write(&table, &l->out);
    assert_str(buf_str(&l->out), "ab  \n    one two three\n    four five six\n    seven\n");
}

/* However it is wrapped, the words and their order stay, and no line is longer than it must be. */
static void wrapping_loses_no_word(void **state)
{
    struct chance c = chance_new("wrapping");
    struct line *l = *state;
    struct columns table;
    char text[200];

    for (int i = 0; i < 2000; i++) {
        size_t n = 1 + chance_below(&c, sizeof text - 1);
        for (size_t k = 0; k < n; k++)
            text[k] = k && k + 1 < n && text[k - 1] != ' ' && chance_below(&c, 5) == 0 ? ' ' : 'x';
        columns_init(&table, l->arena, 2);
        table.width = 30 + chance_below(&c, 40);
        columns_row(&table, (const struct cell[]){{S("a")}, {{text, n}}});
        buf_clear(&l->out);
        columns_write(&table, &l->out);
        str rest = buf_str(&l->out);
        size_t at = 0;
        while (rest.n) {
            str row = str_cut(&rest, S("\n"));
            str words = str_sub(row, 3, row.n);
            assert_true(row.n <= table.width || !str_has_byte(words, ' '));
            assert_memory_equal(words.p, text + at, words.n);
            at += words.n + 1;
        }
        assert_int_equal(at, n + 1);
    }
}

int main(void)
{
#define LINE_TEST(name) cmocka_unit_test_setup_teardown(name, start_line, end_line)
    const struct CMUnitTest tests[] = {
        LINE_TEST(every_command_is_found_by_its_words),
        LINE_TEST(an_unknown_command_gets_a_suggestion),
        LINE_TEST(an_unknown_flag_gets_a_suggestion_and_its_value_is_not_shown),
        LINE_TEST(missing_flags_and_words_are_all_named),
        LINE_TEST(what_is_too_much_is_refused),
        LINE_TEST(json_may_stand_before_the_command_or_after_it),
        LINE_TEST(a_value_may_start_with_dashes_after_an_equals_sign),
        LINE_TEST(help_is_asked_for_in_every_way),
        LINE_TEST(employers),
        LINE_TEST(users),
        LINE_TEST(keys),
        LINE_TEST(a_key_with_everything),
        LINE_TEST(a_rate_is_requests_and_whole_seconds_or_none),
        LINE_TEST(an_instant_is_rfc_3339_or_a_time_from_now),
        LINE_TEST(wrong_values_are_all_named),
        LINE_TEST(an_employer_is_an_id_and_nothing_that_could_end_a_header_line),
        LINE_TEST(an_id_stays_one_part_of_the_path),
        LINE_TEST(a_document_is_sent_as_it_is),
        LINE_TEST(lines_become_a_document),
        LINE_TEST(bad_lines_are_named),
        LINE_TEST(a_problem_shows_nothing_of_the_file),
        LINE_TEST(a_made_up_password_has_twenty_characters_of_its_own),
        LINE_TEST(a_new_key_is_shown_with_what_it_may_do),
        LINE_TEST(a_rotated_key_says_what_becomes_of_the_old_one),
        LINE_TEST(lists_are_aligned),
        LINE_TEST(a_new_user_is_shown_the_password_that_was_made_up_only),
        LINE_TEST(a_problem_is_title_detail_hint_and_errors),
        LINE_TEST(any_answer_can_be_shown),
        LINE_TEST(every_command_and_flag_is_in_the_help),
        LINE_TEST(every_example_parses),
        LINE_TEST(wide_characters_keep_columns_aligned),
        LINE_TEST(the_last_column_is_wrapped_to_the_terminal),
        LINE_TEST(wrapping_loses_no_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
