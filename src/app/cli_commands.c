/* The commands: their flags, and the request that each one is. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/cli_apis.h"
#include "app/cli_form.h"
#include "app/units.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

enum { PROBLEMS_MAX_BYTES = 64 * 1024 };

/* ---- reading flags ---- */

str cli_value(const struct cli_args *args, const char *flag)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (str_eq(str_of(args->given[i].flag->name), str_of(flag)))
            return args->given[i].value;
    return STR_NONE;
}

bool cli_has(const struct cli_args *args, const char *flag)
{
    return !str_is_none(cli_value(args, flag));
}

void cli_problem(struct cli_form *form, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_printf(&form->problems, "%s\n", text);
}

/* ---- employers ---- */

static const struct cli_flag employer_create_flags[] = {
    {"name", "NAME", "what the employer is called", .is_required = true},
    {"unapproved", NULL, "its keys are refused until it is approved"},
    {0},
};

static void build_employer(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);

    out->method = HTTP_POST;
    out->target = S("/api/admin/employers");
    json_put_text(&j, S("name"), flag_value(form, "name"));
    if (cli_has(form->args, "unapproved"))
        json_put_bool(&j, S("isApproved"), false);
    json_close_object(&j);
}

static void build_employers(struct cli_form *form, struct cli_request *out)
{
    (void)form;
    out->target = S("/api/admin/employers");
    out->list = "employers";
}

static const struct cli_flag employer_change_flags[] = {
    {"name", "NAME", "what the employer is called"},
    {"approve", NULL, "its keys may be used"},
    {"unapprove", NULL, "its keys are refused until it is approved"},
    {"status", "STATUS", "active, or inactive: its keys and sessions are refused"},
    {0},
};

static void build_employer_change(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);
    bool approves = cli_has(form->args, "approve");

    out->method = HTTP_PATCH;
    out->target = request_path(form, "/api/admin/employers/", "");
    if (approves && cli_has(form->args, "unapprove"))
        cli_problem(form, "give --approve or --unapprove, not both");
    if (form->args->n_given == 0)
        cli_problem(form, "say what to change: --name, --approve, --unapprove or --status");
    if (cli_has(form->args, "name"))
        json_put_text(&j, S("name"), flag_value(form, "name"));
    if (approves || cli_has(form->args, "unapprove"))
        json_put_bool(&j, S("isApproved"), approves);
    if (cli_has(form->args, "status"))
        json_put_text(&j, S("status"), flag_value(form, "status"));
    json_close_object(&j);
}

/* ---- users ---- */

static const struct cli_flag user_create_flags[] = {
    {"email", "EMAIL", "the address they sign in with", .is_required = true},
    {"role", "ROLE", "ADMIN (whole server), EMPLOYER_ADMIN or MEMBER", .is_required = true},
    {"employer", "ID", "the employer they belong to; not needed while there is only one"},
    {"password-stdin", NULL, "read the password from standard input, instead of making one up"},
    {0},
};

static const struct cli_flag user_list_flags[] = {
    {"employer", "ID", "only the users of this employer"},
    {0},
};

/* employer-admin is EMPLOYER_ADMIN */
static str role(struct cli_form *form)
{
    str text = arena_dup(form->arena, flag_value(form, "role"));

    for (char *p = (char *)text.p; *p; p++)
        *p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    return text;
}

static void build_user(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);

    out->method = HTTP_POST;
    out->target = S("/api/admin/users");
    json_put_text(&j, S("email"), flag_value(form, "email"));
    json_put_text(&j, S("role"), role(form));
    if (cli_has(form->args, "employer"))
        json_put_text(&j, S("employerId"), flag_employer(form));
    json_put_secret(&j, S("password"), form->inputs->password);
    json_close_object(&j);
}

static void build_users(struct cli_form *form, struct cli_request *out)
{
    str id = flag_employer(form);

    out->target = str_is_none(id) ? S("/api/admin/users")
                                  : arena_printf(form->arena, "/api/admin/users?employerId=%.*s",
                                                 STR_ARG(percent_encode(form->arena, id)));
    out->list = "users";
}

