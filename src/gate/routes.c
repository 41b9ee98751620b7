/* The gate's routes: verifying keys, the tokens that let somebody ask, and the rules. */
#include "gate/dialects.h"
#include "gate/ops.h"
#include "gate/verify.h"
#include "http/reply.h"

enum { BATCH_BODY_MAX_BYTES = 4 * 1024 * 1024, RULES_BODY_MAX_BYTES = 2 * 1024 * 1024 };

static const char TOKENS_LIST = 'g';

/* ---- verifying ---- */

static enum err read_one(struct cx *cx, const struct http_req *req, struct gate_asked *out)
{
    DROP(json) json_t *body = NULL;
    struct form form;

    TRY(http_req_is_json(cx, req));
    if (gate_scan_question(req->body, out))
        return E_OK;
    TRY(json_read(cx, req->body, &body));
    form_open(&form, cx, body);
    gate_read_question(&form, out);
    return form_close(&form);
}

static enum err post_verify(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct gate_asked question = {0};
    enum err e = read_one(cx, req, &question);

    if (e == E_OK) {
        struct json_out j = http_reply_json(out, 200);
        e = gate_answer(cx, &question, &j);
    }
    gate_asked_drop(&question);
    return e;
}

/* A bad line is a problem of the whole: nothing has been counted by then. */
static enum err read_batch(struct cx *cx, const json_t *body, struct gate_asked **out, size_t *n)
{
    struct form form, row;

    form_open(&form, cx, body);
    const json_t *list = form_value(&form, "requests");
    size_t size = json_array_size(list);
    if (form.object && (size < 1 || size > GATE_BATCH_MAX))
        form_problem(&form, "requests", "must be a list of 1 to %d", GATE_BATCH_MAX);
    else
        *out = arena_array(cx->arena, size, sizeof **out);
    for (*n = 0; *out && *n < size; ++*n) {
        form_open_row(&row, &form, json_array_get(list, *n), (int64_t)*n);
        gate_read_question(&row, &(*out)[*n]);
        form_close_part(&row);
    }
    return form_close(&form);
}

static enum err answer_batch(struct cx *cx, const struct gate_asked *questions, size_t n,
                             struct http_reply *out)
{
    struct json_out j = http_reply_json(out, 200);

    json_open_object(&j, STR_NONE);
    json_open_array(&j, S("results"));
    for (size_t i = 0; i < n; i++)
        TRY(gate_answer(cx, &questions[i], &j));
    json_close_array(&j);
    json_close_object(&j);
    return E_OK;
}

static enum err post_batch(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct gate_asked *questions = NULL;
    size_t n = 0;

    TRY(http_req_json(cx, req, &body));
    enum err e = read_batch(cx, body, &questions, &n);
    if (e == E_OK)
        e = answer_batch(cx, questions, n, out);
    for (size_t i = 0; i < n; i++)
        gate_asked_drop(&questions[i]);
    return e;
}

/* ---- tokens ---- */

struct made {
    struct gate_token token;
    const struct secret *raw;
};

static void write_made(struct cx *cx, struct json_out *j, const void *what)
{
    const struct made *made = what;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), made->token.id);
    json_put_text(j, S("name"), made->token.name);
    json_put_secret(j, S("token"), made->raw);
    json_put_time(j, S("createdAt"), made->token.created_at_ms);
    json_close_object(j);
}

static enum err post_token(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret raw = {0};
    DROP(json) json_t *body = NULL;
    struct made made = {.raw = &raw};
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    made.token.name = form_text(&form, "name", GATE_TOKEN_NAME_MAX_CHARS, true);
    TRY(form_close(&form));
    http_reply_plan(out, 201, write_made, &made);
    http_reply_field(out, S("cache-control"), S("no-store"));
    TRY(gate_add_token(cx, &made.token, &raw));
    return http_reply_write(cx, out);
}

static enum err get_tokens(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct gate_token_list tokens;
    struct page page;

    TRY(page_query(cx, req, TOKENS_LIST, &page));
    TRY(gate_page_tokens(cx, page.after, page.limit, &tokens));
    struct json_out j = page_open(out, S("gateTokens"));
    for (size_t i = 0; i < tokens.n; i++) {
        json_open_object(&j, STR_NONE);
        json_put_text(&j, S("id"), tokens.list[i].id);
        json_put_text(&j, S("name"), tokens.list[i].name);
        json_put_time(&j, S("createdAt"), tokens.list[i].created_at_ms);
        json_close_object(&j);
    }
    page_close(cx, &j, TOKENS_LIST, tokens.has_more,
               tokens.n ? tokens.list[tokens.n - 1].id : STR_NONE);
    return E_OK;
}

static enum err delete_token(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    http_reply_plan(out, 204, NULL, NULL);
    TRY(gate_revoke_token(cx, req->params[0]));
    return http_reply_write(cx, out);
}

/* ---- rules ---- */

static void read_api(struct form *query, str *out)
{
    const json_t *value = form_value(query, "api");

    uint32_t number = API_ENTERPRISE;

    if (value && !apis_find_number(json_text(value), &number))
        form_problem(query, "api",
                     "must be the id or the audience of an API: GET /api/v1/apis "
                     "lists them");
    *out = apis_write_id(query->cx->arena, number);
}

static enum err read_rules_query(struct cx *cx, const struct http_req *req, str *api)
{
    DROP(json) json_t *query = NULL;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    read_api(&form, api);
    return form_close(&form);
}

static void read_rule(struct form *row, uint32_t api, struct gate_rule *out,
                      struct path_rule *compiled)
{
    struct arena *arena = row->cx->arena;
    struct scope_expr_fault fault;

