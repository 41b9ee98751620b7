/* Signing in and out. */
#include "auth/auth.h"
#include "base/json.h"
#include "console/api.h"
#include "console/pages.h"

enum { NEXT_MAX_BYTES = 200 };

/* ---- where to go afterwards ---- */

/* A path of our pages and nothing else: no host, no scheme, nothing that a browser reads twice. */
static bool is_own_path(str path)
{
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_plain && c != '/' && c != '-' && c != '_')
            return false;
    }
    return (str_starts(path, S("/employer/")) || str_eq(path, S(PATH_ACCOUNT))) &&
           path.n <= NEXT_MAX_BYTES;
}

static str next_of(str asked)
{
    return is_own_path(asked) ? asked : S(PATH_API_KEYS);
}

/* What a form would have done is not done later by itself: its page is shown instead. */
enum err console_ask_to_sign_in(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    str next = req->method == HTTP_POST ? S(PATH_API_KEYS) : next_of(req->path);

    return view_redirect(out, arena_printf(cx->arena, PATH_SIGN_IN "?next=%.*s", STR_ARG(next)));
}

/* ---- the form ---- */

struct sign_in {
    str email;
    str next;
    enum err e;
};

/* Both fields are tied to the problem: which of the two is wrong is not told. */
static void write_fields(struct view *p, const struct sign_in *s)
{
    if (s->e)
        HTML(
            &p->h,
            "<p><label for=\"email\">Email</label><input id=\"email\" name=\"email\" type=\"email\""
            " autocomplete=\"username\" required maxlength=\"254\" value=\"{}\""
            " aria-invalid=\"true\" aria-describedby=\"problem\" autofocus></p>"
            "<p><label for=\"password\">Password</label><input id=\"password\" name=\"password\""
            " type=\"password\" autocomplete=\"current-password\" required aria-invalid=\"true\""
            " aria-describedby=\"problem\"></p>",
            s->email);
    else
        HTML(
            &p->h,
            "<p><label for=\"email\">Email</label><input id=\"email\" name=\"email\" type=\"email\""
            " autocomplete=\"username\" required maxlength=\"254\" autofocus></p>"
            "<p><label for=\"password\">Password</label><input id=\"password\" name=\"password\""
            " type=\"password\" autocomplete=\"current-password\" required></p>");
}

static enum err write_sign_in(struct cx *cx, const struct http_req *req, struct http_reply *out,
                              const struct sign_in *s)
{
    int status = s->e ? err_info(s->e)->status : 200;
    struct view p = view_begin(cx, req, out, status, S("Sign in"), STR_NONE);

    view_notice(&p, S("signed out"));
    if (s->e) {
        HTML(&p.h, "<div id=\"problem\">");
        view_problem(&p, s->e);
        HTML(&p.h, "</div>");
    }
    HTML(&p.h,
         "<form method=\"post\" action=\"" PATH_SIGN_IN "\" class=\"card narrow\">"
         "<input type=\"hidden\" name=\"next\" value=\"{}\">",
         s->next);
    write_fields(&p, s);
    HTML(&p.h,
         "<p class=\"actions\"><button class=\"main\">Sign in</button></p></form>"
         "<p class=\"aside narrow\">You cannot sign in? An admin of this server can make your "
         "account active again, or "
         "give you a link with which you set a new password.</p>");
    return view_end(&p);
}

enum err console_get_sign_in(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct sign_in s = {.next = next_of(http_req_query(req, cx->arena, S("next")))};

    return write_sign_in(cx, req, out, &s);
}

/*
 * There is no session yet that a token could be made from, so the Origin must be there, and the
 * door has compared it: nobody is signed in from another site, into an account that is not theirs.
 */
static enum err check_has_origin(struct cx *cx, const struct http_req *req)
{
    if (!str_is_none(http_req_field(req, S("origin"), NULL)))
        return E_OK;
    return fail(cx, E_ORIGIN_NOT_ALLOWED, "The request has no Origin field.");
}

enum err console_post_sign_in(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = (json_object)();
    DROP(json) json_t *answer = NULL;
    struct http_reply cookies = {0};
    struct urlencoded form;

    TRY(check_has_origin(cx, req));
    TRY(http_req_urlencoded(cx, req, STR_NONE, &form));
    str email = urlencoded_value(&form, S("email"));
    str password = urlencoded_value(&form, S("password"));
    struct sign_in s = {.email = email, .next = next_of(urlencoded_value(&form, S("next")))};
    json_object_set_new(body, "email", json_stringn(email.n ? email.p : "", email.n));
    json_object_set_new(body, "password", json_stringn(password.n ? password.p : "", password.n));
    s.e = api_run(cx,
                  &(struct api_call){.method = HTTP_POST,
                                     .target = S("/api/auth/login"),
                                     .body = body,
                                     .once = STR_NONE,
                                     .of = req},
                  &cookies, &answer);
    if (s.e != E_OK) {
        IGNORE_ERR(write_sign_in(cx, req, out, &s));
        return s.e;
    }
    TRY(view_redirect(out, s.next));
    http_reply_field(out, cookies.fields[0].name, cookies.fields[0].value);
    return E_OK;
}

enum err console_post_sign_out(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *answer = NULL;
    struct http_reply cookies = {0};
    struct urlencoded form;

    TRY(view_read_form(cx, req, STR_NONE, &form));
    TRY(api_run(
        cx,
        &(struct api_call){
            .method = HTTP_POST, .target = S("/api/auth/logout"), .once = STR_NONE, .of = req},
        &cookies, &answer));
    TRY(view_redirect(out, S(PATH_SIGN_IN "?done=signed-out")));
    http_reply_field(out, cookies.fields[0].name, cookies.fields[0].value);
    return E_OK;
}
