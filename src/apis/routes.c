/* /api/v1/apis and below: JSON in, op, JSON out. */
#include "apis/ops.h"
#include "apis/rules.h"
#include "http/reply.h"
#include "places/places.h"

static void write_head(struct json_out *j, str code, str message)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("code"), code);
    json_put_text(j, S("message"), message);
}

static void write_done(struct cx *cx, struct json_out *j, const void *what)
{
    (void)cx;
    (void)what;
    write_head(j, S("OK"), S("Success"));
    json_close_object(j);
}

static void write_made(struct json_out *j, str member, str id)
{
    write_head(j, S("OK"), S("Success"));
    json_open_object(j, member);
    json_put_text(j, S("id"), id);
    json_close_object(j);
    json_close_object(j);
}

/* ---- reading a request ---- */

static bool read_flag(struct form *query, const char *name)
{
    str text = json_text(form_value(query, name));

    if (!str_is_none(text) && !str_eq(text, S("true")) && !str_eq(text, S("false")))
        form_problem(query, name, "must be true or false");
    return str_eq(text, S("true"));
}

static enum err read_force(struct cx *cx, const struct http_req *req, bool *is_forced)
{
    DROP(json) json_t *query = NULL;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    *is_forced = read_flag(&form, "force");
    return form_close(&form);
}

/* The id in a path may be the audience, too. */
static str named_api(struct cx *cx, const struct http_req *req)
{
    struct api api;

    return apis_copy_named(cx->arena, req->params[0], &api) ? api.id : req->params[0];
}

static enum err find_api(struct cx *cx, const struct http_req *req, struct api *out)
{
    return apis_copy_named(cx->arena, req->params[0], out) ? E_OK : E_API_NOT_FOUND;
}

/* ---- APIs ---- */

static bool is_live(const struct api *api, size_t bit)
{
    return api->names.texts[bit].n > 0;
}

static void write_scopes(struct json_out *j, const struct api *api, bool is_whole)
{
    json_open_array(j, S("scopes"));
    for (size_t i = 0; i < api->names.n; i++) {
        if (!is_live(api, i))
            continue;
        json_open_object(j, STR_NONE);
        json_put_text(j, S("id"), api->scopes[i].id);
        json_put_text(j, S("key"), api->scopes[i].key);
        if (is_whole)
            json_put_text(j, S("description"), api->scopes[i].description);
        json_close_object(j);
    }
    json_close_array(j);
}

static void write_api(struct json_out *j, str member, const struct api *api, bool has_scopes)
{
    json_open_object(j, member);
    json_put_text(j, S("id"), api->id);
    json_put_text(j, S("name"), api->name);
    json_put_text(j, S("audience"), api->audience);
    json_put_bool(j, S("is_management_api"), api->is_management);
    json_put_bool(j, S("is_built_in"), api->is_builtin);
    json_put_text(j, S("key_prefix"), api->form.prefix);
    json_put_text(j, S("credential_header"), api->credential_field);
    places_write(j, S("places"), api->places);
    json_put_bool(j, S("holds_imported_keys"), api->holds_imported);
    json_put_time(j, S("created_on"), api->created_at_ms);
    if (has_scopes)
        write_scopes(j, api, false);
    json_close_object(j);
}

static enum err get_apis(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *query = NULL;
    struct api *list;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    str expand = json_text(form_value(&form, "expand"));
    if (!str_is_none(expand) && !str_eq(expand, S("scopes")))
        form_problem(&form, "expand", "must be scopes");
    bool has_scopes = str_eq(expand, S("scopes"));
    TRY(form_close(&form));

    size_t n = apis_list(cx->arena, &list);
    struct json_out j = http_reply_json(out, 200);
    write_head(&j, S("OK"), S("Success"));
    json_put_null(&j, S("next_token"));
    json_open_array(&j, S("apis"));
    for (size_t i = 0; i < n; i++)
        write_api(&j, STR_NONE, &list[i], has_scopes);
    json_close_array(&j);
    json_close_object(&j);
    return E_OK;
}

static void write_registered(struct cx *cx, struct json_out *j, const void *what)
{
    const struct api_row *api = what;

    (void)cx;
    write_made(j, S("api"), api->id);
}

static enum err post_api(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct api_row api;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    apis_read_draft(&form, &api);
    TRY(form_close(&form));
    http_reply_plan(out, 200, write_registered, &api);
    TRY(apis_register(cx, &api));
    return http_reply_write(cx, out);
}

static enum err get_api(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct api api;

    TRY(find_api(cx, req, &api));
    struct json_out j = http_reply_json(out, 200);
    write_head(&j, S("OK"), S("Success"));
    write_api(&j, S("api"), &api, true);
    json_close_object(&j);
    return E_OK;
}

static enum err patch_api(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct api_row api;

    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_done, NULL);
    TRY(apis_change(cx, named_api(cx, req), body, &api));
    return http_reply_write(cx, out);
}