    out->method = form_text(row, "method", PATH_METHOD_MAX_BYTES, true);
    out->path = form_text(row, "path", PATH_PATTERN_MAX_BYTES, true);
    const json_t *scopes = form_value(row, "scopes");
    out->scopes = scopes ? json_text(scopes) : S("");
    if (out->method.n && !path_rule_method_is_valid(out->method))
        form_problem(row, "method", "must be * or a method in capital letters, like GET");
    if (out->path.n) {
        const char *wrong = path_rule_read(arena, out->method, out->path, compiled);
        if (wrong)
            form_problem(row, "path", "%s", wrong);
        out->path = compiled->pattern;
    }
    if (str_is_none(out->scopes) || out->scopes.n > SCOPE_EXPR_MAX_BYTES)
        form_problem(row, "scopes", "must be a text of at most %d bytes", SCOPE_EXPR_MAX_BYTES);
    else if (!apis_read_needs(api, out->scopes, &compiled->needs, &fault))
        form_problem(row, "scopes", "at character %zu %.*s", fault.at + 1, STR_ARG(fault.reason));
}

static void check_is_reached(struct form *row, const struct path_rule *rules, size_t i)
{
    const struct path_rule *before = path_rules_covering(rules, i, &rules[i]);

    if (before)
        form_problem(row, "path", "is never reached: row %zu, %.*s %.*s, takes all of it before",
                     (size_t)(before - rules), STR_ARG(before->method), STR_ARG(before->pattern));
}

static enum err read_rules(struct cx *cx, const json_t *body, struct gate_rules_change *out)
{
    uint32_t api = API_ENTERPRISE;
    struct form form, row;

    if (!apis_find_number(out->api, &api))
        return E_API_NOT_FOUND;
    form_open(&form, cx, body);
    const json_t *list = form_value(&form, "rules");
    size_t n = json_array_size(list);
    if (form.object && (!json_is_array(list) || n > GATE_RULES_MAX))
        form_problem(&form, "rules", "must be a list of at most %d", GATE_RULES_MAX);
    n = n > GATE_RULES_MAX ? 0 : n;
    struct path_rule *compiled = arena_array(cx->arena, n, sizeof *compiled);
    out->rules.list = arena_array(cx->arena, n, sizeof *out->rules.list);
    for (size_t i = 0; i < n; i++) {
        struct gate_rule *rule = &out->rules.list[out->rules.n++];
        *rule = (struct gate_rule){.api = out->api, .position = (int64_t)i + 1};
        form_open_row(&row, &form, json_array_get(list, i), (int64_t)i);
        read_rule(&row, api, rule, &compiled[i]);
        if (row.n_problems)
            compiled[i] = (struct path_rule){0};
        else
            check_is_reached(&row, compiled, i);
        form_close_part(&row);
    }
    return form_close(&form);
}

static void write_rules(struct cx *cx, struct json_out *j, const void *what)
{
    const struct gate_rules_change *rules = what;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("api"), rules->api);
    json_open_array(j, S("rules"));
    for (size_t i = 0; i < rules->rules.n; i++) {
        json_open_object(j, STR_NONE);
        json_put_text(j, S("method"), rules->rules.list[i].method);
        json_put_text(j, S("path"), rules->rules.list[i].path);
        json_put_text(j, S("scopes"), rules->rules.list[i].scopes);
        json_close_object(j);
    }
    json_close_array(j);
    json_close_object(j);
}

static enum err get_rules(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct gate_rules_change rules = {0};

    TRY(read_rules_query(cx, req, &rules.api));
    TRY(gate_read_rules(cx, rules.api, &rules.rules));
    struct json_out j = http_reply_json(out, 200);
    write_rules(cx, &j, &rules);
    return E_OK;
}

static enum err put_rules(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct gate_rules_change change = {0};

    TRY(read_rules_query(cx, req, &change.api));
    TRY(http_req_json(cx, req, &body));
    TRY(read_rules(cx, body, &change));
    http_reply_plan(out, 200, write_rules, &change);
    TRY(gate_replace_rules(cx, &change));
    return http_reply_write(cx, out);
}

const struct route gate_routes[] = {
    {HTTP_POST, "/gate/verify", GATE, post_verify, .is_instant = true, .is_harmless_twice = true},
    {HTTP_POST, "/gate/verify/batch", GATE, post_batch, .body_max_bytes = BATCH_BODY_MAX_BYTES,
     .is_harmless_twice = true},
    {HTTP_POST, "/oauth2/introspect", GATE, gate_introspect, .is_instant = true,
     .is_harmless_twice = true},
    {HTTP_ANY, "/gate/nginx", GATEWAY, gate_nginx, .is_instant = true, .is_harmless_twice = true},
    {HTTP_ANY, "/gate/forward", GATEWAY, gate_forward, .is_instant = true,
     .is_harmless_twice = true},
    {HTTP_ANY, HTTP_GUARDED_PATH, GATEWAY, gate_envoy, .is_instant = true,
     .is_harmless_twice = true},
    {HTTP_GET, "/api/admin/gate-tokens", ROLE(ADMIN), get_tokens},
    {HTTP_POST, "/api/admin/gate-tokens", ROLE(ADMIN), post_token},
    {HTTP_DELETE, "/api/admin/gate-tokens/{gateTokenId}", ROLE(ADMIN), delete_token},
    {HTTP_GET, "/api/admin/gate-rules", ROLE(ADMIN), get_rules},
    {HTTP_PUT, "/api/admin/gate-rules", ROLE(ADMIN), put_rules,
     .body_max_bytes = RULES_BODY_MAX_BYTES},
    {0},
};
