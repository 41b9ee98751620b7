/* The key routes of the contract: JSON in, op, JSON out. */
#include <stdio.h>

#include "base/banned.h"
#include "base/time.h"
#include "http/reply.h"
#include "keys/import.h"
#include "keys/ops.h"

enum { IMPORT_BODY_MAX_BYTES = 16 * 1024 * 1024 };

static const char KEYS_LIST = 'k';

/* The answer to a change: the key, and its secret if the change made one. */
struct answer {
    const struct key *key;
    const struct secret *raw; /* or NULL */
};

static void write_answer(struct cx *cx, struct json_out *j, const void *what)
{
    const struct answer *answer = what;

    key_write(cx, j, answer->key, answer->raw);
}

/* The address of a use since then would be a wrong answer; that of the use before is gone. */
static enum err refill_key(struct cx *cx, json_t *answer)
{
    char used_at[TIME_TEXT_BYTES];
    struct key key;

    TRY(keys_get(cx, json_text(json_object_get(answer, "id")), &key));
    time_write(key.last_used_at_ms, used_at);
    if (key.last_used_ip.n &&
        str_eq(json_text(json_object_get(answer, "lastUsedAt")), (str){used_at, sizeof used_at}))
        json_object_set_new(answer, "lastUsedIp",
                            json_stringn(key.last_used_ip.p, key.last_used_ip.n));
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

    struct json_out j = page_open(out, S("keys"));
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
    http_reply_plan(out, 201, write_answer, &(struct answer){&key, &raw});
    TRY(keys_issue(cx, &key, &raw));
    return http_reply_write(cx, out);
}

static enum err get_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct key key;

    TRY(keys_get(cx, req->params[0], &key));
    struct json_out j = http_reply_json(out, 200);
    key_write(cx, &j, &key, NULL);
    return E_OK;
}

static enum err patch_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct key key;

    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_answer, &(struct answer){&key, NULL});
    TRY(keys_change(cx, req->params[0], body, &key));
    return http_reply_write(cx, out);
}

static enum err delete_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    http_reply_plan(out, 204, NULL, NULL);
    TRY(keys_revoke(cx, req->params[0]));
    return http_reply_write(cx, out);
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
    http_reply_plan(out, 200, write_answer, &(struct answer){&key, &raw});
    TRY(keys_rotate(cx, req->params[0], overlap_s, &key, &raw));
    return http_reply_write(cx, out);
}

struct imported {
    const struct key_import *lines;
    size_t n;
};

static void write_imported(struct cx *cx, struct json_out *j, const void *what)
{
    const struct imported *imported = what;

    json_open_object(j, STR_NONE);
    json_put_int(j, S("imported"), (int64_t)imported->n);
    json_open_array(j, S("keys"));
    for (size_t i = 0; i < imported->n; i++)
        key_write(cx, j, &imported->lines[i].key, NULL);
    json_close_array(j);
    json_close_object(j);
}

static enum err post_import(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct key_import *lines;
    size_t n;

    TRY(http_req_json(cx, req, &body));
    TRY(import_read(cx, body, &lines, &n));
    http_reply_plan(out, 200, write_imported, &(struct imported){lines, n});
    TRY(import_run(cx, lines, n));
    return http_reply_write(cx, out);
}

const struct route key_routes[] = {
    {HTTP_GET, "/api/employer/api-keys", ROLE(MEMBER), get_keys},
    {HTTP_POST, "/api/employer/api-keys", ROLE(EMPLOYER_ADMIN), post_key},
    {HTTP_POST, "/api/employer/api-keys/import", ROLE(ADMIN), post_import,
     .body_max_bytes = IMPORT_BODY_MAX_BYTES},
    {HTTP_GET, "/api/employer/api-keys/{keyId}", ROLE(MEMBER), get_key},
    {HTTP_PATCH, "/api/employer/api-keys/{keyId}", ROLE(EMPLOYER_ADMIN), patch_key,
     .refill = refill_key},
    {HTTP_DELETE, "/api/employer/api-keys/{keyId}", ROLE(EMPLOYER_ADMIN), delete_key},
    {HTTP_POST, "/api/employer/api-keys/{keyId}/rotate", ROLE(EMPLOYER_ADMIN), post_rotate},
    {0},
};
