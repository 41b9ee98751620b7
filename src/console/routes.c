/* The table of the pages, their files, and their dialect: what a refusal looks like here. */
#include "console/console.h"

#include <inttypes.h>

#include "base/json.h"
#include "console/api.h"
#include "console/embedded.h"
#include "console/pages.h"
#include "decide/principal.h"

/* ---- files ---- */

static enum err send_file(struct http_reply *out, str type, const unsigned char *bytes, size_t n)
{
    out->status = 200;
    out->content_type = type;
    out->static_body = (str){(const char *)bytes, n};
    http_reply_field(out, S("x-content-type-options"), S("nosniff"));
    http_reply_field(out, S("cross-origin-resource-policy"), S("same-origin"));
    http_reply_field(out, S("cache-control"), S("public, max-age=300"));
    return E_OK;
}

static enum err get_css(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    return send_file(out, S("text/css; charset=utf-8"), embedded_console_css,
                     embedded_console_css_bytes);
}

static enum err get_js(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    return send_file(out, S("text/javascript; charset=utf-8"), embedded_console_js,
                     embedded_console_js_bytes);
}

static enum err get_icon(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    return send_file(out, S("image/svg+xml"), embedded_console_icon, embedded_console_icon_bytes);
}

static enum err get_root(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    return view_redirect(out, S(PATH_API_KEYS));
}

/* ---- refusals ---- */

bool console_owns(str path)
{
    return str_eq(path, S("/")) || str_eq(path, S("/employer")) ||
           str_starts(path, S("/employer/")) || str_eq(path, S(PATH_SIGN_IN)) ||
           str_eq(path, S("/sign-out")) || str_eq(path, S(PATH_RESET)) ||
           str_eq(path, S(PATH_ACCOUNT)) || str_starts(path, S(PATH_ACCOUNT "/")) ||
           str_starts(path, S("/assets/"));
}

static bool needs_sign_in(enum err e)
{
    return e == E_MISSING_CREDENTIALS || e == E_SESSION_INVALID || e == E_SESSION_REQUIRED;
}

/* Where to go on: the key that a form sent twice has made, or the list. */
static void write_ways_on(struct view *p)
{
    DROP(json) json_t *members = NULL;
    struct cx reading = {.arena = p->cx->arena};
    str text = arena_printf(p->cx->arena, "{%.*s}", STR_ARG(p->cx->failure.members));

    IGNORE_ERR(json_read(&reading, text, &members));
    HTML(&p->h, "<p class=\"actions\">");
    if (api_text(members, "resourceId").n)
        HTML(&p->h, "<a class=\"button\" href=\"{}\">To the key</a> ",
             key_path(p->cx->arena, api_text(members, "resourceId"), ""));
    HTML(&p->h, "<a class=\"button\" href=\"" PATH_API_KEYS "\">All keys</a></p>");
}

/* The table's words are for those who write programs; these two a person meets by a link. */
static void say_it_plainly(struct cx *cx, enum err e)
{
    if (e == E_NOT_FOUND && str_is_none(cx->failure.detail)) {
        cx->failure.detail = S("There is no page of this name.");
        cx->failure.hint = S("Go on from the list of keys.");
    } else if (e == E_API_KEY_NOT_FOUND) {
        cx->failure.hint = S("Look for it in the list of keys.");
    }
}

/* Signed in, and not allowed to: said as what it is, with the way out. */
static void write_role(struct view *p)
{
    HTML(&p->h,
         "<p class=\"lead\">You are signed in as <strong>{}</strong> with the role "
         "<strong>{}</strong>. API keys are managed by people with the role "
         "<strong>EMPLOYER_ADMIN</strong>.</p><h2>What to do</h2><ul><li>Ask an employer admin to "
         "make the key for you, or to have your role changed.</li><li>If you have another account, "
         "sign out and sign in with that one.</li></ul>",
         p->cx->who->email, role_text(p->cx->who->role));
}

static void write_refusal(struct cx *cx, const struct http_req *req, enum err e,
                          struct http_reply *out)
{
    const struct err_info *info = err_info(e);
    bool is_role = e == E_INSUFFICIENT_ROLE && cx->who;

    say_it_plainly(cx, e);
    struct view p = view_begin(cx, req, out, info->status,
                               is_role ? S("Your role is not enough") : info->message, STR_NONE);

