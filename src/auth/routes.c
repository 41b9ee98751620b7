/* Routes of sessions and passwords: one's own, and for an ADMIN those of others. */
#include <inttypes.h>

#include "auth/ops.h"
#include "base/time.h"
#include "crypto/password.h"
#include "http/reply.h"

static const char SESSIONS_LIST = 's';

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

static void read_secret(struct form *form, const char *member, struct secret *out)
{
    str text = json_text(form_value(form, member));

    if (form->object && (text.n == 0 || text.n > PASSWORD_MAX_BYTES))
        form_problem(form, member, "must be a text of 1 to %d bytes", PASSWORD_MAX_BYTES);
    else
        secret_set(out, text);
}

static enum err read_login(struct cx *cx, const json_t *body, str *email, struct secret *password)
{
    struct form form;

    form_open(&form, cx, body);
    *email = form_text(&form, "email", 254, true);
    read_secret(&form, "password", password);
    return form_close(&form);
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

/* ---- sessions ---- */

static void write_session(struct json_out *j, const struct session *session)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), session->id);
    json_put_time(j, S("createdAt"), session->created_at_ms);
    json_put_time(j, S("expiresAt"), session->expires_at_ms);
    json_put_text(j, S("address"), session->address);
    json_put_text(j, S("userAgent"), session->user_agent);
    json_put_bool(j, S("isCurrent"), session->is_current);
    json_close_object(j);
}

static enum err list_sessions_of(struct cx *cx, const struct http_req *req, str person_id,
                                 struct http_reply *out)
{
    DROP(secret) struct secret token = {0};
    struct session_page wanted = {.person_id = person_id};
    struct session_list sessions;
    struct sha256 current;
    struct page page;

    TRY(page_query(cx, req, SESSIONS_LIST, &page));
    secret_set(&token, http_cookie(secret_reveal(&req->cookie), S(SESSION_COOKIE)));
    current = digest_sha256(secret_reveal(&token));
    wanted.current = secret_is_set(&token) ? &current : NULL;
    wanted.after = page.after;
    wanted.limit = page.limit;
    TRY(auth_page_sessions(cx, &wanted, &sessions));

    struct json_out j = page_open(out, S("sessions"));
    for (size_t i = 0; i < sessions.n; i++)
        write_session(&j, &sessions.list[i]);
    page_close(cx, &j, SESSIONS_LIST, sessions.has_more,
               sessions.n ? sessions.list[sessions.n - 1].id : STR_NONE);
    return E_OK;
}

static enum err get_sessions(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    return list_sessions_of(cx, req, cx->who->id, out);
}

static enum err delete_session(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    http_reply_plan(out, 204, NULL, NULL);
    TRY(auth_end_one(cx, cx->who->id, req->params[0]));
    return http_reply_write(cx, out);
}

static enum err get_user_sessions(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    return list_sessions_of(cx, req, req->params[0], out);
}

static enum err delete_user_sessions(struct cx *cx, const struct http_req *req,
                                     struct http_reply *out)
{
    int64_t ended;

    http_reply_plan(out, 204, NULL, NULL);
    TRY(auth_end_all(cx, req->params[0], &ended));
    return http_reply_write(cx, out);
}

static enum err delete_user_session(struct cx *cx, const struct http_req *req,
                                    struct http_reply *out)
{
    http_reply_plan(out, 204, NULL, NULL);
    TRY(auth_end_one(cx, req->params[0], req->params[1]));
    return http_reply_write(cx, out);
}

/* ---- passwords ---- */

static void read_new_password(struct form *form, struct secret *out)
{
    str text = json_text(form_value(form, "newPassword"));

    if (form->object && !password_is_fit(text))
        form_problem(form, "newPassword",
                     "must have at least %d characters and no control characters",
                     PASSWORD_MIN_CHARS);
    else
        secret_set(out, text);
}

static enum err put_password(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret current = {0};
    DROP(secret) struct secret next = {0};
    DROP(secret) struct secret session = {0};
    DROP(json) json_t *body = NULL;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    read_secret(&form, "currentPassword", &current);
    read_new_password(&form, &next);
    TRY(form_close(&form));
    secret_set(&session, http_cookie(secret_reveal(&req->cookie), S(SESSION_COOKIE)));
    http_reply_plan(out, 204, NULL, NULL);
    TRY(auth_change_own_password(cx,
                                 &(struct password_change){&current, &next, &session, cx->client}));
    return http_reply_write(cx, out);
}

static void write_reset_link(struct cx *cx, struct json_out *j, const void *what)
{
    const struct reset_link *link = what;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("userId"), link->person_id);
    json_put_secret(j, S("url"), &link->url);
    json_put_time(j, S("expiresAt"), link->expires_at_ms);
    json_close_object(j);
}

static enum err post_reset_link(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct reset_link link = {0};

    http_reply_plan(out, 201, write_reset_link, &link);
    http_reply_field(out, S("cache-control"), S("no-store"));
    enum err e = auth_make_reset_link(cx, req->params[0], &link);
    if (e == E_OK)
        e = http_reply_write(cx, out);
    secret_drop(&link.url);
    return e;
}

static enum err post_reset(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret token = {0};
    DROP(secret) struct secret next = {0};
    DROP(json) json_t *body = NULL;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    read_secret(&form, "token", &token);
    read_new_password(&form, &next);
    TRY(form_close(&form));
    TRY(auth_reset_password(cx, &token, &next));
    http_reply_empty(out);
    return E_OK;
}

const struct route auth_routes[] = {
    {HTTP_POST, "/api/auth/login", OPEN, post_login},
    {HTTP_GET, "/api/auth/me", ROLE(MEMBER), get_me},
    {HTTP_POST, "/api/auth/logout", OPEN, post_logout},
    {HTTP_GET, "/api/auth/sessions", ROLE(MEMBER), get_sessions},
    {HTTP_DELETE, "/api/auth/sessions/{sessionId}", ROLE(MEMBER), delete_session},
    {HTTP_PUT, "/api/auth/password", ROLE(MEMBER), put_password},
    {HTTP_POST, "/api/auth/reset-password", OPEN, post_reset},
    {HTTP_GET, "/api/admin/users/{userId}/sessions", ROLE(ADMIN), get_user_sessions},
    {HTTP_DELETE, "/api/admin/users/{userId}/sessions", ROLE(ADMIN), delete_user_sessions},
    {HTTP_DELETE, "/api/admin/users/{userId}/sessions/{sessionId}", ROLE(ADMIN),
     delete_user_session},
    {HTTP_POST, "/api/admin/users/{userId}/reset-link", ROLE(ADMIN), post_reset_link},
    {0},
};