static void build_deactivate(struct cli_form *form, struct cli_request *out)
{
    out->method = HTTP_PATCH;
    out->target = request_path(form, "/api/admin/users/", "");
    buf_put(&out->body, S("{\"status\":\"inactive\"}"));
}

static const struct cli_flag user_change_flags[] = {
    {"role", "ROLE", "ADMIN (whole server), EMPLOYER_ADMIN or MEMBER"},
    {"status", "STATUS", "active or inactive"},
    {0},
};

static void build_user_change(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);

    out->method = HTTP_PATCH;
    out->target = request_path(form, "/api/admin/users/", "");
    if (form->args->n_given == 0)
        cli_problem(form, "say what to change: --role or --status");
    if (cli_has(form->args, "role"))
        json_put_text(&j, S("role"), role(form));
    if (cli_has(form->args, "status"))
        json_put_text(&j, S("status"), flag_value(form, "status"));
    json_close_object(&j);
}

static void build_reset_link(struct cli_form *form, struct cli_request *out)
{
    out->method = HTTP_POST;
    out->target = request_path(form, "/api/admin/users/", "/reset-link");
}

static void build_sessions(struct cli_form *form, struct cli_request *out)
{
    out->target = request_path(form, "/api/admin/users/", "/sessions");
    out->list = "sessions";
}

static const struct cli_flag sign_out_flags[] = {
    {"session", "ID", "only this one, as shown by sallyport users sessions"},
    {0},
};

static void build_sign_out(struct cli_form *form, struct cli_request *out)
{
    str session = flag_value(form, "session");

    out->method = HTTP_DELETE;
    out->target = request_path(form, "/api/admin/users/", "/sessions");
    if (!str_is_none(session))
        out->target = arena_printf(form->arena, "%.*s/%.*s", STR_ARG(out->target),
                                   STR_ARG(percent_encode(form->arena, session)));
}

/* ---- keys ---- */

#define EMPLOYER_OF_KEYS                                                                           \
    {                                                                                              \
        "employer", "ID", "whose keys; not needed while there is only one employer"                \
    }

static const struct cli_flag key_create_flags[] = {
    {"name", "NAME", "what the key is for", .is_required = true},
    {"scope", "SCOPE", "what it may do, like cohort:read", .is_required = true, .repeats = true},
    {"cidr", "CIDR", "an address or block it may be used from; none: everywhere", .repeats = true},
    {"not-before", "T", "when it starts to work: 2030-01-31T00:00:00Z, or 12h from now"},
    {"expires", "T", "when it stops: 2030-01-31T00:00:00Z, or 90d from now; none: never"},
    {"rate", "N/TIME", "its limit, like 120/60s (the default), or none"},
    {"api", "API", "what it is for, by id or audience; enterprise without this flag"},
    {"user", "ID", "with --api: the user whose own key it is to be"},
    {"country", "CODE", "with --api: a country it may be used from, like DE", .repeats = true},
    EMPLOYER_OF_KEYS,
    {0},
};

static const struct cli_flag key_flags[] = {EMPLOYER_OF_KEYS, {0}};

static const struct cli_flag key_list_flags[] = {
    {"api", "API", "the newest 500 for this one; enterprise without this flag"},
    EMPLOYER_OF_KEYS,
    {0}};

static const struct cli_flag key_rotate_flags[] = {
    {"overlap", "SECONDS",
     "how long the old text still works, 3600 or 1h; without: 24 hours (made with --api: not at all)"},
    EMPLOYER_OF_KEYS,
    {0},
};

