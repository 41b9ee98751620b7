/* One's own account: the password, where one is signed in; and setting a password with a link. */
#include "base/ids.h"
#include "base/json.h"
#include "console/api.h"
#include "console/pages.h"
#include "crypto/password.h"
#include "decide/principal.h"

static const struct view_field password_fields[] = {
    {"currentPassword", "The present password", "currentPassword"},
    {"newPassword", "The new password", "newPassword"},
    {0},
};

static const struct view_field *const current_field = &password_fields[0];
static const struct view_field *const new_field = &password_fields[1];

/* What was sent, and what came of it. */
struct attempt {
    bool is_sent;
    enum err e;
    json_t *problems; /* a list to be dropped, or NULL */
};

static struct attempt attempt_of(const struct cx *cx, enum err e)
{
    return (struct attempt){true, e, e == E_INVALID_REQUEST ? view_field_problems(cx) : NULL};
}

static void set_text(json_t *body, const char *member, str text)
{
    json_object_set_new(body, member, json_stringn(text.n ? text.p : "", text.n));
}

static void write_new_password(struct view *p, const json_t *problems)
{
    HTML(&p->h,
         "<div class=\"field\"><label for=\"newPassword\">New password</label>"
         "<p class=\"hint\" id=\"newPassword-hint\">At least 12 characters. A few words in a "
         "row are easy to keep in mind and hard to guess.</p>"
         "<input id=\"newPassword\" name=\"newPassword\" type=\"password\" required"
         " minlength=\"12\" autocomplete=\"new-password\"");
    view_field_state(p, problems, new_field);
    HTML(&p->h, ">");
    view_field_error(p, problems, new_field);
    HTML(&p->h, "</div>");
}

/* ---- the account ---- */

static void write_password_form(struct view *p, const struct attempt *a)
{
    HTML(&p->h, "<h2 id=\"password\">Password</h2>");
    if (a->is_sent && a->e == E_OK)
        HTML(&p->h, "<p class=\"notice\" role=\"status\">The password was changed. Your other "
                    "sessions have ended; this one goes on.</p>");
    else if (a->is_sent)
        view_form_problem(p, a->e, a->problems, password_fields);
    view_form(p, S(PATH_ACCOUNT "/password"));
    HTML(&p->h, "<div class=\"field\"><label for=\"currentPassword\">Present password</label>"
                "<p class=\"hint\" id=\"currentPassword-hint\">The one you have signed in with.</p>"
                "<input id=\"currentPassword\" name=\"currentPassword\" type=\"password\" required"
                " autocomplete=\"current-password\"");
    view_field_state(p, a->problems, current_field);
    HTML(&p->h, ">");
    view_field_error(p, a->problems, current_field);
    HTML(&p->h, "</div>");
    write_new_password(p, a->problems);
    HTML(&p->h, "<p class=\"actions\"><button class=\"main\">Change the password</button></p>"
                "</form>");
}

static void write_session(struct view *p, const json_t *session)
{
    str agent = api_text(session, "userAgent");

    HTML(&p->h, "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\" data-label=\"Signed in\">"
                "<span>");
    view_time(p, api_text(session, "createdAt"), STR_NONE);
    HTML(&p->h, "</span></th><td role=\"cell\" data-label=\"Ends\"><span>");
    view_time(p, api_text(session, "expiresAt"), STR_NONE);
    HTML(&p->h,
         "</span></td><td role=\"cell\" data-label=\"Address\"><code class=\"whole\">{}</code></td>"
         "<td role=\"cell\" data-label=\"Program\"><span class=\"agent\">{}</span></td>"
         "<td role=\"cell\" data-label=\"\">",
         api_text(session, "address"), agent.n ? agent : S("not named"));
    if (json_is_true(json_object_get(session, "isCurrent"))) {
        HTML(&p->h, "<strong class=\"whole\">this one</strong>");
    } else {
        view_form(p, arena_printf(p->cx->arena, PATH_ACCOUNT "/sessions/%.*s/end",
                                  STR_ARG(api_text(session, "id"))));
        HTML(&p->h, "<button class=\"whole\">End it</button></form>");
    }
    HTML(&p->h, "</td></tr>");
}

static void write_sessions(struct view *p, const json_t *sessions)
{
    HTML(&p->h,
         "<h2 id=\"sessions\">Where you are signed in</h2>"
         "<table role=\"table\" class=\"cards\"><caption>Your sessions, the newest first. One that "
         "you do not know: end it, and change the password.</caption>"
         "<thead role=\"rowgroup\"><tr role=\"row\">"
         "<th role=\"columnheader\" scope=\"col\">Signed in</th>"
         "<th role=\"columnheader\" scope=\"col\">Ends</th>"
         "<th role=\"columnheader\" scope=\"col\">Address</th>"
         "<th role=\"columnheader\" scope=\"col\">Program</th>"
         "<th role=\"columnheader\" scope=\"col\">What to do</th></tr></thead>"
         "<tbody role=\"rowgroup\">");
    for (size_t i = 0; i < json_array_size(sessions); i++)
        write_session(p, json_array_get(sessions, i));
    HTML(&p->h, "</tbody></table>");
}

