/* Requests of /api/v1 from commands: APIs, scopes, plans, and keys of one's own APIs. */
#include "app/cli_apis.h"

#include "app/cli_form.h"
#include "base/banned.h"

/* ---- APIs ---- */

/* The server reads no path with an escaped slash in it. */
static str api_path(struct cli_form *form, str api, const char *after)
{
    for (size_t i = 0; i < api.n; i++)
        if (api.p[i] == '/') {
            cli_problem(form, "name the API by its id here, as shown by sallyport apis list");
            break;
        }
    return arena_printf(form->arena, "/api/v1/apis/%.*s%s",
                        STR_ARG(percent_encode(form->arena, api)), after);
}

const struct cli_flag cli_api_create_flags[] = {
    {"name", "NAME", "what it is called", .is_required = true},
    {"audience", "AUDIENCE", "what it is known by for good; often a URL", .is_required = true},
    {"prefix", "PREFIX", "what its keys begin with; k without this flag"},
    {"header", "NAME", "the field a key is sent in; without this flag Authorization, as Bearer"},
    {"country", "CODE", "a country its keys may be used from, like DE", .repeats = true},
    {0},
};

const struct cli_flag cli_api_change_flags[] = {
    {"name", "NAME", "what it is called"},
    {"prefix", "PREFIX", "what its new keys begin with"},
    {"header", "NAME", "the field a key is sent in; authorization: as Bearer"},
    {0},
};

const struct cli_flag cli_force_flags[] = {
    {"force", NULL, "also while live keys use it"},
    {0},
};

static void put_given(struct cli_form *form, struct json_out *j, const char *flag, str member)
{
    if (cli_has(form->args, flag))
        json_put_text(j, member, flag_value(form, flag));
}

static void put_countries(struct cli_form *form, struct json_out *j)
{
    if (!cli_has(form->args, "country"))
        return;
    json_open_object(j, S("places"));
    put_flag_texts(form, j, S("allow"), "country");
    json_close_object(j);
}

static void put_api(struct cli_form *form, struct json_out *j)
{
    put_given(form, j, "name", S("name"));
    put_given(form, j, "audience", S("audience"));
    put_given(form, j, "prefix", S("key_prefix"));
    put_given(form, j, "header", S("credential_header"));
    put_countries(form, j);
    json_close_object(j);
}

void cli_build_api(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);

    out->method = HTTP_POST;
    out->target = S("/api/v1/apis");
    put_api(form, &j);
}

void cli_build_apis(struct cli_form *form, struct cli_request *out)
{
    (void)form;
    out->target = S("/api/v1/apis?expand=scopes");
}

void cli_build_api_change(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);

    out->method = HTTP_PATCH;
    out->target = api_path(form, form->args->argument, "");
    if (form->args->n_given == 0)
        cli_problem(form, "say what to change: --name, --prefix or --header");
    put_api(form, &j);
}

void cli_build_api_delete(struct cli_form *form, struct cli_request *out)
{
    out->method = HTTP_DELETE;
    out->target = api_path(form, form->args->argument, "");
    if (cli_has(form->args, "force"))
        request_parameter(form, &out->target, "force", S("true"));
}

/* ---- scopes ---- */

const struct cli_flag cli_scope_create_flags[] = {
    {"key", "SCOPE", "what it is called, like read:orders", .is_required = true},
    {"description", "TEXT", "what it lets a key do"},
    {0},
};

const struct cli_flag cli_scope_delete_flags[] = {
    {"api", "API", "whose scope it is", .is_required = true},
    {"force", NULL, "also while live keys use it"},
    {0},
};

void cli_build_scope(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);

    out->method = HTTP_POST;
    out->target = api_path(form, form->args->argument, "/scopes");
    put_given(form, &j, "key", S("key"));
    put_given(form, &j, "description", S("description"));
    json_close_object(&j);
}

void cli_build_scopes(struct cli_form *form, struct cli_request *out)
{
    out->target = api_path(form, form->args->argument, "/scopes");
}

void cli_build_scope_delete(struct cli_form *form, struct cli_request *out)
{
    str before = api_path(form, flag_value(form, "api"), "/scopes/");

    out->method = HTTP_DELETE;
    out->target = request_path(form, before.p, "");
    if (cli_has(form->args, "force"))
        request_parameter(form, &out->target, "force", S("true"));
}

/* ---- plans ---- */

const struct cli_flag cli_plan_create_flags[] = {
    {"name", "NAME", "what it is called", .is_required = true},
    {"api", "API=SCOPES", "an API in it, with those scopes (a,b) or all (API alone)",
     .repeats = true},
    {"keys", "N", "how many live keys an employer may have"},
    {"rate", "N/TIME", "the limit of keys made without one, like 120/60s"},
    {0},
};

