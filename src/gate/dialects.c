/*
 * Gateways' dialects: where each of them puts the request it asks about, and which answers it can
 * hand on to its client. docs/gate.md is what operators read.
 */
#include "gate/dialects.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/rcu.h"
#include "gate/counts.h"
#include "gate/gateways.h"
#include "gate/judge.h"
#include "http/reply.h"

enum {
    /* With the other fields it must fit into nginx's proxy_buffer_size, of which 4 KiB is the least
     * (ngx_http_proxy_module: "either 4K or 8K"). */
    AUTH_BODY_MAX_BYTES = 3072,
};

struct dialect {
    enum gate_dialect name;
    str path;
    str method_field; /* of the guarded request; STR_NONE: it is the method of the question */
    str target_field; /* STR_NONE: it is what follows the path */
    str client_field;
    bool client_is_list; /* each proxy has added to it */
    bool has_settings;   /* in the query of the question; where that is the guarded one's: none */
    bool says_401_or_403_only;
    bool is_oauth; /* its errors are those of RFC 6749 */
};

static const struct dialect nginx = {
    .name = GATE_NGINX,
    .path = S("/gate/nginx"),
    .method_field = S("x-original-method"),
    .target_field = S("x-original-uri"),
    .client_field = S("x-real-ip"),
    .has_settings = true,
    .says_401_or_403_only = true,
};

static const struct dialect forward = {
    .name = GATE_FORWARD,
    .path = S("/gate/forward"),
    .method_field = S("x-forwarded-method"),
    .target_field = S("x-forwarded-uri"),
    .client_field = S("x-forwarded-for"),
    .client_is_list = true,
    .has_settings = true,
};

static const struct dialect envoy = {
    .name = GATE_ENVOY,
    .path = S(HTTP_GUARDED_PATH),
    .client_field = S("x-forwarded-for"),
    .client_is_list = true,
};

/* Its question is read in introspect.c; its errors are written here. */
static const struct dialect introspect = {
    .name = GATE_INTROSPECT,
    .path = S("/oauth2/introspect"),
    .is_oauth = true,
};

static const struct dialect *const dialects[] = {&nginx, &forward, &envoy, &introspect};

static const struct dialect *dialect_of(str path)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (str_eq(dialects[i]->path, path))
            return dialects[i];
    return NULL;
}

bool gate_owns(str path)
{
    return dialect_of(path) != NULL;
}

/* ---- the question ---- */

static enum err unclear(struct cx *cx, str field, const char *what)
{
    fail_hint(cx, "Tell the operator of the gateway; docs/gateways has settings that are right.");
    return fail(cx, E_GATE_QUESTION_INVALID, "%.*s %s.", STR_ARG(field), what);
}

/* A gateway that adds its field to the client's own, in place of replacing it, lets the client
 * choose. */
static enum err read_field(struct cx *cx, const struct http_req *req, str name, str *out)
{
    int n = 0;

    *out = str_is_none(name) ? STR_NONE : http_req_field(req, name, &n);
    return n > 1 ? unclear(cx, name, "is there twice") : E_OK;
}

static enum err read_client(struct cx *cx, const struct http_req *req, const struct dialect *d,
                            struct net_addr *out)
{
    const struct gate_settings *settings = gate_settings();
    str text;

    TRY(read_field(cx, req, d->client_field, &text));
    if (d->client_is_list)
        *out = net_forwarded_addr(settings->proxies, settings->n_proxies, text);
    else if (text.n && !net_addr_parse(text, out))
        return unclear(cx, d->client_field, "is no address");
    return E_OK;
}

static enum err read_request(struct cx *cx, const struct http_req *req, const struct dialect *d,
                             struct gate_question *out)
{
    if (str_is_none(d->target_field)) {
        out->method = req->method_name;
        out->target = req->guarded;
        return E_OK;
    }
    TRY(read_field(cx, req, d->method_field, &out->method));
    return read_field(cx, req, d->target_field, &out->target);
}

static enum err read_cost(struct cx *cx, str value, struct gate_question *out)
{
    uint64_t cost;

    if (out->cost)
        return unclear(cx, S("cost"), "is there twice");
    if (!str_parse_u64(value, GATE_COST_MAX, &cost) || cost == 0)
        return unclear(cx, S("cost"), "is not a whole number from 1 to 1000000");
    out->cost = (int64_t)cost;
    return E_OK;
}

/* What they mean depends on the API. */
static enum err read_scopes(struct cx *cx, str text, struct gate_question *out)
{
    struct scope_expr_fault fault;

    if (str_is_none(text) || apis_read_needs(out->api, text, &out->needs, &fault))
        return E_OK;
    return unclear(cx, S("scopes"), "is not an expression of scopes");
}