static void build_key(struct cli_form *form, struct cli_request *out)
{
    if (cli_has(form->args, "api")) {
        cli_build_own_key(form, out);
        return;
    }
    if (cli_has(form->args, "user") || cli_has(form->args, "country"))
        cli_problem(form, "--user and --country are for keys made with --api");
    int64_t not_before_ms = flag_instant(form, "not-before");
    int64_t expires_at_ms = flag_instant(form, "expires");
    struct json_out j = request_body(out);

    out->method = HTTP_POST;
    out->target = S("/api/employer/api-keys");
    out->employer = flag_employer(form);
    json_put_text(&j, S("name"), flag_value(form, "name"));
    put_flag_texts(form, &j, S("scopes"), "scope");
    if (cli_has(form->args, "cidr"))
        put_flag_texts(form, &j, S("allowedIpCidrs"), "cidr");
    if (not_before_ms)
        json_put_time(&j, S("notBefore"), not_before_ms);
    if (expires_at_ms)
        json_put_time(&j, S("expiresAt"), expires_at_ms);
    put_flag_rate(form, &j, S("rateLimit"), S("windowSeconds"));
    json_close_object(&j);
}

static void build_keys(struct cli_form *form, struct cli_request *out)
{
    if (cli_has(form->args, "api")) {
        cli_build_own_keys(form, out);
        return;
    }
    out->target = S("/api/employer/api-keys");
    out->employer = flag_employer(form);
    out->list = "keys";
}

static void build_revoke(struct cli_form *form, struct cli_request *out)
{
    out->method = HTTP_DELETE;
    if (cli_is_own_key(form->args->argument)) {
        out->target = request_path(form, "/api/v1/api_keys/", "");
        return;
    }
    out->target = request_path(form, "/api/employer/api-keys/", "");
    out->employer = flag_employer(form);
}

static void build_rotate(struct cli_form *form, struct cli_request *out)
{
    str overlap = flag_value(form, "overlap");
    bool is_own = cli_is_own_key(form->args->argument);
    uint64_t seconds = 0;
    int64_t ms = 0;

    out->method = is_own ? HTTP_PUT : HTTP_POST;
    out->target = is_own ? request_path(form, "/api/v1/api_keys/", "")
                         : request_path(form, "/api/employer/api-keys/", "/rotate");
    out->employer = flag_employer(form);
    if (str_is_none(overlap))
        return;
    if (duration_parse(overlap, &ms) && ms % SECOND_MS == 0)
        seconds = (uint64_t)(ms / SECOND_MS);
    else if (!str_parse_u64(overlap, INT32_MAX, &seconds))
        cli_problem(form, "--overlap must be seconds, like 3600, or a time, like 1h");
    struct json_out j = request_body(out);
    json_put_int(&j, is_own ? S("overlap_seconds") : S("overlapSeconds"), (int64_t)seconds);
    json_close_object(&j);
}

static void build_import(struct cli_form *form, struct cli_request *out)
{
    out->method = HTTP_POST;
    out->target = S("/api/employer/api-keys/import");
    out->employer = flag_employer(form);
    cli_read_import(form, form->inputs->file, &out->body);
}

/* ---- the audit ---- */

static const struct cli_flag audit_list_flags[] = {
    {"employer", "ID", "only the lines of this employer"},
    {"action", "ACTION", "like api_key.revoked, or api_key.* for all of them"},
    {"actor", "ID", "who did it"},
    {"target", "ID", "what it was done to"},
    {"request", "ID", "in which request"},
    {"from", "T", "not before: 2030-01-31T00:00:00Z"},
    {"to", "T", "before: 2030-01-31T00:00:00Z"},
    {"limit", "N", "how many, 100 without this flag, 1000 at most"},
    {"all", NULL, "all of them, however many there are"},
    {0},
};

static const struct cli_flag audit_verify_flags[] = {
    {"head", "NUMBER:LINK", "what the log line audit.sealed said earlier; it must still be there"},
    {"file", "ARCHIVE", "read this file of the archive folder too"},
    {0},
};

