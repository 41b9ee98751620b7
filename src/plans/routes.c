/* /api/v1/plans: JSON in, op, JSON out. */
#include "base/time.h"
#include "http/reply.h"
#include "plans/ops.h"

static void write_head(struct json_out *j)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("code"), S("OK"));
    json_put_text(j, S("message"), S("Success"));
}

static void write_scopes(struct cx *cx, struct json_out *j, const struct plan_api *of)
{
    struct api api;

    if (str_eq(of->words, S("*"))) {
        json_put_text(j, S("scopes"), S("*"));
        return;
    }
    json_open_array(j, S("scopes"));
    if (apis_copy_named(cx->arena, of->api_id, &api)) {
        str names = scope_names_write(&api.names, cx->arena, api_scopes_parse(&api, of->words));
        while (names.n)
            json_put_text(j, STR_NONE, str_cut(&names, S(" ")));
    }
    json_close_array(j);
}

static void write_rate(struct json_out *j, const struct rate_policy *rate)
{
    if (rate->requests == 0) {
        json_put_null(j, S("rate_limit"));
        return;
    }
    json_open_object(j, S("rate_limit"));
    json_put_int(j, S("requests"), rate->requests);
    json_put_int(j, S("window_seconds"), rate->window_ms / SECOND_MS);
    json_close_object(j);
}

static void write_plan(struct cx *cx, struct json_out *j, str member, const struct plan *plan)
{
    json_open_object(j, member);
    json_put_text(j, S("id"), plan->id);
    json_put_text(j, S("name"), plan->name);
    if (plan->keys_max)
        json_put_int(j, S("max_keys"), plan->keys_max);
    else
        json_put_null(j, S("max_keys"));
    write_rate(j, &plan->rate);
    json_open_array(j, S("apis"));
    for (size_t i = 0; i < plan->n_apis; i++) {
        json_open_object(j, STR_NONE);
        json_put_text(j, S("api_id"), plan->apis[i].api_id);
        write_scopes(cx, j, &plan->apis[i]);
        json_close_object(j);
    }
    json_close_array(j);
    json_put_time(j, S("created_on"), plan->created_at_ms);
    json_close_object(j);
}

static void write_one(struct cx *cx, struct json_out *j, const void *what)
{
    write_head(j);
    write_plan(cx, j, S("plan"), what);
    json_close_object(j);
}

static void write_done(struct cx *cx, struct json_out *j, const void *what)
{
    (void)cx;
    (void)what;
    write_head(j);
    json_close_object(j);
}

static enum err get_plans(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct plan_list plans;

    (void)req;
    TRY(plans_get_all(cx, &plans));
    struct json_out j = http_reply_json(out, 200);
    write_head(&j);
    json_open_array(&j, S("plans"));
    for (size_t i = 0; i < plans.n; i++)
        write_plan(cx, &j, STR_NONE, &plans.list[i]);
    json_close_array(&j);
    json_close_object(&j);
    return E_OK;
}

static enum err post_plan(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct plan *plan = ARENA_NEW(cx->arena, struct plan);
    DROP(json) json_t *body = NULL;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    plans_read(&form, true, plan);
    TRY(form_close(&form));
    http_reply_plan(out, 201, write_one, plan);
    TRY(plans_add(cx, plan));
    return http_reply_write(cx, out);
}

static enum err get_plan(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct plan *plan = ARENA_NEW(cx->arena, struct plan);

    TRY(plans_get(cx, req->params[0], plan));
    struct json_out j = http_reply_json(out, 200);
    write_one(cx, &j, plan);
    return E_OK;
}

static enum err patch_plan(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct plan *plan = ARENA_NEW(cx->arena, struct plan);
    DROP(json) json_t *body = NULL;

    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_one, plan);
    TRY(plans_change(cx, req->params[0], body, plan));
    return http_reply_write(cx, out);
}

static enum err delete_plan(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    http_reply_plan(out, 200, write_done, NULL);
    TRY(plans_remove(cx, req->params[0]));
    return http_reply_write(cx, out);
}

const struct route plan_routes[] = {
    {HTTP_GET, "/api/v1/plans", MANAGE("read:plans", ADMIN), get_plans},
    {HTTP_POST, "/api/v1/plans", MANAGE("create:plans", ADMIN), post_plan},
    {HTTP_GET, "/api/v1/plans/{planId}", MANAGE("read:plans", ADMIN), get_plan},
    {HTTP_PATCH, "/api/v1/plans/{planId}", MANAGE("update:plans", ADMIN), patch_plan},
    {HTTP_DELETE, "/api/v1/plans/{planId}", MANAGE("delete:plans", ADMIN), delete_plan},
    {0},
};