static void write_use(struct json_out *j, const struct api_use *use)
{
    json_put_int(j, S("affected_keys"), use->n);
    json_open_array(j, S("affected_key_ids"));
    for (size_t i = 0; i < use->n_ids; i++)
        json_put_text(j, STR_NONE, use->ids[i]);
    json_close_array(j);
}

struct deleted {
    str code, message;
    const struct api_use *use;
};

static void write_deleted(struct cx *cx, struct json_out *j, const void *what)
{
    const struct deleted *deleted = what;

    (void)cx;
    write_head(j, deleted->code, deleted->message);
    write_use(j, deleted->use);
    json_close_object(j);
}

static enum err delete_api(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct api_use use = {0};
    bool is_forced;

    TRY(read_force(cx, req, &is_forced));
    http_reply_plan(out, 200, write_deleted,
                    &(struct deleted){S("API_DELETED"), S("API deleted"), &use});
    TRY(apis_delete(cx, named_api(cx, req), is_forced, &use));
    return http_reply_write(cx, out);
}

/* ---- scopes ---- */

static enum err get_scopes(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct api api;

    TRY(find_api(cx, req, &api));
    struct json_out j = http_reply_json(out, 200);
    write_head(&j, S("OK"), S("Success"));
    write_scopes(&j, &api, true);
    json_close_object(&j);
    return E_OK;
}

static void write_scope_made(struct cx *cx, struct json_out *j, const void *what)
{
    const struct scope_row *scope = what;

    (void)cx;
    write_made(j, S("scope"), scope->id);
}

static enum err post_scope(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct scope_row scope = {.api_id = named_api(cx, req)};
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    scopes_read_draft(&form, &scope);
    TRY(form_close(&form));
    http_reply_plan(out, 200, write_scope_made, &scope);
    TRY(apis_add_scope(cx, &scope));
    return http_reply_write(cx, out);
}

static enum err get_scope(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct api api;

    TRY(find_api(cx, req, &api));
    for (size_t i = 0; i < api.names.n; i++) {
        const struct api_scope *scope = &api.scopes[i];
        if (!is_live(&api, i) || !str_eq(scope->id, req->params[1]))
            continue;
        struct json_out j = http_reply_json(out, 200);
        write_head(&j, S("OK"), S("Success"));
        json_open_object(&j, S("scope"));
        json_put_text(&j, S("id"), scope->id);
        json_put_text(&j, S("key"), scope->key);
        json_put_text(&j, S("description"), scope->description);
        json_close_object(&j);
        json_close_object(&j);
        return E_OK;
    }
    return E_API_SCOPE_NOT_FOUND;
}

static enum err patch_scope(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct scope_row scope = {.api_id = named_api(cx, req), .id = req->params[1]};
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    scopes_read_patch(&form, &scope);
    TRY(form_close(&form));
    http_reply_plan(out, 200, write_done, NULL);
    TRY(apis_describe_scope(cx, &scope));
    return http_reply_write(cx, out);
}

static enum err delete_scope(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct api_use use = {0};
    bool is_forced;

    TRY(read_force(cx, req, &is_forced));
    http_reply_plan(out, 200, write_deleted, &(struct deleted){S("OK"), S("Success"), &use});
    TRY(apis_delete_scope(cx, named_api(cx, req), req->params[1], is_forced, &use));
    return http_reply_write(cx, out);
}

const struct route api_routes[] = {
    {HTTP_GET, "/api/v1/apis", MANAGE("read:apis", EMPLOYER_ADMIN), get_apis},
    {HTTP_POST, "/api/v1/apis", MANAGE("create:apis", ADMIN), post_api},
    {HTTP_GET, "/api/v1/apis/{apiId}", MANAGE("read:apis", EMPLOYER_ADMIN), get_api},
    {HTTP_PATCH, "/api/v1/apis/{apiId}", MANAGE("update:apis", ADMIN), patch_api},
    {HTTP_DELETE, "/api/v1/apis/{apiId}", MANAGE("delete:apis", ADMIN), delete_api},
    {HTTP_GET, "/api/v1/apis/{apiId}/scopes", MANAGE("read:api_scopes", EMPLOYER_ADMIN),
     get_scopes},
    {HTTP_POST, "/api/v1/apis/{apiId}/scopes", MANAGE("create:api_scopes", ADMIN), post_scope},
    {HTTP_GET, "/api/v1/apis/{apiId}/scopes/{scopeId}", MANAGE("read:api_scopes", EMPLOYER_ADMIN),
     get_scope},
    {HTTP_PATCH, "/api/v1/apis/{apiId}/scopes/{scopeId}", MANAGE("update:api_scopes", ADMIN),
     patch_scope},
    {HTTP_DELETE, "/api/v1/apis/{apiId}/scopes/{scopeId}", MANAGE("delete:api_scopes", ADMIN),
     delete_scope},
    {0},
};
