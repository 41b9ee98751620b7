/* What a plan may be. */
#include <stdio.h>

#include "base/banned.h"
#include "base/time.h"
#include "plans/ops.h"

enum { NAME_MAX_CHARS = 64, KEYS_MAX = 1000000, RATE_MAX = 1000000, WINDOW_MAX_S = 86400 };

static void read_scopes(struct form *row, const struct api *api, struct plan_api *out)
{
    const json_t *list = form_value(row, "scopes");
    struct scope_set set = {0};
    char member[32];
    unsigned bit;

    out->words = S("*");
    if (!list || str_eq(json_text(list), S("*")))
        return;
    if (!json_is_array(list))
        form_problem(row, "scopes", "must be a list of scopes of the API, or \"*\" for all");
    for (size_t i = 0; i < json_array_size(list); i++) {
        snprintf(member, sizeof member, "scopes[%zu]", i);
        if (api_scopes_find(api, json_text(json_array_get(list, i)), &bit))
            set.bits |= UINT64_C(1) << bit;
        else
            form_problem(row, member, "is no scope of the API, by id or by key");
    }
    out->words = api_scopes_write(row->cx->arena, api, set);
}

static void read_api(struct form *row, const struct plan *plan, struct plan_api *out)
{
    struct api api;
    str id = form_text(row, "api_id", API_TEXT_MAX_CHARS, true);

    if (!apis_copy_named(row->cx->arena, id, &api)) {
        if (id.n)
            form_problem(row, "api_id", "is not the id of an API; GET /api/v1/apis lists them");
        form_value(row, "scopes");
        return;
    }
    for (size_t i = 0; i < plan->n_apis; i++)
        if (str_eq(plan->apis[i].api_id, api.id))
            form_problem(row, "api_id", "is there twice");
    out->api_id = api.id;
    read_scopes(row, &api, out);
}

static void read_apis(struct form *f, struct plan *plan)
{
    const json_t *list = form_value(f, "apis");
    struct form row;
    char prefix[32];

    if (!list)
        return;
    plan->n_apis = 0;
    if (!json_is_array(list) || json_array_size(list) > PLAN_APIS_MAX) {
        form_problem(f, "apis", "must be a list of at most %d", PLAN_APIS_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct plan_api api = {0};
        snprintf(prefix, sizeof prefix, "apis[%zu].", i);
        form_open_part(&row, f, json_array_get(list, i), prefix);
        read_api(&row, plan, &api);
        form_close_part(&row);
        plan->apis[plan->n_apis++] = api;
    }
}

static void read_rate(struct form *f, struct plan *plan)
{
    const json_t *value = form_value(f, "rate_limit");
    struct form part;

    if (!value)
        return;
    plan->rate = (struct rate_policy){0, 0, RATE_GCRA};
    if (json_is_null(value))
        return;
    form_open_part(&part, f, value, "rate_limit.");
    plan->rate.requests = form_int(&part, "requests", 1, RATE_MAX, 0);
    plan->rate.window_ms = form_int(&part, "window_seconds", 1, WINDOW_MAX_S, 60) * SECOND_MS;
    if (part.object && !form_has(&part, "requests"))
        form_problem(&part, "requests", "is required");
    form_close_part(&part);
}

void plans_read(struct form *f, bool is_new, struct plan *plan)
{
    const json_t *keys = form_value(f, "max_keys");

    if (is_new || form_value(f, "name"))
        plan->name = form_text(f, "name", NAME_MAX_CHARS, true);
    if (keys && json_is_null(keys))
        plan->keys_max = 0;
    else if (keys)
        plan->keys_max = form_int(f, "max_keys", 1, KEYS_MAX, 0);
    read_rate(f, plan);
    read_apis(f, plan);
}