static void build_audit_list(struct cli_form *form, struct cli_request *out)
{
    out->target = S("/api/admin/audit");
    request_parameter(form, &out->target, "employerId", flag_employer(form));
    request_parameter(form, &out->target, "action", flag_value(form, "action"));
    request_parameter(form, &out->target, "actorId", flag_value(form, "actor"));
    request_parameter(form, &out->target, "targetId", flag_value(form, "target"));
    request_parameter(form, &out->target, "requestId", flag_value(form, "request"));
    request_parameter(form, &out->target, "from", flag_value(form, "from"));
    request_parameter(form, &out->target, "to", flag_value(form, "to"));
    if (cli_has(form->args, "all") && cli_has(form->args, "limit"))
        cli_problem(form, "give --limit or --all, not both");
    else if (cli_has(form->args, "all"))
        out->list = "lines";
    else
        request_parameter(form, &out->target, "limit", flag_value(form, "limit"));
}

/* The last part of a path: the server reads from its own folder alone. */
static str file_name(str path)
{
    str name = path;

    while (str_has_byte(name, '/'))
        str_cut(&name, S("/"));
    return name;
}

static void build_audit_verify(struct cli_form *form, struct cli_request *out)
{
    out->target = S("/api/admin/audit/verification");
    request_parameter(form, &out->target, "head", flag_value(form, "head"));
    request_parameter(form, &out->target, "archive", file_name(flag_value(form, "file")));
}

static int judge_verification(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "verified")) ? CLI_DONE : CLI_REFUSED;
}

static void build_audit_archive(struct cli_form *form, struct cli_request *out)
{
    (void)form;
    out->method = HTTP_POST;
    out->target = S("/api/admin/audit/archive");
}

/* ---- the gate ---- */

static const struct cli_flag gate_token_flags[] = {
    {"name", "NAME", "the gateway or program that will hold it", .is_required = true},
    {0},
};

static void build_gate_token(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);

    out->method = HTTP_POST;
    out->target = S("/api/admin/gate-tokens");
    json_put_text(&j, S("name"), flag_value(form, "name"));
    json_close_object(&j);
}

static void build_gate_tokens(struct cli_form *form, struct cli_request *out)
{
    (void)form;
    out->target = S("/api/admin/gate-tokens");
    out->list = "gateTokens";
}

static void build_gate_revoke(struct cli_form *form, struct cli_request *out)
{
    out->method = HTTP_DELETE;
    out->target = request_path(form, "/api/admin/gate-tokens/", "");
}

static const struct cli_flag gate_rules_flags[] = {
    {"api", "API", "whose rules; enterprise without this flag"},
    {0},
};

static void build_gate_rules(struct cli_form *form, struct cli_request *out)
{
    out->target = S("/api/admin/gate-rules");
    request_parameter(form, &out->target, "api", flag_value(form, "api"));
}

static void build_gate_rules_set(struct cli_form *form, struct cli_request *out)
{
    build_gate_rules(form, out);
    out->method = HTTP_PUT;
    cli_read_rules(form, form->inputs->file, &out->body);
}

/* ---- the instance ---- */

static void build_rekey(struct cli_form *form, struct cli_request *out)
{
    (void)form;
    out->method = HTTP_POST;
    out->target = S("/api/admin/instance-key/rotate");
}

/* ---- what is wrong? ---- */

static const struct cli_flag doctor_flags[] = {
    {"reach", "URL", "try to connect to it, as https://api.example.org", .repeats = true},
    {"full", NULL, "read all of a large SQLite database to check it"},
    {0},
};

/* ---- the table ---- */

static const struct cli_flag no_flags[] = {{0}};

static const struct cli_flag restore_flags[] = {
    {"check", NULL, "only say whether the file is whole; no store is opened"},
    {0},
};

