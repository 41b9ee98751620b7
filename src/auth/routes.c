/* The session routes: login, me, logout. */
#include <inttypes.h>

#include "auth/ops.h"
#include "base/time.h"
#include "crypto/password.h"
#include "http/reply.h"

static void write_principal(struct json_out *j, const struct principal *who)
{
    json_put_text(j, S("id"), who->id);
    json_put_text(j, S("email"), who->email);
    json_put_text(j, S("role"), role_text(who->role));
    json_put_text(j, S("employerId"), who->employer_id);
}

/* RFC 6265 section 4.1. An empty token clears the cookie. */
static void set_cookie(struct cx *cx, struct http_reply *out, str token, int64_t age_s)
{
    http_reply_field(
        out, S("set-cookie"),
        arena_printf(cx->arena,
                     SESSION_COOKIE "=%.*s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%" PRId64 "%s",
                     STR_ARG(token), age_s, auth_settings()->cookie_is_secure ? "; Secure" : ""));
}

static enum err read_login(struct cx *cx, const json_t *body, str *email, struct secret *password)
{
    struct form form;

    form_open(&form, cx, body);
    *email = form_text(&form, "email", 254, true);
    str text = json_text(form_value(&form, "password"));
    if (form.object && (text.n == 0 || text.n > PASSWORD_MAX_BYTES))
        form_problem(&form, "password", "must be a text of 1 to %d bytes", PASSWORD_MAX_BYTES);
    TRY(form_close(&form));
    secret_set(password, text);
    return E_OK;
}

static enum err post_login(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret password = {0};
    DROP(secret) struct secret token = {0};
    DROP(json) json_t *body = NULL;
    struct login login = {.password = &password, .client = cx->client};
    struct principal who;
    int64_t expires_at_ms;

    TRY(http_req_json(cx, req, &body));
    TRY(read_login(cx, body, &login.email, &password));
    TRY(auth_login(cx, &login, &who, &token, &expires_at_ms));

    set_cookie(cx, out, secret_reveal(&token), auth_settings()->session_lifetime_ms / SECOND_MS);
    http_reply_field(out, S("cache-control"), S("no-store"));
    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    write_principal(&j, &who);
    json_put_time(&j, S("expiresAt"), expires_at_ms);
    json_close_object(&j);
    return E_OK;
}

static enum err get_me(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct json_out j = http_reply_json(out, 200);

    (void)req;
    json_open_object(&j, STR_NONE);
    write_principal(&j, cx->who);
    json_close_object(&j);
    return E_OK;
}

static enum err post_logout(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret token = {0};

    secret_set(&token, http_cookie(secret_reveal(&req->cookie), S(SESSION_COOKIE)));
    if (secret_is_set(&token))
        TRY(auth_logout(cx, &token));
    set_cookie(cx, out, S(""), 0);
    http_reply_empty(out);
    return E_OK;
}

const struct route auth_routes[] = {
    {HTTP_POST, "/api/auth/login", OPEN, post_login},
    {HTTP_GET, "/api/auth/me", ROLE(MEMBER), get_me},
    {HTTP_POST, "/api/auth/logout", OPEN, post_logout},
    {0},
};
