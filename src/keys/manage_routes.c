/* Keys under /api/v1/api_keys: JSON in, op, JSON out. */
#include <stdio.h>

#include "base/banned.h"
#include "http/reply.h"
#include "keys/manage.h"
#include "keys/manage_import.h"
#include "keys/report.h"
#include "keys/verify.h"

enum { IMPORT_BODY_MAX_BYTES = 16 * 1024 * 1024 };

static void write_head(struct json_out *j, str code, str message)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("code"), code);
    json_put_text(j, S("message"), message);
}

/* A change of a key: what it was called, and the secret if there is a new one. */
struct changed {
    str code, message;
    const struct key *key;
    const struct secret *raw; /* or NULL */
};

static void write_changed(struct cx *cx, struct json_out *j, const void *what)
{
    const struct changed *changed = what;

    (void)cx;
    write_head(j, changed->code, changed->message);
    json_open_object(j, S("api_key"));
    json_put_text(j, S("id"), changed->key->id);
    if (changed->raw)
        json_put_secret(j, S("key"), changed->raw);
    json_close_object(j);
    json_close_object(j);
}

static void write_done(struct cx *cx, struct json_out *j, const void *what)
{
    (void)cx;
    (void)what;
    write_head(j, S("OK"), S("Success"));
    json_close_object(j);
}

static enum err post_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret raw = {0};
    DROP(json) json_t *body = NULL;
    struct key_order order;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    manage_read_order(&form, &order);
    TRY(form_close(&form));
    http_reply_plan(
        out, 201, write_changed,
        &(struct changed){S("API_KEY_CREATED"), S("API key created"), &order.key, &raw});
    TRY(manage_issue(cx, &order, &raw));
    return http_reply_write(cx, out);
}

static enum err get_keys(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *query = NULL;
    struct key_filter filter;
    struct key_list keys;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    manage_read_filter(&form, &filter);
    TRY(form_close(&form));
    TRY(manage_page(cx, &filter, &keys));
    struct json_out j = http_reply_json(out, 200);
    write_head(&j, S("OK"), S("Success"));
    json_put_bool(&j, S("has_more"), keys.has_more);
    json_open_array(&j, S("api_keys"));
    for (size_t i = 0; i < keys.n; i++)
        manage_write_key(cx, &j, STR_NONE, &keys.list[i], false);
    json_close_array(&j);
    json_close_object(&j);
    return E_OK;
}

static enum err get_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct key key;

    TRY(manage_get(cx, req->params[0], &key));
    struct json_out j = http_reply_json(out, 200);
    write_head(&j, S("OK"), S("Success"));
    manage_write_key(cx, &j, S("api_key"), &key, true);
    json_close_object(&j);
    return E_OK;
}

static enum err patch_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct key key = {0};

    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_changed,
                    &(struct changed){S("API_KEY_UPDATED"), S("API key updated"), &key, NULL});
    TRY(manage_change(cx, req->params[0], body, &key));
    return http_reply_write(cx, out);
}

static enum err put_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret raw = {0};
    DROP(json) json_t *body = NULL;
    int64_t overlap_s = 0;
    struct key key = {0};
    struct form form;

    if (req->body.n) {
        TRY(http_req_json(cx, req, &body));
        form_open(&form, cx, body);
        overlap_s = form_int(&form, "overlap_seconds", 0, KEY_OVERLAP_MAX_S, 0);
        TRY(form_close(&form));
    }
    http_reply_plan(out, 201, write_changed,
                    &(struct changed){S("API_KEY_ROTATED"), S("API key rotated"), &key, &raw});
    TRY(manage_rotate(cx, req->params[0], overlap_s, &key, &raw));
    return http_reply_write(cx, out);
}

static enum err delete_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    http_reply_plan(out, 200, write_done, NULL);
    TRY(manage_revoke(cx, req->params[0]));
    return http_reply_write(cx, out);
}