const struct cli_command cli_commands[] = {
    {NULL, "serve", NULL, "Start the server.", "sallyport serve --listen 127.0.0.1:8080", CLI_SERVE,
     no_flags},
    {"employers", "create", NULL, "Add an employer.",
     "sallyport employers create --name 'Acme Health'", CLI_REQUEST, employer_create_flags,
     build_employer, cli_show_new_employer},
    {"employers", "list", NULL, "Show the employers.", "sallyport employers list", CLI_REQUEST,
     no_flags, build_employers, cli_show_employers},
    {"employers", "change", "ID", "Rename an employer, approve it, or switch it off and on.",
     "sallyport employers change emp_06b3k9q2x7hv4m1tz8c5nd0r --approve", CLI_REQUEST,
     employer_change_flags, build_employer_change, cli_show_changed_employer},
    {"users", "create", NULL, "Add someone who signs in.",
     "sallyport users create --email ada@example.org --role EMPLOYER_ADMIN", CLI_REQUEST,
     user_create_flags, build_user, cli_show_new_user},
    {"users", "list", NULL, "Show who can sign in.", "sallyport users list", CLI_REQUEST,
     user_list_flags, build_users, cli_show_users},
    {"users", "deactivate", "ID", "Shut someone out, with the keys they created.",
     "sallyport users deactivate user_06b3k9q2x7hv4m1tz8c5nd0r", CLI_REQUEST, no_flags,
     build_deactivate, cli_show_deactivated},
    {"users", "change", "ID", "Give someone another role, or let them in again.",
     "sallyport users change user_06b3k9q2x7hv4m1tz8c5nd0r --role MEMBER", CLI_REQUEST,
     user_change_flags, build_user_change, cli_show_changed_user},
    {"users", "reset-password", "ID", "Make a link with which someone sets a new password.",
     "sallyport users reset-password user_06b3k9q2x7hv4m1tz8c5nd0r", CLI_REQUEST, no_flags,
     build_reset_link, cli_show_reset_link},
    {"users", "sessions", "ID", "Show where someone is signed in.",
     "sallyport users sessions user_06b3k9q2x7hv4m1tz8c5nd0r", CLI_REQUEST, no_flags,
     build_sessions, cli_show_sessions},
    {"users", "sign-out", "ID", "End someone's sessions.",
     "sallyport users sign-out user_06b3k9q2x7hv4m1tz8c5nd0r", CLI_REQUEST, sign_out_flags,
     build_sign_out, cli_show_signed_out},
    {"keys", "create", NULL, "Make an API key; it is shown once.",
     "sallyport keys create --name nightly --scope cohort:read --scope cohort:write --expires 90d",
     CLI_REQUEST, key_create_flags, build_key, cli_show_new_key},
    {"keys", "list", NULL, "Show the API keys.", "sallyport keys list", CLI_REQUEST, key_list_flags,
     build_keys, cli_show_keys},
    {"keys", "report", NULL, "Show the API keys that are old, unused, or may do too much.",
     "sallyport keys report --unused 60", CLI_REQUEST, cli_key_report_flags, cli_build_key_report,
     cli_show_key_report},
    {"keys", "revoke", "ID", "End an API key at once, for good.",
     "sallyport keys revoke key_06b3k9q2x7hv4m1tz8c5nd0r", CLI_REQUEST, key_flags, build_revoke,
     cli_show_revoked},
    {"keys", "rotate", "ID", "Give an API key a new text; the old one works on for a while.",
     "sallyport keys rotate key_06b3k9q2x7hv4m1tz8c5nd0r --overlap 1h", CLI_REQUEST,
     key_rotate_flags, build_rotate, cli_show_rotated_key},
    {"keys", "import", "FILE",
     "Take over keys of another system: JSON, all or none; - is standard input.",
     "sallyport keys import keys.json", CLI_REQUEST, key_flags, build_import, cli_show_imported},
    {"apis", "create", NULL, "Register an API of your own.",
     "sallyport apis create --name Orders --audience https://orders.example", CLI_REQUEST,
     cli_api_create_flags, cli_build_api, cli_show_new_api},
    {"apis", "list", NULL, "Show the APIs.", "sallyport apis list", CLI_REQUEST, no_flags,
     cli_build_apis, cli_show_apis},
    {"apis", "change", "API", "Rename an API, or change what its keys look like.",
     "sallyport apis change 01a20980aa925872b5fad2e7b86611c0 --header x-orders-key", CLI_REQUEST,
     cli_api_change_flags, cli_build_api_change, cli_show_changed_api},
    {"apis", "delete", "API", "End an API and its keys, for good.",
     "sallyport apis delete 01a20980aa925872b5fad2e7b86611c0", CLI_REQUEST, cli_force_flags,
     cli_build_api_delete, cli_show_deleted_api},
    {"scopes", "create", "API", "Add a scope to an API.",
     "sallyport scopes create 01a20980aa925872b5fad2e7b86611c0 --key read:orders", CLI_REQUEST,
     cli_scope_create_flags, cli_build_scope, cli_show_new_scope},
    {"scopes", "list", "API", "Show the scopes of an API.",
     "sallyport scopes list 01a20980aa925872b5fad2e7b86611c0", CLI_REQUEST, no_flags,
     cli_build_scopes, cli_show_scopes},
    {"scopes", "delete", "SCOPE", "Take a scope from an API, and from every key.",
     "sallyport scopes delete api_scope_01a20980aa93d86a9c3bb0e5f2d11a77 "
     "--api 01a20980aa925872b5fad2e7b86611c0",
     CLI_REQUEST, cli_scope_delete_flags, cli_build_scope_delete, cli_show_deleted_scope},
    {"plans", "create", NULL, "Say what keys of some employers may be for.",
     "sallyport plans create --name Basic --api https://orders.example=read:orders --keys 5",
     CLI_REQUEST, cli_plan_create_flags, cli_build_plan, cli_show_new_plan},
    {"plans", "list", NULL, "Show the plans.", "sallyport plans list", CLI_REQUEST, no_flags,
     cli_build_plans, cli_show_plans},
    {"plans", "delete", "PLAN", "Delete a plan that no employer has.",
     "sallyport plans delete plan_01a20980aa925872b5fad2e7b86611c0", CLI_REQUEST, no_flags,
     cli_build_plan_delete, cli_show_deleted_plan},
    {"employers", "set-plan", "ID", "Give an employer a plan, or none: everything.",
     "sallyport employers set-plan emp_06b3k9q2x7hv4m1tz8c5nd0r --plan none", CLI_REQUEST,
     cli_set_plan_flags, cli_build_set_plan, cli_show_set_plan},
    {"gate-tokens", "create", NULL, "Let a gateway or program verify keys here.",
     "sallyport gate-tokens create --name 'edge nginx'", CLI_REQUEST, gate_token_flags,
     build_gate_token, cli_show_new_gate_token},
    {"gate-tokens", "list", NULL, "Show who may verify keys.", "sallyport gate-tokens list",
     CLI_REQUEST, no_flags, build_gate_tokens, cli_show_gate_tokens},
    {"gate-tokens", "revoke", "ID", "End a gate token at once.",
     "sallyport gate-tokens revoke gate_06b3k9q2x7hv4m1tz8c5nd0r", CLI_REQUEST, no_flags,
     build_gate_revoke, cli_show_gate_revoked},
    {"gate-rules", "show", NULL, "Show what the gate asks of each method and path.",
     "sallyport gate-rules show", CLI_REQUEST, gate_rules_flags, build_gate_rules,
     cli_show_gate_rules},
    {"gate-rules", "set", "FILE",
     "Replace those rules: a method, a path and scopes a line; - is standard input.",
     "sallyport gate-rules set rules", CLI_REQUEST, gate_rules_flags, build_gate_rules_set,
     cli_show_gate_rules_set},
    {"audit", "list", NULL, "Show who did what, the newest first.",
     "sallyport audit list --action 'api_key.*' --from 2030-01-31T00:00:00Z", CLI_REQUEST,
     audit_list_flags, build_audit_list, cli_show_audit},
    {"audit", "verify", NULL,
     "Look for lines that were altered, taken out or put in; exit code 1 if so.",
     "sallyport audit verify", CLI_REQUEST, audit_verify_flags, build_audit_verify,
     cli_show_verification, judge_verification},
    {"audit", "archive", NULL, "Put lines older than audit_retention into a signed file, now.",
     "sallyport audit archive", CLI_REQUEST, no_flags, build_audit_archive, cli_show_archived},
    {NULL, "explain", "CODE",
     "Say what an error means, by its code, message or body, and what to do.",
     "sallyport explain API_KEY_EXPIRED", CLI_EXPLAIN, no_flags},
    {NULL, "config", NULL, "Show every setting: its value, where it is from, what it means.",
     "sallyport config", CLI_CONFIG, no_flags},
    {NULL, "doctor", NULL, "Look at everything the server needs, and say what to do.",
     "sallyport doctor --reach https://hooks.example.org", CLI_DOCTOR, doctor_flags},
    {NULL, "ready", NULL, "Ask the running server whether it is ready: exit code 0 or 1.",
     "sallyport ready", CLI_READY, no_flags},
    {NULL, "migrate", NULL, "Bring the database up to date, without starting the server.",
     "sallyport migrate", CLI_MIGRATE, no_flags},
    {NULL, "backup", "FILE",
     "Write all that is kept into a new file, also while the server runs; - is standard output.",
     "sallyport backup 2026-11-23.backup", CLI_BACKUP, no_flags},
    {NULL, "restore", "FILE", "Put a backup into an empty database, of either engine.",
     "sallyport restore 2026-11-23.backup", CLI_RESTORE, restore_flags},
    {NULL, "rekey", NULL, "Make a new instance key; what the present one made stays valid.",
     "sallyport rekey", CLI_REQUEST, no_flags, build_rekey, cli_show_rekeyed},
    {NULL, "completion", "SHELL", "Print completion for bash or zsh.", "sallyport completion bash",
     CLI_COMPLETION, no_flags},
    {NULL, "manual", "SECTION", "Print the manual page sallyport(1) or sallyport.conf(5).",
     "sallyport manual 5", CLI_MANUAL, no_flags},
    {NULL, "version", NULL, "Show which release this is.", "sallyport version", CLI_VERSION,
     no_flags},
    {NULL, "help", "COMMAND", "Explain a command, a group of them, or settings.",
     "sallyport help keys", CLI_HELP, no_flags},
    {0},
};

