/* The list of keys, one key, and switching it off and on. */
#include "base/ids.h"
#include "base/json.h"
#include "base/text.h"
#include "console/api.h"
#include "console/pages.h"

enum { CURSOR_MAX_BYTES = 200 };

/* The segment of our path becomes one of the API's: so it must be one, and an id. */
enum err key_target(struct cx *cx, const struct http_req *req, const char *below, str *out)
{
    if (!id_is_shaped(req->params[0], "key"))
        return E_API_KEY_NOT_FOUND;
    *out = arena_printf(cx->arena, "/api/employer/api-keys/%.*s%s", STR_ARG(req->params[0]), below);
    return E_OK;
}

enum err key_get(struct cx *cx, const struct http_req *req, json_t **out)
{
    str target;

    TRY(key_target(cx, req, "", &target));
    return api_get(cx, req, target, out);
}

str key_path(struct arena *arena, str id, const char *below)
{
    return arena_printf(arena, PATH_API_KEYS "/%.*s%s", STR_ARG(id), below);
}

void key_write_title(struct view *p, const json_t *key)
{
    HTML(&p->h, "<strong>{}</strong> <code class=\"key\">{}…{}</code>", api_text(key, "name"),
         api_text(key, "keyPrefix"), api_text(key, "keySuffix"));
}

/* What a status means to a caller, for those who do not know our words. */
static const struct {
    str status;
    str means;
} meanings[] = {
    {S("active"), S("works")},
    {S("inactive"), S("switched off")},
    {S("revoked"), S("ended for good")},
    {S("expired"), S("its time is over")},
    {S("scheduled"), S("its time has not come")},
};

static void write_status(struct view *p, const json_t *key)
{
    str status = api_text(key, "status");

    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (str_eq(status, meanings[i].status))
            HTML(&p->h, "<span class=\"status {}\">{}</span> <span class=\"means\">{}</span>",
                 status, status, meanings[i].means);
}

static void write_scopes(struct view *p, const json_t *key)
{
    const json_t *scopes = json_object_get(key, "scopes");

    HTML(&p->h, "<ul class=\"tags\">");
    for (size_t i = 0; i < json_array_size(scopes); i++)
        HTML(&p->h, "<li>{}</li>", json_text(json_array_get(scopes, i)));
    HTML(&p->h, "</ul>");
}

/* ---- the list ---- */

static void write_row(struct view *p, const json_t *key)
{
    HTML(&p->h,
         "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\" data-label=\"Name\"><a href=\"{}\">"
         "{}</a></th><td role=\"cell\" data-label=\"Key\"><code class=\"key\">{}…{}</code></td>"
         "<td role=\"cell\" data-label=\"Status\"><span>",
         key_path(p->cx->arena, api_text(key, "id"), ""), api_text(key, "name"),
         api_text(key, "keyPrefix"), api_text(key, "keySuffix"));
    write_status(p, key);
    HTML(&p->h, "</span></td><td role=\"cell\" data-label=\"Scopes\">");
    write_scopes(p, key);
    HTML(&p->h, "</td><td role=\"cell\" data-label=\"Last use\"><span>");
    view_time(p, api_text(key, "lastUsedAt"), S("never"));
    HTML(&p->h, "</span></td><td role=\"cell\" data-label=\"Calls\" class=\"number\">{}</td></tr>",
         view_number(p, json_integer_value(json_object_get(key, "requestCount"))));
}

static void write_table(struct view *p, const json_t *keys)
{
    HTML(&p->h,
         "<table role=\"table\" class=\"cards\"><caption>API keys of your employer, the newest "
         "first</caption><thead role=\"rowgroup\"><tr role=\"row\">"
         "<th role=\"columnheader\" scope=\"col\">Name</th>"
         "<th role=\"columnheader\" scope=\"col\">Key</th>"
         "<th role=\"columnheader\" scope=\"col\">Status</th>"
         "<th role=\"columnheader\" scope=\"col\">Scopes</th>"
         "<th role=\"columnheader\" scope=\"col\">Last use</th>"
         "<th role=\"columnheader\" scope=\"col\" class=\"number\">Calls</th></tr></thead>"
         "<tbody role=\"rowgroup\">");
    for (size_t i = 0; i < json_array_size(keys); i++)
        write_row(p, json_array_get(keys, i));
    HTML(&p->h, "</tbody></table>");
}

/* What is not a cursor at all is not one of ours either, and the first page is shown. */
static str list_target(struct cx *cx, const struct http_req *req)
{
    str cursor = http_req_query(req, cx->arena, S("cursor"));

    return text_is_plain(cursor, CURSOR_MAX_BYTES)
               ? arena_printf(cx->arena, "/api/employer/api-keys?cursor=%.*s", STR_ARG(cursor))
               : S("/api/employer/api-keys");
}

enum err console_get_keys(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *answer = NULL;

    TRY(api_get(cx, req, list_target(cx, req), &answer));
    const json_t *keys = json_object_get(answer, "keys");
    str next = api_text(answer, "nextCursor");
    struct view p = view_begin(cx, req, out, 200, S("API keys"), S(PATH_API_KEYS));

    HTML(&p.h, "<p class=\"lead\">A key lets a program act for your employer. Give each program a "
               "key of its own, with no more scopes than it needs.</p>"
               "<p class=\"actions\"><a class=\"button main\" href=\"" PATH_API_KEYS "/new\">Create"
               " a key</a></p>");
    if (json_array_size(keys))
        write_table(&p, keys);
    else
        HTML(&p.h, "<p class=\"empty\">There are no keys yet.</p>");
    if (next.n)
        HTML(&p.h, "<p><a href=\"" PATH_API_KEYS "?cursor={}\">Older keys</a></p>", next);
    return view_end(&p);
}