static void read_revocation(struct form *f, struct key_filter *out, bool *is_dry_run)
{
    *out = (struct key_filter){.employer_id = form_text(f, "org_code", 64, false),
                               .api_id = manage_read_api(f),
                               .created_before_ms = form_time(f, "created_before")};
    *is_dry_run = form_bool(f, "dry_run", false);
    if (f->n_problems == 0 && !out->employer_id.n && !out->api_id.n && !out->created_before_ms)
        form_problem(f, "org_code", "give at least one of org_code, api_id and created_before");
    if (str_is_none(out->employer_id))
        out->employer_id = S("");
}

static enum err post_revoke(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct key_filter filter;
    struct form form;
    bool is_dry_run;
    int64_t n;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    read_revocation(&form, &filter, &is_dry_run);
    TRY(form_close(&form));
    TRY(manage_revoke_all(cx, &filter, is_dry_run, &n));
    struct json_out j = http_reply_json(out, 200);
    write_head(&j, S("OK"), S("Success"));
    json_put_int(&j, S("revoked"), is_dry_run ? 0 : n);
    json_put_int(&j, S("affected"), n);
    json_put_bool(&j, S("dry_run"), is_dry_run);
    json_close_object(&j);
    return E_OK;
}

/* ---- importing ---- */

struct told_import {
    const struct order_import *lines;
    size_t n;
    bool is_dry_run;
};

static void write_imported(struct cx *cx, struct json_out *j, const void *what)
{
    const struct told_import *imported = what;

    (void)cx;
    if (imported->is_dry_run)
        write_head(j, S("OK"), S("Every line would be imported"));
    else
        write_head(j, S("API_KEYS_IMPORTED"), S("API keys imported"));
    json_put_bool(j, S("dry_run"), imported->is_dry_run);
    json_open_array(j, S("api_keys"));
    for (size_t i = 0; i < imported->n; i++) {
        str id = imported->lines[i].order.key.id;
        json_open_object(j, STR_NONE);
        json_put_int(j, S("line"), (int64_t)i);
        json_put_text(j, S("id"), imported->is_dry_run ? STR_NONE : id);
        json_close_object(j);
    }
    json_close_array(j);
    json_close_object(j);
}

static enum err post_import(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct order_import *lines;
    bool is_dry_run;
    size_t n;

    TRY(http_req_json(cx, req, &body));
    TRY(manage_import_read(cx, body, &lines, &n, &is_dry_run));
    http_reply_plan(out, is_dry_run ? 200 : 201, write_imported,
                    &(struct told_import){lines, n, is_dry_run});
    TRY(manage_import_run(cx, lines, n, is_dry_run));
    return http_reply_write(cx, out);
}

const struct route key_management_routes[] = {
    {HTTP_GET, "/api/v1/api_keys", MANAGE("read:api_keys", EMPLOYER_ADMIN), get_keys},
    {HTTP_GET, "/api/v1/api_keys/report", MANAGE("read:api_keys", EMPLOYER_ADMIN), keys_get_report},
    {HTTP_POST, "/api/v1/api_keys", MANAGE("create:api_keys", EMPLOYER_ADMIN), post_key},
    {HTTP_POST, "/api/v1/api_keys/verify", MANAGE("read:api_keys", EMPLOYER_ADMIN),
     keys_post_verify, .is_instant = true, .is_harmless_twice = true},
    {HTTP_POST, "/api/v1/api_keys/revoke", MANAGE("delete:api_keys", EMPLOYER_ADMIN), post_revoke,
     .is_harmless_twice = true},
    {HTTP_POST, "/api/v1/api_keys/import", MANAGE("create:api_keys", EMPLOYER_ADMIN), post_import,
     .body_max_bytes = IMPORT_BODY_MAX_BYTES},
    {HTTP_GET, "/api/v1/api_keys/{keyId}", MANAGE("read:api_keys", EMPLOYER_ADMIN), get_key},
    {HTTP_PUT, "/api/v1/api_keys/{keyId}", MANAGE("update:api_keys", EMPLOYER_ADMIN), put_key},
    {HTTP_PATCH, "/api/v1/api_keys/{keyId}", MANAGE("update:api_keys", EMPLOYER_ADMIN), patch_key},
    {HTTP_DELETE, "/api/v1/api_keys/{keyId}", MANAGE("delete:api_keys", EMPLOYER_ADMIN),
     delete_key},
    {0},
};
