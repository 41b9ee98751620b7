/* APIs, scopes and plans, told to people. */
#include <inttypes.h>

#include "app/cli_form.h"
#include "app/cli_show.h"
#include "base/banned.h"

/* ---- APIs ---- */

static str flag_of(const struct cli_show *show, const char *flag)
{
    return cli_value(show->args, flag);
}

void cli_show_new_api(struct cli_show *show, const json_t *answer)
{
    str id = show_text(json_object_get(answer, "api"), "id");

    show_done(show, "Registered the API", flag_of(show, "name"));
    show_facts(show, (const struct fact[]){{"id", plain(id)}, {0}});
    buf_printf(show->out, "\nNext: sallyport scopes create %.*s --key read:…\n", STR_ARG(id));
}

static void api_row(struct cli_show *show, const json_t *api, struct cell *cells)
{
    cells[0] = plain(show_text(api, "id"));
    cells[1] = plain(show_text(api, "name"));
    cells[2] = plain(show_text(api, "audience"));
    cells[3] = plain(show_text(api, "key_prefix"));
    cells[4] = plain(show_text(api, "credential_header"));
    cells[5] =
        plain(arena_printf(show->arena, "%zu", json_array_size(json_object_get(api, "scopes"))));
}

void cli_show_apis(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {
        "apis", "", {"ID", "NAME", "AUDIENCE", "PREFIX", "SENT IN", "SCOPES"}, api_row};

    show_list(show, answer, &list);
}

void cli_show_changed_api(struct cli_show *show, const json_t *answer)
{
    (void)answer;
    show_done(show, "Changed the API", show->args->argument);
}

static void put_affected(struct cli_show *show, const json_t *answer, const char *what)
{
    int64_t n = show_number(answer, "affected_keys");

    if (n)
        buf_printf(show->out, "%" PRId64 " live %s %s.\n", n, n == 1 ? "key" : "keys", what);
}

void cli_show_deleted_api(struct cli_show *show, const json_t *answer)
{
    show_done(show, "Deleted the API", show->args->argument);
    put_affected(show, answer, "refused from now on");
}

/* ---- scopes ---- */

void cli_show_new_scope(struct cli_show *show, const json_t *answer)
{
    show_done(show, "Added the scope", flag_of(show, "key"));
    show_facts(show, (const struct fact[]){
                         {"id", plain(show_text(json_object_get(answer, "scope"), "id"))}, {0}});
}

static void scope_row(struct cli_show *show, const json_t *scope, struct cell *cells)
{
    (void)show;
    cells[0] = plain(show_text(scope, "id"));
    cells[1] = plain(show_text(scope, "key"));
    cells[2] = plain(show_text(scope, "description"));
}

void cli_show_scopes(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {"scopes",
                                          "The API has no scopes yet.\n"
                                          "Add one: sallyport scopes create API --key SCOPE\n",
                                          {"ID", "SCOPE", "MEANING"},
                                          scope_row};

    show_list(show, answer, &list);
}

void cli_show_deleted_scope(struct cli_show *show, const json_t *answer)
{
    show_done(show, "Deleted the scope", show->args->argument);
    put_affected(show, answer, "without it from now on");
}

/* ---- plans ---- */

void cli_show_new_plan(struct cli_show *show, const json_t *answer)
{
    const json_t *plan = json_object_get(answer, "plan");
    str id = show_text(plan, "id");

    show_done(show, "Made the plan", show_text(plan, "name"));
    show_facts(show, (const struct fact[]){{"id", plain(id)}, {0}});
    buf_printf(show->out, "\nNext: sallyport employers set-plan ID --plan %.*s\n", STR_ARG(id));
}

/* "01a2…: read:orders; enterprise: all" */
static str apis_of_plan(struct cli_show *show, const json_t *plan)
{
    const json_t *apis = json_object_get(plan, "apis");
    str text = S("");
    json_t *api;
    size_t i;

    json_array_foreach(apis, i, api)
    {
        const json_t *scopes = json_object_get(api, "scopes");
        str id = show_text(api, "api_id");
        str named = json_is_array(scopes) ? show_joined(show, scopes) : S("all");
        text = arena_printf(show->arena, "%.*s%s%.*s: %.*s", STR_ARG(text), i ? "; " : "",
                            STR_ARG(id), STR_ARG(named));
    }
    return text;
}

static void plan_row(struct cli_show *show, const json_t *plan, struct cell *cells)
{
    int64_t max = show_number(plan, "max_keys");
    const json_t *rate = json_object_get(plan, "rate_limit");

    cells[0] = plain(show_text(plan, "id"));
    cells[1] = plain(show_text(plan, "name"));
    cells[2] = plain(max ? arena_printf(show->arena, "%" PRId64, max) : S("any"));
    cells[3] = plain(json_is_object(rate) ? arena_printf(show->arena, "%" PRId64 "/%" PRId64 "s",
                                                         show_number(rate, "requests"),
                                                         show_number(rate, "window_seconds"))
                                          : S("as ever"));
    cells[4] = plain(apis_of_plan(show, plan));
}

void cli_show_plans(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {"plans",
                                          "There are no plans: employers may have everything.\n",
                                          {"ID", "NAME", "KEYS", "LIMIT", "APIS"},
                                          plan_row};

    show_list(show, answer, &list);
}

void cli_show_deleted_plan(struct cli_show *show, const json_t *answer)
{
    (void)answer;
    show_done(show, "Deleted the plan", show->args->argument);
}

void cli_show_set_plan(struct cli_show *show, const json_t *answer)
{
    const json_t *organization = json_object_get(answer, "organization");
    str plan = show_text(organization, "plan_id");

    show_done(show, "Changed the employer", show_text(organization, "name"));
    show_facts(show, (const struct fact[]){{"plan", plain(plan.n ? plan : S("none"))}, {0}});
}