static enum err keep_scopes(struct cx *cx, str value, str *out)
{
    if (out->n)
        return unclear(cx, S("scopes"), "is there twice");
    *out = value;
    return E_OK;
}

static enum err read_api(struct cx *cx, str value, struct gate_question *out)
{
    if (out->api != API_ENTERPRISE)
        return unclear(cx, S("api"), "is there twice");
    return apis_find_number(value, &out->api) ? E_OK
                                              : unclear(cx, S("api"), "is none of this server's");
}

static enum err read_setting(struct cx *cx, str name, str value, str *scopes,
                             struct gate_question *out)
{
    if (str_eq(name, S("scopes")))
        return keep_scopes(cx, value, scopes);
    if (str_eq(name, S("api")))
        return read_api(cx, value, out);
    if (str_eq(name, S("cost")))
        return read_cost(cx, value, out);
    return unclear(cx, S("The query"), "holds something other than scopes, api and cost");
}

/* Only the gateway's own configuration writes this query. */
static enum err read_settings(struct cx *cx, const struct http_req *req, struct gate_question *out)
{
    str rest = req->query, scopes = STR_NONE;
    str name, value;

    while (http_query_next(&rest, cx->arena, &name, &value))
        TRY(read_setting(cx, name, value, &scopes, out));
    return read_scopes(cx, scopes, out);
}

/* Where keys of the API are carried. */
static str credential_field(struct cx *cx, const struct gate_question *question)
{
    str field = S("");

    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(question->api);
    if (api)
        field = arena_dup(cx->arena, api->credential_field);
    rcu_leave();
    return field;
}

/* RFC 6750 section 2.1. Another scheme is none of ours: the key is missing then. */
static void read_bearer(const struct http_req *req, struct secret *own, struct gate_question *out)
{
    str text = secret_reveal(&req->authorization);
    str scheme = str_cut(&text, S(" "));

    if (str_ieq(scheme, S("Bearer")) && text.n && secret_set(own, text))
        out->key = own;
}

static void read_credential(struct cx *cx, const struct http_req *req, struct secret *own,
                            struct gate_question *out)
{
    str field = out->api == API_ENTERPRISE ? S("x-api-key") : credential_field(cx, out);
    int count = 0;

    if (str_eq(field, S("x-api-key"))) {
        out->key = req->n_api_keys ? &req->api_key : NULL;
        out->is_key_twice = req->n_api_keys > 1;
    } else if (str_eq(field, S("authorization"))) {
        read_bearer(req, own, out);
    } else {
        str value = http_req_field(req, field, &count);
        if (count > 0 && secret_set(own, value))
            out->key = own;
        out->is_key_twice = count > 1;
    }
}

static enum err read_question(struct cx *cx, const struct http_req *req, const struct dialect *d,
                              struct secret *own, struct gate_question *out)
{
    *out = (struct gate_question){
        .dialect = d->name,
        .needs_request = true,
    };
    TRY(read_request(cx, req, d, out));
    TRY(read_client(cx, req, d, &out->client));
    if (d->has_settings)
        TRY(read_settings(cx, req, out));
    if (out->cost == 0)
        out->cost = 1;
    read_credential(cx, req, own, out);
    return E_OK;
}

/* ---- the answer ---- */

static bool is_ascii(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0x80)
            return false;
    return true;
}

/* RFC 8259 section 7: what is beyond ASCII stands inside texts, and can be escaped there. */
static str in_ascii(struct arena *arena, str json)
{
    DROP(json) json_t *value = NULL;

    if (is_ascii(json))
        return arena_dup(arena, json);
    value = json_loadb(json.p, json.n, 0, NULL);
    size_t n = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);
    char *p = arena_alloc(arena, n);
    json_dumpb(value, p, n, JSON_COMPACT | JSON_ENSURE_ASCII);
    return (str){p, n};
}

static str brief_body(const struct cx *told, const struct err_info *info)
{
    DROP(buf) struct buf out;
    struct json_out j = {&out};

    buf_init(&out, AUTH_BODY_MAX_BYTES);
    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("title"), info->message);
    json_put_int(&j, S("status"), info->status);
    json_put_text(&j, S("code"), info->code);
    json_put_text(&j, S("requestId"), told->request_id);
    json_close_object(&j);
    return arena_dup(told->arena, buf_str(&out));
}

/* What is of this call alone may be long: lists of scopes, or a hint that names rules. */
static str body_of_field(const struct cx *told, const struct err_info *info, str whole)
{
    str body = in_ascii(told->arena, whole);

    return body.n <= AUTH_BODY_MAX_BYTES ? body : brief_body(told, info);
}

