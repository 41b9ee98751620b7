/* The key routes of the contract: JSON in, op, JSON out. */
#include <stdio.h>

#include "base/banned.h"
#include "http/reply.h"
#include "keys/import.h"
#include "keys/ops.h"

enum { IMPORT_BODY_MAX_BYTES = 16 * 1024 * 1024 };

static const char KEYS_LIST = 'k';

static enum err write_one(struct cx *cx, int status, const struct key *key,
                          const struct secret *raw, struct http_reply *out)
{
    struct json_out j = http_reply_json(out, status);

    key_write(cx, &j, key, raw);
    return E_OK;
}

static void write_scopes(struct json_out *j)
{
    json_open_array(j, S("availableScopes"));
    for (enum scope s = 0; s < SCOPES_END; s++) {
        json_open_object(j, STR_NONE);
        json_put_text(j, S("scope"), scope_text(s));
        json_put_text(j, S("description"), scope_grants(s));
        json_close_object(j);
    }
    json_close_array(j);
}

static enum err get_keys(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct key_list keys;
    struct page page;

    TRY(page_query(cx, req, KEYS_LIST, &page));
    TRY(keys_page(cx, page.after, page.limit, &keys));

    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_open_array(&j, S("keys"));
    for (size_t i = 0; i < keys.n; i++)
        key_write(cx, &j, &keys.list[i], NULL);
    json_close_array(&j);
    write_scopes(&j);
    page_write_next(cx, &j, KEYS_LIST, keys.has_more, keys.n ? keys.list[keys.n - 1].id : STR_NONE);
    json_close_object(&j);
    return E_OK;
}

static enum err post_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret raw = {0};
    DROP(json) json_t *body = NULL;
    struct form form;
    struct key key;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    key_read_draft(&form, cx->now_ms, &key);
    TRY(form_close(&form));
    TRY(keys_issue(cx, &key, &raw));
    return write_one(cx, 201, &key, &raw, out);
}

static enum err get_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct key key;

    TRY(keys_get(cx, req->params[0], &key));
    return write_one(cx, 200, &key, NULL, out);
}

static enum err patch_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct key key;

    TRY(http_req_json(cx, req, &body));
    TRY(keys_change(cx, req->params[0], body, &key));
    return write_one(cx, 200, &key, NULL, out);
}

static enum err delete_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    TRY(keys_revoke(cx, req->params[0]));
    http_reply_empty(out);
    return E_OK;
}

static enum err post_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret raw = {0};
    DROP(json) json_t *body = NULL;
    int64_t overlap_s = KEY_OVERLAP_S;
    struct form form;
    struct key key;

    if (req->body.n) {
        TRY(http_req_json(cx, req, &body));
        form_open(&form, cx, body);
        overlap_s = form_int(&form, "overlapSeconds", 0, KEY_OVERLAP_MAX_S, KEY_OVERLAP_S);
        TRY(form_close(&form));
    }
    TRY(keys_rotate(cx, req->params[0], overlap_s, &key, &raw));
    return write_one(cx, 200, &key, &raw, out);
}

static enum err post_import(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct key_import *lines;
    size_t n;

    TRY(http_req_json(cx, req, &body));
    TRY(import_read(cx, body, &lines, &n));
    TRY(import_run(cx, lines, n));

    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_put_int(&j, S("imported"), (int64_t)n);
    json_open_array(&j, S("keys"));
    for (size_t i = 0; i < n; i++)
        key_write(cx, &j, &lines[i].key, NULL);
    json_close_array(&j);
    json_close_object(&j);
    return E_OK;
}

const struct route key_routes[] = {
    {HTTP_GET, "/api/employer/api-keys", ROLE(MEMBER), get_keys},
    {HTTP_POST, "/api/employer/api-keys", ROLE(EMPLOYER_ADMIN), post_key},
    {HTTP_POST, "/api/employer/api-keys/import", ROLE(ADMIN), post_import,
     .body_max_bytes = IMPORT_BODY_MAX_BYTES},
    {HTTP_GET, "/api/employer/api-keys/{keyId}", ROLE(MEMBER), get_key},
    {HTTP_PATCH, "/api/employer/api-keys/{keyId}", ROLE(EMPLOYER_ADMIN), patch_key},
    {HTTP_DELETE, "/api/employer/api-keys/{keyId}", ROLE(EMPLOYER_ADMIN), delete_key},
    {HTTP_POST, "/api/employer/api-keys/{keyId}/rotate", ROLE(EMPLOYER_ADMIN), post_rotate},
    {0},
};
