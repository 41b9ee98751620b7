/* JSON replies, problem details, and the parts of requests that every route reads alike. */
#include "http/reply.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/banned.h"
#include "base/cursor.h"
#include "base/text.h"
#include "base/time.h"

/* Set at start, and once more when the port was the system's to choose. */
static const str no_url = {"", 0};
static _Atomic(const str *) public_url = &no_url;

void http_set_public_url(const str *url)
{
    atomic_store(&public_url, url);
}

str http_public_url(void)
{
    return *atomic_load(&public_url);
}

struct json_out http_reply_json(struct http_reply *out, int status)
{
    out->status = status;
    out->content_type = S("application/json");
    return (struct json_out){&out->body};
}

void http_reply_plan(struct http_reply *out, int status, http_body_writer write, const void *what)
{
    out->plan = (struct http_plan){status, write, what};
}

enum err http_reply_write(struct cx *cx, struct http_reply *out)
{
    struct http_plan plan = out->plan;

    out->plan = (struct http_plan){0};
    out->status = plan.status;
    if (plan.write) {
        struct json_out j = http_reply_json(out, plan.status);
        plan.write(cx, &j, plan.what);
    }
    return E_OK;
}

void http_reply_keep(struct cx *cx, const struct http_reply *reply, struct buf *out,
                     bool *left_secret_out)
{
    struct json_out j = {.out = out, .is_kept = true};

    if (reply->plan.write)
        reply->plan.write(cx, &j, reply->plan.what);
    *left_secret_out = j.left_secret_out;
}

void http_reply_empty(struct http_reply *out)
{
    out->status = 204;
}

static str first_of(str a, str b)
{
    return a.n ? a : b;
}

static void write_problem(const struct cx *cx, const struct http_req *req,
                          const struct err_info *info, struct json_out *j)
{
    const struct failure *failure = &cx->failure;

    json_open_object(j, STR_NONE);
    json_put_text(j, S("type"),
                  arena_printf(cx->arena, "%.*s/docs/errors/%.*s", STR_ARG(http_public_url()),
                               STR_ARG(info->code)));
    json_put_text(j, S("title"), info->message);
    json_put_int(j, S("status"), info->status);
    json_put_text(j, S("detail"), first_of(failure->detail, info->cause));
    if (req->path.n)
        json_put_text(j, S("instance"), req->path);
    json_put_text(j, S("code"), info->code);
    json_put_text(j, S("requestId"), cx->request_id);
    json_put_text(j, S("hint"), first_of(failure->hint, info->fix));
    json_put_members(j, failure->members);
    json_close_object(j);
}

str http_reply_wait(const struct cx *cx, int status, struct http_reply *out)
{
    int64_t seconds = cx->failure.retry_after_s;

    if (seconds <= 0 && (status == 503 || status == 429))
        seconds = status == 503 ? 5 : 1;
    if (seconds <= 0)
        return STR_NONE;
    str text = arena_printf(cx->arena, "%" PRId64, seconds);
    http_reply_field(out, S("retry-after"), text);
    return text;
}

void http_reply_problem(const struct cx *cx, const struct http_req *req, enum err e,
                        struct http_reply *out)
{
    const struct err_info *info = err_info(e);

    buf_clear(&out->body);
    out->static_body = STR_NONE;
    struct json_out j = http_reply_json(out, info->status);
    out->content_type = S("application/problem+json");
    write_problem(cx, req, info, &j);

    http_reply_wait(cx, info->status, out);
    /* RFC 9110 section 11.6.1: a 401 must carry a challenge; RFC 6750 section 3 for tokens. */
    if (info->status == 401)
        http_reply_field(out, S("www-authenticate"),
                         str_starts(info->code, S("TOKEN_")) || e == E_GATE_TOKEN_INVALID
                             ? S("Bearer realm=\"sallyport\", error=\"invalid_token\"")
                             : S("ApiKey realm=\"sallyport\", header=\"x-api-key\""));
}

/* "key";q=120;w=60. In every answer to a key with a limit, so without printf. */
static str rate_member(struct arena *arena, char first, int64_t a, char second, int64_t b)
{
    enum { NAME = sizeof "\"key\";" - 1, MEMBER_MAX_BYTES = NAME + 2 * (3 + STR_INT_BYTES) };
    char *text = arena_alloc(arena, MEMBER_MAX_BYTES);
    size_t n = NAME;

    memcpy(text, "\"key\";", NAME);
    text[n++] = first;
    text[n++] = '=';
    n += str_write_int(a, text + n);
    text[n++] = ';';
    text[n++] = second;
    text[n++] = '=';
    n += str_write_int(b, text + n);
    return (str){text, n};
}

