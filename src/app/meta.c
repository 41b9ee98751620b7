/* Health, version, the contract, and a page for each error. */
#include "app/meta.h"

#include "app/embedded.h"
#include "app/explain.h"
#include "decide/version.h"
#include "http/reply.h"
#include "store/store.h"
#include "stream/stream.h"

static enum err get_health(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("status"), S("ok"));
    json_close_object(&j);
    return E_OK;
}

/* A node that has lost the stream is ready as long as the store answers: it asks more often. */
static void write_stream(struct json_out *j, const struct stream_state *stream)
{
    json_open_object(j, S("changeStream"));
    json_put_text(j, S("status"), stream->is_current ? S("current") : S("lost"));
    json_put_int(j, S("silenceMilliseconds"), stream->silence_ms);
    json_close_object(j);
}

static enum err get_ready(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)req;
    TRY(store_check(cx));
    struct stream_state stream = stream_state();
    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("status"), S("ready"));
    if (stream.is_running)
        write_stream(&j, &stream);
    json_close_object(&j);
    return E_OK;
}

static void write_version(struct json_out *j, const struct api_version *version)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("version"), version->canonical);
    json_open_array(j, S("aliases"));
    json_put_text(j, STR_NONE, version->alias);
    json_close_array(j);
    json_put_text(j, S("status"), S("active"));
    json_close_object(j);
}

static enum err get_version(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("current"), S(API_VERSION_NEWEST));
    json_open_array(&j, S("supportedVersions"));
    for (size_t i = 0; i < n_api_versions; i++) {
        json_put_text(&j, STR_NONE, api_versions[i].canonical);
        json_put_text(&j, STR_NONE, api_versions[i].alias);
    }
    json_close_array(&j);
    json_open_array(&j, S("versions"));
    for (size_t i = 0; i < n_api_versions; i++)
        write_version(&j, &api_versions[i]);
    json_close_array(&j);
    json_open_object(&j, S("server"));
    json_put_text(&j, S("name"), S("sallyport"));
    json_put_text(&j, S("version"), S(SALLYPORT_VERSION));
    json_close_object(&j);
    json_close_object(&j);
    return E_OK;
}

static enum err get_openapi(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    out->status = 200;
    out->content_type = S("application/json");
    out->static_body = (str){(const char *)embedded_openapi, embedded_openapi_bytes};
    http_reply_field(out, S("cache-control"), S("public, max-age=300"));
    return E_OK;
}

static enum err get_error(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    const struct err_info *info = err_find(req->params[0]);

    if (!info)
        return fail(cx, E_NOT_FOUND, "There is no error of that code.");
    out->status = 200;
    out->content_type = S("text/plain; charset=utf-8");
    explain_error(&out->body, info);
    return E_OK;
}

const struct route meta_routes[] = {
    {HTTP_GET, "/healthz", OPEN, get_health, .is_instant = true},
    {HTTP_GET, "/readyz", OPEN, get_ready},
    {HTTP_GET, "/api/version", OPEN, get_version, .is_instant = true},
    {HTTP_GET, "/api/openapi", OPEN, get_openapi, .is_instant = true},
    {HTTP_GET, "/docs/errors/{code}", OPEN, get_error, .is_instant = true},
    {0},
};