const struct cli_command *cli_find(str group, str verb)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++)
        if (str_eq(str_of(c->group), group) && str_eq(str_of(c->verb), verb))
            return c;
    return NULL;
}

bool cli_takes_json(const struct cli_command *command)
{
    switch (command->kind) {
    case CLI_SERVE:
    case CLI_MIGRATE:
    case CLI_COMPLETION:
    case CLI_MANUAL:
    case CLI_HELP:
        return false;
    default:
        return true;
    }
}

bool cli_is_group(str word)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++)
        if (c->group && str_eq(str_of(c->group), word))
            return true;
    return false;
}

bool cli_build(struct arena *arena, const struct cli_args *args, const struct cli_inputs *inputs,
               struct cli_request *out, str *problems)
{
    struct cli_form form = {.arena = arena, .args = args, .inputs = inputs};

    buf_init(&form.problems, PROBLEMS_MAX_BYTES);
    *out = (struct cli_request){.method = HTTP_GET};
    buf_init(&out->body, CLI_BODY_MAX_BYTES);
    args->command->build(&form, out);
    bool is_fit = form.problems.n == 0;
    if (!is_fit) {
        *problems = arena_dup(arena, buf_str(&form.problems));
        cli_request_drop(out);
    }
    buf_drop(&form.problems);
    return is_fit;
}

void cli_request_drop(struct cli_request *request)
{
    buf_drop(&request->body);
}