    if (is_role)
        write_role(&p);
    view_problem(&p, e);
    if (!is_role)
        write_ways_on(&p);
    IGNORE_ERR(view_end(&p));
}

void console_refuse(struct cx *cx, const struct http_req *req, enum err e, struct http_reply *out)
{
    bool is_written = out->status == err_info(e)->status && out->body.n > 0;

    if (!is_written && needs_sign_in(e)) {
        IGNORE_ERR(console_ask_to_sign_in(cx, req, out));
        return;
    }
    if (!is_written) {
        bool closes = out->closes;
        http_reply_clear(out);
        out->closes = closes;
        write_refusal(cx, req, e, out);
    }
    if (cx->failure.retry_after_s > 0)
        http_reply_field(out, S("retry-after"),
                         arena_printf(cx->arena, "%" PRId64, cx->failure.retry_after_s));
}

/*
 * A POST makes its own use of idempotency, with the nonce of its form, when it runs the API's
 * route; a field of the browser's has no place here.
 */
#define PAGE(pattern, handler)                                                                     \
    {                                                                                              \
        HTTP_GET, pattern, ROLE(EMPLOYER_ADMIN), handler                                           \
    }
#define FORM(pattern, handler)                                                                     \
    {                                                                                              \
        HTTP_POST, pattern, ROLE(EMPLOYER_ADMIN), handler,                                         \
            .body_max_bytes = CONSOLE_FORM_MAX_BYTES, .is_harmless_twice = true                    \
    }

const struct route console_routes[] = {
    {HTTP_GET, "/", OPEN, get_root, .is_instant = true},
    {HTTP_GET, "/employer", OPEN, get_root, .is_instant = true},
    {HTTP_GET, "/assets/console.css", OPEN, get_css, .is_instant = true},
    {HTTP_GET, "/assets/console.js", OPEN, get_js, .is_instant = true},
    {HTTP_GET, "/assets/icon.svg", OPEN, get_icon, .is_instant = true},
    {HTTP_GET, "/docs/troubleshooting", OPEN, console_get_troubleshooting, .is_instant = true},
    {HTTP_GET, PATH_SIGN_IN, OPEN, console_get_sign_in, .is_instant = true},
    {HTTP_POST, PATH_SIGN_IN, OPEN, console_post_sign_in, .body_max_bytes = CONSOLE_FORM_MAX_BYTES},
    {HTTP_POST, "/sign-out", ROLE(MEMBER), console_post_sign_out,
     .body_max_bytes = CONSOLE_FORM_MAX_BYTES, .is_harmless_twice = true},
    {HTTP_GET, PATH_RESET, OPEN, console_get_reset, .is_instant = true},
    {HTTP_POST, PATH_RESET, OPEN, console_post_reset, .body_max_bytes = CONSOLE_FORM_MAX_BYTES},
    {HTTP_GET, PATH_ACCOUNT, ROLE(MEMBER), console_get_account},
    {HTTP_POST, PATH_ACCOUNT "/password", ROLE(MEMBER), console_post_password,
     .body_max_bytes = CONSOLE_FORM_MAX_BYTES, .is_harmless_twice = true},
    {HTTP_POST, PATH_ACCOUNT "/sessions/{sessionId}/end", ROLE(MEMBER), console_post_session_end,
     .body_max_bytes = CONSOLE_FORM_MAX_BYTES, .is_harmless_twice = true},
    PAGE(PATH_API_KEYS, console_get_keys),
    FORM(PATH_API_KEYS, console_post_new),
    PAGE(PATH_API_KEYS "/new", console_get_new),
    PAGE(PATH_API_KEYS "/{keyId}", console_get_key),
    PAGE(PATH_API_KEYS "/{keyId}/rotate", console_get_rotate),
    FORM(PATH_API_KEYS "/{keyId}/rotate", console_post_rotate),
    FORM(PATH_API_KEYS "/{keyId}/status", console_post_status),
    PAGE(PATH_API_KEYS "/{keyId}/revoke", console_get_revoke),
    FORM(PATH_API_KEYS "/{keyId}/revoke", console_post_revoke),
    PAGE(PATH_REFUSALS, console_get_refusals),
    {0},
};