/* ---- one key ---- */

static void write_addresses(struct view *p, const json_t *key)
{
    const json_t *cidrs = json_object_get(key, "allowedIpCidrs");

    if (json_array_size(cidrs) == 0) {
        HTML(&p->h, "any");
        return;
    }
    HTML(&p->h, "<ul class=\"tags\">");
    for (size_t i = 0; i < json_array_size(cidrs); i++)
        HTML(&p->h, "<li>{}</li>", json_text(json_array_get(cidrs, i)));
    HTML(&p->h, "</ul>");
}

static void write_rate(struct view *p, const json_t *key)
{
    const json_t *rate = json_object_get(key, "rateLimit");

    if (!json_is_object(rate)) {
        HTML(&p->h, "none");
        return;
    }
    HTML(&p->h, "{} requests in {} seconds",
         view_number(p, json_integer_value(json_object_get(rate, "requests"))),
         view_number(p, json_integer_value(json_object_get(rate, "windowSeconds"))));
}

static void write_instant(struct view *p, str label, const json_t *key, const char *member)
{
    if (str_is_none(api_text(key, member)))
        return;
    HTML(&p->h, "<div><dt>{}</dt><dd>", label);
    view_time(p, api_text(key, member), STR_NONE);
    HTML(&p->h, "</dd></div>");
}

static void write_facts(struct view *p, const json_t *key)
{
    HTML(&p->h, "<dl class=\"facts card\"><div><dt>Status</dt><dd>");
    write_status(p, key);
    HTML(&p->h, "</dd></div><div><dt>Scopes</dt><dd>");
    write_scopes(p, key);
    HTML(&p->h, "</dd></div><div><dt>Addresses it may be used from</dt><dd>");
    write_addresses(p, key);
    HTML(&p->h, "</dd></div><div><dt>Rate limit</dt><dd>");
    write_rate(p, key);
    HTML(&p->h, "</dd></div><div><dt>Expires</dt><dd>");
    view_time(p, api_text(key, "expiresAt"), S("never"));
    HTML(&p->h, "</dd></div>");
    write_instant(p, S("Valid from"), key, "notBefore");
    HTML(&p->h, "<div><dt>Last use</dt><dd>");
    view_time(p, api_text(key, "lastUsedAt"), S("never"));
    if (api_text(key, "lastUsedIp").n)
        HTML(&p->h, " from <code>{}</code>", api_text(key, "lastUsedIp"));
    HTML(&p->h, "</dd></div><div><dt>Calls</dt><dd>{}</dd></div>",
         view_number(p, json_integer_value(json_object_get(key, "requestCount"))));
    write_instant(p, S("Created"), key, "createdAt");
    write_instant(p, S("Rotated"), key, "rotatedAt");
    write_instant(p, S("The former key works until"), key, "previousSecretEndsAt");
    write_instant(p, S("Revoked"), key, "revokedAt");
    HTML(&p->h, "<div><dt>Id</dt><dd><code>{}</code></dd></div></dl>", api_text(key, "id"));
}

static bool has_status(const json_t *key, const char *status)
{
    return str_eq(api_text(key, "status"), str_of(status));
}

static void write_actions(struct view *p, const json_t *key)
{
    struct arena *arena = p->cx->arena;
    str id = api_text(key, "id");
    bool is_off = has_status(key, "inactive");

    HTML(&p->h, "<section aria-labelledby=\"actions\"><h2 id=\"actions\">Change this key</h2>");
    if (has_status(key, "revoked")) {
        HTML(&p->h, "<p>A revoked key can be neither changed nor rotated. Its refusals are below."
                    "</p></section>");
        return;
    }
    HTML(&p->h, "<div class=\"actions\"><a class=\"button\" href=\"{}\">Rotate…</a>",
         key_path(arena, id, "/rotate"));
    view_form(p, key_path(arena, id, "/status"));
    if (is_off)
        HTML(&p->h, "<button name=\"status\" value=\"active\">Switch on</button></form>");
    else
        HTML(&p->h, "<button name=\"status\" value=\"inactive\">Switch off</button></form>");
    HTML(&p->h, "<a class=\"button danger\" href=\"{}\">Revoke…</a></div></section>",
         key_path(arena, id, "/revoke"));
}

enum err console_get_key(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *key = NULL;

    TRY(key_get(cx, req, &key));
    struct view p = view_begin(cx, req, out, 200, api_text(key, "name"), S(PATH_API_KEYS));

    view_notice(&p, api_text(key, "status"));
    HTML(&p.h, "<p class=\"lead\"><code class=\"key\">{}…{}</code></p>", api_text(key, "keyPrefix"),
         api_text(key, "keySuffix"));
    write_facts(&p, key);
    write_actions(&p, key);
    HTML(&p.h, "<section aria-labelledby=\"refusals\"><h2 id=\"refusals\">Last refusals</h2>");
    TRY(refusals_write(&p, api_text(key, "id")));
    HTML(&p.h, "</section>");
    return view_end(&p);
}

enum err console_post_status(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *patch = (json_object)();
    DROP(json) json_t *answer = NULL;
    struct urlencoded form;
    str target;

    TRY(view_read_form(cx, req, STR_NONE, &form));
    TRY(key_target(cx, req, "", &target));
    str status = urlencoded_value(&form, S("status"));
    bool is_on = str_eq(status, S("active"));
    json_object_set_new(patch, "status", json_stringn(status.n ? status.p : "", status.n));
    TRY(api_run(
        cx,
        &(struct api_call){
            .method = HTTP_PATCH, .target = target, .body = patch, .once = STR_NONE, .of = req},
        NULL, &answer));
    return view_redirect(
        out, key_path(cx->arena, req->params[0], is_on ? "?done=enabled" : "?done=disabled"));
}