/* auth_request drops the answer's body, and takes any status but these for an error of its own. */
static void move_into_fields(const struct cx *told, const struct err_info *info,
                             struct http_reply *out)
{
    http_reply_field(out, S("x-auth-body"), body_of_field(told, info, buf_str(&out->body)));
    buf_clear(&out->body);
    out->content_type = STR_NONE;
    out->status = info->status == 401 ? 401 : 403;
}

/* Kept answers would outlive the key. */
static void forbid_keeping(struct http_reply *out)
{
    http_reply_field(out, S("cache-control"), S("no-store"));
}

/* RFC 6749 section 5.2: no quotation mark, no backslash, nothing beyond ASCII. */
static str description_of(struct arena *arena, str text)
{
    char *p = arena_alloc(arena, text.n);

    for (size_t i = 0; i < text.n; i++) {
        bool is_plain = text.p[i] >= ' ' && text.p[i] <= '~';
        p[i] = text.p[i] == '"' || text.p[i] == '\\' ? '\'' : is_plain ? text.p[i] : '.';
    }
    return (str){p, text.n};
}

static str oauth_error(int status)
{
    if (status == 401)
        return S("invalid_client");
    if (status == 503)
        return S("temporarily_unavailable");
    return status >= 500 ? S("server_error") : S("invalid_request");
}

static void move_into_oauth(const struct cx *told, const struct err_info *info,
                            struct http_reply *out)
{
    str detail = told->failure.detail.n ? told->failure.detail : info->cause;

    buf_clear(&out->body);
    struct json_out j = http_reply_json(out, info->status);
    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("error"), oauth_error(info->status));
    json_put_text(&j, S("error_description"), description_of(told->arena, detail));
    json_close_object(&j);
}

static void refuse(const struct cx *told, const struct dialect *d, enum err e,
                   struct http_reply *out)
{
    const struct err_info *info = err_info(e);
    /* Its client knows the guarded request, and nothing of this one. */
    const struct http_req unnamed = {.path = STR_NONE};

    http_reply_problem(told, &unnamed, e, out);
    forbid_keeping(out);
    if (d->is_oauth) {
        move_into_oauth(told, info, out);
        return;
    }
    char status[STR_INT_BYTES];
    size_t n = str_write_int(info->status, status);
    http_reply_field(out, S("x-auth-status"), arena_dup(told->arena, (str){status, n}));
    http_reply_field(out, S("x-auth-code"), info->code);
    if (d->says_401_or_403_only)
        move_into_fields(told, info, out);
}

static void name_rule(const struct gate_verdict *verdict, struct http_reply *out)
{
    if (!str_is_none(verdict->ruling.rule))
        http_reply_field(out, S("x-auth-rule"), verdict->ruling.rule);
}

static void allow(struct cx *cx, const struct keys_answer *answer, struct http_reply *out)
{
    out->status = 200;
    forbid_keeping(out);
    http_reply_field(out, S("x-auth-key-id"), answer->who.id);
    http_reply_field(out, S("x-auth-employer-id"), answer->who.employer_id);
    /* Always there: Caddy puts the name of a field that is not in its place. */
    http_reply_field(out, S("x-auth-user-id"), answer->person_id.n ? answer->person_id : S(""));
    http_reply_field(out, S("x-auth-scopes"),
                     apis_write_scopes(cx->arena, answer->key.api, answer->key.scopes));
}

static void tell(struct cx *cx, const struct dialect *d, const struct gate_verdict *verdict,
                 struct http_reply *out)
{
    struct cx told;

    if (verdict->answer.verdict.code == E_OK) {
        allow(cx, &verdict->answer, out);
    } else {
        gate_explain(cx, verdict, &told);
        refuse(&told, d, verdict->answer.verdict.code, out);
    }
    name_rule(verdict, out);
    http_reply_rate(out, cx->arena, &verdict->answer.verdict.rate);
}

static enum err answer(struct cx *cx, const struct http_req *req, const struct dialect *d,
                       struct http_reply *out)
{
    DROP(secret) struct secret own = {0}; /* a key that is in no field of keys */
    struct gate_question question;
    struct gate_verdict verdict;

    enum err e = read_question(cx, req, d, &own, &question);
    if (e == E_OK)
        e = gate_decide(cx, &question, &verdict);
    if (e == E_OK)
        tell(cx, d, &verdict, out);
    return e; /* by way of gate_refuse */
}

void gate_refuse(const struct cx *cx, const struct http_req *req, enum err e,
                 struct http_reply *out)
{
    const struct dialect *d = dialect_of(req->path);

    gate_count(d->name, e);
    refuse(cx, d, e, out);
}

enum err gate_nginx(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    return answer(cx, req, &nginx, out);
}

enum err gate_forward(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    return answer(cx, req, &forward, out);
}

enum err gate_envoy(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    return answer(cx, req, &envoy, out);
}