static enum err write_account(struct cx *cx, const struct http_req *req, struct http_reply *out,
                              const struct attempt *a)
{
    /* The list's own failure must not take away what is to be said about the form. */
    struct cx reading = *cx;
    DROP(json) json_t *answer = NULL;
    enum err e = api_get(&reading, req, S("/api/auth/sessions"), &answer);

    if (e != E_OK) {
        cx->failure = reading.failure;
        return e;
    }
    struct view p = view_begin(cx, req, out, a->e ? err_info(a->e)->status : 200, S("Your account"),
                               S(PATH_ACCOUNT));
    HTML(&p.h,
         "<p class=\"lead\">You are signed in as <strong>{}</strong> with the role <strong>{}"
         "</strong>.</p>",
         cx->who->email, role_text(cx->who->role));
    const json_t *sessions = json_object_get(answer, "sessions");
    if (json_array_size(sessions))
        write_sessions(&p, sessions);
    write_password_form(&p, a);
    return view_end(&p);
}

enum err console_get_account(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct attempt none = {0};

    return write_account(cx, req, out, &none);
}

/* The page itself is the answer: what it says is so, and a reload is refused for its password. */
enum err console_post_password(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = (json_object)();
    DROP(json) json_t *answer = NULL;
    struct urlencoded form;

    TRY(view_read_form(cx, req, STR_NONE, &form));
    set_text(body, "currentPassword", urlencoded_value(&form, S("currentPassword")));
    set_text(body, "newPassword", urlencoded_value(&form, S("newPassword")));
    struct attempt attempt =
        attempt_of(cx, api_run(cx,
                               &(struct api_call){.method = HTTP_PUT,
                                                  .target = S("/api/auth/password"),
                                                  .body = body,
                                                  .once = STR_NONE,
                                                  .of = req},
                               NULL, &answer));
    enum err e = write_account(cx, req, out, &attempt);
    json_drop(&attempt.problems);
    return e == E_OK ? attempt.e : e;
}

enum err console_post_session_end(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *answer = NULL;
    struct urlencoded form;

    TRY(view_read_form(cx, req, STR_NONE, &form));
    if (!id_is_shaped(req->params[0], "sess"))
        return E_SESSION_NOT_FOUND;
    enum err e =
        api_run(cx,
                &(struct api_call){.method = HTTP_DELETE,
                                   .target = arena_printf(cx->arena, "/api/auth/sessions/%.*s",
                                                          STR_ARG(req->params[0])),
                                   .once = STR_NONE,
                                   .of = req},
                NULL, &answer);
    /* Over already is what was asked for. */
    if (e != E_OK && e != E_SESSION_NOT_FOUND)
        return e;
    cx->failure = (struct failure){0};
    return view_redirect(out, S(PATH_ACCOUNT));
}

/* ---- with a link ---- */

static enum err write_reset(struct cx *cx, const struct http_req *req, struct http_reply *out,
                            str token, const struct attempt *a)
{
    struct view p = view_begin(cx, req, out, a->e ? err_info(a->e)->status : 200,
                               S("Set a new password"), STR_NONE);

    if (a->e)
        view_form_problem(&p, a->e, a->problems, password_fields);
    HTML(&p.h,
         "<form method=\"post\" action=\"" PATH_RESET "\" class=\"card narrow\">"
         "<input type=\"hidden\" name=\"link\" value=\"{}\">",
         token);
    write_new_password(&p, a->problems);
    HTML(&p.h, "<p class=\"actions\"><button class=\"main\">Set the password</button></p></form>"
               "<p class=\"aside narrow\">The link works once. Afterwards sign in with the new "
               "password; wherever you are signed in now, you are signed out.</p>");
    return view_end(&p);
}

enum err console_get_reset(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct attempt none = {0};

    return write_reset(cx, req, out, http_req_query(req, cx->arena, S("token")), &none);
}

static enum err write_is_set(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct view p = view_begin(cx, req, out, 200, S("The password was set"), STR_NONE);

    HTML(&p.h,
         "<p class=\"lead\">It is the password of your account from now on.</p>"
         "<p class=\"actions\"><a class=\"button main\" href=\"" PATH_SIGN_IN "\">Sign in</a></p>");
    return view_end(&p);
}

/* Whoever holds the link may use it, signed in or not; the door has compared the Origin. */
enum err console_post_reset(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = (json_object)();
    DROP(json) json_t *answer = NULL;
    struct urlencoded form;

    TRY(http_req_urlencoded(cx, req, STR_NONE, &form));
    str token = urlencoded_value(&form, S("link"));
    set_text(body, "token", token);
    set_text(body, "newPassword", urlencoded_value(&form, S("newPassword")));
    struct attempt attempt =
        attempt_of(cx, api_run(cx,
                               &(struct api_call){.method = HTTP_POST,
                                                  .target = S("/api/auth/reset-password"),
                                                  .body = body,
                                                  .once = STR_NONE,
                                                  .of = req},
                               NULL, &answer));
    if (attempt.e == E_OK)
        return write_is_set(cx, req, out);
    IGNORE_ERR(write_reset(cx, req, out, token, &attempt));
    json_drop(&attempt.problems);
    return attempt.e;
}