void http_reply_rate(struct http_reply *out, struct arena *arena, const struct rate_verdict *rate)
{
    if (rate->limit == 0)
        return;
    http_reply_field(out, S("ratelimit-policy"),
                     rate_member(arena, 'q', rate->limit, 'w', rate->window_ms / SECOND_MS));
    http_reply_field(out, S("ratelimit"),
                     rate_member(arena, 'r', rate->remaining, 't',
                                 (rate->reset_ms + SECOND_MS - 1) / SECOND_MS));
}

enum err http_req_is_json(struct cx *cx, const struct http_req *req)
{
    str rest = http_req_field(req, S("content-type"), NULL);
    str type = str_trim(str_cut(&rest, S(";")));
    str parameter = str_trim(rest);

    cx->doing = "reading the body";
    if (!str_ieq(type, S("application/json")))
        return fail(cx, E_UNSUPPORTED_MEDIA_TYPE, "Content-Type is %s.",
                    type.n ? "not application/json" : "missing");
    if (parameter.n && !str_ieq(parameter, S("charset=utf-8")) &&
        !str_ieq(parameter, S("charset=\"utf-8\"")))
        return fail(cx, E_UNSUPPORTED_MEDIA_TYPE, "The only parameter may be charset=utf-8.");
    str coding = http_req_field(req, S("content-encoding"), NULL);
    if (coding.n && !str_ieq(coding, S("identity")))
        return fail(cx, E_UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not accepted.");
    return E_OK;
}

enum err http_req_json(struct cx *cx, const struct http_req *req, json_t **out)
{
    TRY(http_req_is_json(cx, req));
    return json_read(cx, req->body, out);
}

static enum err refuse_query(struct cx *cx, const char *parameter, const char *reason)
{
    struct form form;

    form_open_blank(&form, cx);
    form_problem(&form, parameter, "%s", reason);
    return form_close(&form);
}

enum err http_req_query_json(struct cx *cx, const struct http_req *req, json_t **out)
{
    DROP(json) json_t *query = (json_object)();
    str rest = req->query;
    str name, value;

    cx->doing = "reading the query";
    while (http_query_next(&rest, cx->arena, &name, &value)) {
        json_t *text = json_stringn(value.p ? value.p : "", value.n);
        if (!text)
            return refuse_query(cx, "?", "is not UTF-8");
        const char *key = arena_dup(cx->arena, name).p;
        if (str_has_byte(name, '\0') || json_object_get(query, key)) {
            json_decref(text);
            return refuse_query(cx, text_is_plain(name, 64) ? key : "?", "is given twice");
        }
        if (json_object_set_new(query, key, text) != 0)
            return refuse_query(cx, "?", "is not UTF-8");
    }
    *out = query;
    query = NULL;
    return E_OK;
}

void page_read(struct form *query, char list, struct page *out)
{
    uint64_t limit = PAGE_LIMIT_DEFAULT;
    const json_t *limit_value = form_value(query, "limit");
    const json_t *cursor = form_value(query, "cursor");

    if (limit_value && (!str_parse_u64(json_text(limit_value), PAGE_LIMIT_MAX, &limit) || !limit))
        form_problem(query, "limit", "must be a whole number from 1 to %d", PAGE_LIMIT_MAX);
    *out = (struct page){.limit = (int64_t)limit, .after = STR_NONE};
    if (cursor && !cursor_read(json_text(cursor), list, &out->after)) {
        form_problem(query, "cursor", "is not a cursor of this list");
        query->code = E_INVALID_CURSOR;
    }
}

enum err page_query(struct cx *cx, const struct http_req *req, char list, struct page *out)
{
    DROP(json) json_t *query = NULL;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    page_read(&form, list, out);
    out->after = arena_dup(cx->arena, out->after);
    return form_close(&form);
}

struct json_out page_open(struct http_reply *out, str member)
{
    struct json_out j = http_reply_json(out, 200);

    json_open_object(&j, STR_NONE);
    json_open_array(&j, member);
    return j;
}

void page_write_next(struct cx *cx, struct json_out *j, char list, bool has_more, str last_id)
{
    json_put_text(j, S("nextCursor"), has_more ? cursor_write(cx->arena, list, last_id) : STR_NONE);
}

void page_close(struct cx *cx, struct json_out *j, char list, bool has_more, str last_id)
{
    json_close_array(j);
    page_write_next(cx, j, list, has_more, last_id);
    json_close_object(j);
}