const struct cli_flag cli_set_plan_flags[] = {
    {"plan", "PLAN", "its id, or none: everything is allowed", .is_required = true},
    {0},
};

/* "https://orders.example=read:orders,write:orders"; an audience may have "=" in it, scopes not. */
static void put_api_of_plan(struct json_out *j, str text)
{
    size_t at = text.n;

    while (at > 0 && text.p[at - 1] != '=')
        at--;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("api_id"), at ? str_sub(text, 0, at - 1) : text);
    if (at) {
        str scopes = str_sub(text, at, text.n);
        json_open_array(j, S("scopes"));
        while (scopes.n)
            json_put_text(j, STR_NONE, str_trim(str_cut(&scopes, S(","))));
        json_close_array(j);
    }
    json_close_object(j);
}

void cli_build_plan(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);
    str keys = flag_value(form, "keys");
    uint64_t max;

    out->method = HTTP_POST;
    out->target = S("/api/v1/plans");
    put_given(form, &j, "name", S("name"));
    if (!str_is_none(keys) && str_parse_u64(keys, INT32_MAX, &max))
        json_put_int(&j, S("max_keys"), (int64_t)max);
    else if (!str_is_none(keys))
        cli_problem(form, "--keys must be a number");
    put_flag_rate(form, &j, S("rate_limit"), S("window_seconds"));
    json_open_array(&j, S("apis"));
    for (size_t i = 0; i < form->args->n_given; i++)
        if (str_eq(str_of(form->args->given[i].flag->name), S("api")))
            put_api_of_plan(&j, form->args->given[i].value);
    json_close_array(&j);
    json_close_object(&j);
}

void cli_build_plans(struct cli_form *form, struct cli_request *out)
{
    (void)form;
    out->target = S("/api/v1/plans");
}

void cli_build_plan_delete(struct cli_form *form, struct cli_request *out)
{
    out->method = HTTP_DELETE;
    out->target = request_path(form, "/api/v1/plans/", "");
}

void cli_build_set_plan(struct cli_form *form, struct cli_request *out)
{
    struct json_out j = request_body(out);
    str plan = flag_value(form, "plan");

    out->method = HTTP_PATCH;
    out->target = request_path(form, "/api/v1/organizations/", "");
    json_put_text(&j, S("plan_id"), str_eq(plan, S("none")) ? STR_NONE : plan);
    json_close_object(&j);
}

/* ---- keys ---- */

bool cli_is_own_key(str id)
{
    return str_starts(id, S("api_key_"));
}

void cli_build_own_key(struct cli_form *form, struct cli_request *out)
{
    int64_t not_before_ms = flag_instant(form, "not-before");
    int64_t expires_at_ms = flag_instant(form, "expires");
    struct json_out j = request_body(out);

    out->method = HTTP_POST;
    out->target = S("/api/v1/api_keys");
    if (cli_has(form->args, "employer") == cli_has(form->args, "user"))
        cli_problem(form, "say whose key it is to be: --employer or --user");
    put_given(form, &j, "name", S("name"));
    put_given(form, &j, "api", S("api_id"));
    put_given(form, &j, "employer", S("org_code"));
    put_given(form, &j, "user", S("user_id"));
    put_flag_texts(form, &j, S("scope_ids"), "scope");
    if (cli_has(form->args, "cidr"))
        put_flag_texts(form, &j, S("allowed_ip_cidrs"), "cidr");
    put_countries(form, &j);
    if (not_before_ms)
        json_put_time(&j, S("not_before"), not_before_ms);
    if (expires_at_ms)
        json_put_time(&j, S("expires_on"), expires_at_ms);
    put_flag_rate(form, &j, S("rate_limit"), S("window_seconds"));
    json_close_object(&j);
}

static void narrow_keys(struct cli_form *form, struct cli_request *out)
{
    request_parameter(form, &out->target, "api_id", flag_value(form, "api"));
    request_parameter(form, &out->target, "org_code", flag_value(form, "employer"));
    out->list = "api_keys";
}

void cli_build_own_keys(struct cli_form *form, struct cli_request *out)
{
    out->target = S("/api/v1/api_keys");
    narrow_keys(form, out);
}

const struct cli_flag cli_key_report_flags[] = {
    {"employer", "ID", "only keys of this employer"},
    {"api", "API", "only keys of this API"},
    {"older-than", "DAYS", "how old a secret may be; 90 without this flag"},
    {"unused", "DAYS", "how long a key may rest; 30 without this flag"},
    {0},
};

void cli_build_key_report(struct cli_form *form, struct cli_request *out)
{
    out->target = S("/api/v1/api_keys/report");
    request_parameter(form, &out->target, "older_than_days", flag_value(form, "older-than"));
    request_parameter(form, &out->target, "unused_days", flag_value(form, "unused"));
    narrow_keys(form, out);
}
