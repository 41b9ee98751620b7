/* The gate's routes: verifying keys, and the tokens that let somebody ask. */
#include "gate/dialects.h"
#include "gate/ops.h"
#include "gate/verify.h"
#include "http/reply.h"

enum { BATCH_BODY_MAX_BYTES = 4 * 1024 * 1024 };

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

const struct route gate_routes[] = {
    {HTTP_POST, "/gate/verify", GATE, post_verify, .is_instant = true, .is_harmless_twice = true},
    {HTTP_POST, "/gate/verify/batch", GATE, post_batch, .body_max_bytes = BATCH_BODY_MAX_BYTES,
     .is_harmless_twice = true},
    {HTTP_ANY, "/gate/nginx", GATEWAY, gate_nginx, .is_instant = true, .is_harmless_twice = true},
    {HTTP_ANY, "/gate/forward", GATEWAY, gate_forward, .is_instant = true,
     .is_harmless_twice = true},
    {HTTP_ANY, HTTP_GUARDED_PATH, GATEWAY, gate_envoy, .is_instant = true,
     .is_harmless_twice = true},
    {HTTP_GET, "/api/admin/gate-tokens", ROLE(ADMIN), get_tokens},
    {HTTP_POST, "/api/admin/gate-tokens", ROLE(ADMIN), post_token},
    {HTTP_DELETE, "/api/admin/gate-tokens/{gateTokenId}", ROLE(ADMIN), delete_token},
    {0},
};
