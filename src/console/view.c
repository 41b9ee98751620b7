/* The frame of every page, and the small parts that several pages have. */
#include "console/view.h"

#include <inttypes.h>
#include <string.h>

#include "auth/auth.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "console/console.h"
#include "crypto/digest.h"
#include "crypto/instance_key.h"
#include "crypto/random.h"
#include "decide/principal.h"

enum { TOKEN_CHARS = 2 * SHA256_BYTES, NONCE_BYTES = 16 };

/* ---- the frame ---- */

static const struct {
    str path;
    str text;
} sections[] = {
    {S(PATH_API_KEYS), S("API keys")},
    {S(PATH_REFUSALS), S("Refusals")},
};

/*
 * Nothing but our own files; no script or style in the page itself, so that a text that got in as
 * markup in spite of all could do nothing. The Origin of a form is left to be compared, which
 * no-referrer would take away (Fetch section 3.2).
 */
static void put_fields(struct http_reply *out)
{
    http_reply_field(out, S("content-security-policy"),
                     S("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
                       "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"));
    http_reply_field(out, S("x-content-type-options"), S("nosniff"));
    http_reply_field(out, S("referrer-policy"), S("same-origin"));
    http_reply_field(out, S("cross-origin-opener-policy"), S("same-origin"));
    http_reply_field(out, S("cache-control"), S("no-store"));
}

static void write_navigation(struct view *p, str section)
{
    HTML(&p->h, "<nav aria-label=\"Main\"><ul>");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (str_eq(section, sections[i].path))
            HTML(&p->h, "<li><a href=\"{}\" aria-current=\"page\">{}</a></li>", sections[i].path,
                 sections[i].text);
        else
            HTML(&p->h, "<li><a href=\"{}\">{}</a></li>", sections[i].path, sections[i].text);
    HTML(&p->h, "</ul></nav>");
}

static void write_person(struct view *p)
{
    HTML(&p->h, "<div class=\"who\"><a class=\"email\" href=\"" PATH_ACCOUNT "\">{}</a>",
         p->cx->who->email);
    view_form(p, S("/sign-out"));
    HTML(&p->h, "<button class=\"quiet\">Sign out</button></form></div>");
}

static void write_head(struct view *p, int status, str title)
{
    HTML(&p->h,
         "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}{} – sallyport"
         "</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<meta name=\"color-scheme\" content=\"light dark\">"
         "<link rel=\"stylesheet\" href=\"/assets/console.css?v={}\">"
         "<link rel=\"icon\" href=\"/assets/icon.svg?v={}\" type=\"image/svg+xml\">"
         "<script src=\"/assets/console.js?v={}\" defer></script></head>\n<body>"
         "<a class=\"skip\" href=\"#content\">Skip to the content</a>",
         status >= 400 ? S("Error: ") : STR_NONE, title, S(SALLYPORT_VERSION), S(SALLYPORT_VERSION),
         S(SALLYPORT_VERSION));
}

struct view view_begin(struct cx *cx, const struct http_req *req, struct http_reply *out,
                       int status, str title, str section)
{
    struct view p = {cx, req, out, {&out->body}};
    bool is_signed_in = cx->who && cx->who->kind == PRINCIPAL_PERSON;

    out->status = status;
    out->content_type = S("text/html; charset=utf-8");
    put_fields(out);
    write_head(&p, status, title);
    HTML(&p.h, "<header class=\"top\"><div class=\"bar\"><a class=\"brand\" href=\"/\">sallyport"
               "</a>");
    if (is_signed_in && cx->who->role >= ROLE_EMPLOYER_ADMIN)
        write_navigation(&p, section);
    if (is_signed_in)
        write_person(&p);
    HTML(&p.h, "</div></header><main id=\"content\" tabindex=\"-1\"><h1>{}</h1>", title);
    return p;
}

enum err view_end(struct view *p)
{
    HTML(&p->h, "</main></body></html>\n");
    return E_OK;
}

enum err view_redirect(struct http_reply *out, str path)
{
    bool closes = out->closes;

    http_reply_clear(out);
    out->closes = closes;
    out->status = 303;
    http_reply_field(out, S("location"), path);
    http_reply_field(out, S("cache-control"), S("no-store"));
    return E_OK;
}

static const struct {
    str word;
    str state;
    str text;
} notices[] = {
    {S("revoked"), S("revoked"), S("The key was revoked. It is refused from now on.")},
    {S("disabled"), S("inactive"),
     S("The key was switched off. It is refused until you switch it on again.")},
    {S("enabled"), S("active"), S("The key was switched on. It works again.")},
    {S("signed-out"), S("signed out"), S("You are signed out.")},
};

void view_notice(struct view *p, str state)
{
    str word = http_req_query(p->req, p->cx->arena, S("done"));

    for (size_t i = 0; i < sizeof notices / sizeof *notices; i++)
        if (str_eq(word, notices[i].word) && str_eq(state, notices[i].state))
            HTML(&p->h, "<p class=\"notice\" role=\"status\">{}</p>", notices[i].text);
}

/* ---- forms ---- */

/*
 * Made from the session's own secret: nothing is kept, on any node, and it ends with the session.
 * An issuer's token has another text each minute; there it is made for the person, under the
 * instance key.
 */
static void token_of(const struct cx *cx, const struct http_req *req, char out[TOKEN_CHARS])
{
    str session = http_cookie(secret_reveal(&req->cookie), S(SESSION_COOKIE));
    struct instance_key_id id;
    struct sha256 mac = session.n ? digest_hmac_sha256(session, S("sallyport form token v1"))
                                  : instance_key_mac(INSTANCE_KEY_FORMS, cx->who->id, &id);

    hex_write(mac.bytes, sizeof mac.bytes, out);
}

void view_form(struct view *p, str action)
{
    char token[TOKEN_CHARS];

    token_of(p->cx, p->req, token);
    HTML(&p->h,
         "<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"token\" value=\"{}\">",
         action, ((str){token, sizeof token}));
}

void view_form_once(struct view *p, str action)
{
    uint8_t chance[NONCE_BYTES];
    char nonce[2 * NONCE_BYTES];

    random_bytes(chance, sizeof chance);
    hex_write(chance, sizeof chance, nonce);
    view_form(p, action);
    HTML(&p->h, "<input type=\"hidden\" name=\"once\" value=\"{}\">", ((str){nonce, sizeof nonce}));
}

enum err view_read_form(struct cx *cx, const struct http_req *req, str many, struct urlencoded *out)
{
    char token[TOKEN_CHARS];

    TRY(http_req_urlencoded(cx, req, many, out));
    str sent = urlencoded_value(out, S("token"));
    token_of(cx, req, token);
    if (sent.n == sizeof token && secret_eq(sent.p, token, sizeof token))
        return E_OK;
    return fail(cx, E_FORM_TOKEN_INVALID, "The form's token is %s. Nothing was changed.",
                sent.n ? "not one of this session" : "missing");
}

enum err view_nonce(struct cx *cx, const struct urlencoded *form, str *out)
{
    *out = urlencoded_value(form, S("once"));
    return out->n ? E_OK : fail(cx, E_MALFORMED_FORM, "The field \"once\" is missing.");
}

/* ---- problems ---- */

static str first_of(str a, str b)
{
    return a.n ? a : b;
}

void view_problem(struct view *p, enum err e)
{
    const struct err_info *info = err_info(e);
    const struct failure *failure = &p->cx->failure;

    HTML(&p->h,
         "<div class=\"problem\" role=\"alert\" data-code=\"{}\"><p class=\"what\">{}</p><dl>"
         "<div><dt>What was wrong</dt><dd>{}</dd></div><div><dt>What to do</dt><dd>{}</dd></div>",
         info->code, info->message, first_of(failure->detail, info->cause),
         first_of(failure->hint, info->fix));
    if (failure->retry_after_s > 0)
        HTML(&p->h, "<div><dt>Try again in</dt><dd>{} seconds</dd></div>",
             view_number(p, failure->retry_after_s));
    HTML(&p->h,
         "<div><dt>Code</dt><dd><a href=\"/docs/errors/{}\">{}</a></dd></div>"
         "<div><dt>Request</dt><dd><code>{}</code></dd></div></dl></div>",
         info->code, info->code, p->cx->request_id);
}

json_t *view_field_problems(const struct cx *cx)
{
    str members = cx->failure.members;
    struct cx reading = {.arena = cx->arena};
    json_t *object = NULL;
    json_t *list = NULL;

    if (members.n &&
        json_read(&reading, arena_printf(cx->arena, "{%.*s}", STR_ARG(members)), &object) == E_OK)
        list = json_incref(json_object_get(object, "errors"));
    json_drop(&object);
    return list;
}

/* "scopes" is about "scopes", "scopes[2]" and "scopes.x". */
static bool is_about(const json_t *problem, const char *member)
{
    str name = json_text(json_object_get(problem, "member"));
    size_t n = strlen(member);

    return str_starts(name, str_of(member)) &&
           (name.n == n || name.p[n] == '[' || name.p[n] == '.');
}

static bool is_faulty(const json_t *problems, const char *member)
{
    for (size_t i = 0; i < json_array_size(problems); i++)
        if (is_about(json_array_get(problems, i), member))
            return true;
    return false;
}

/* Lists are typed with a line an entry. */
static str place_of(struct view *p, str member)
{
    str rest = member;
    uint64_t index;

    str_cut(&rest, S("["));
    if (!str_parse_u64(str_cut(&rest, S("]")), 1000, &index))
        return STR_NONE;
    return arena_printf(p->cx->arena, "entry %" PRIu64 " ", index + 1);
}

static void write_reason(struct view *p, const json_t *problem)
{
    str reason = json_text(json_object_get(problem, "reason"));

    html_text(&p->h, place_of(p, json_text(json_object_get(problem, "member"))));
    html_text(&p->h, reason);
    html_text(&p->h, str_ends(reason, S("?")) ? STR_NONE : S("."));
}

void view_field_error(struct view *p, const json_t *problems, const struct view_field *field)
{
    if (!is_faulty(problems, field->member))
        return;
    HTML(&p->h, "<div class=\"field-error\" id=\"{}-error\">", str_of(field->member));
    for (size_t i = 0; i < json_array_size(problems); i++) {
        if (!is_about(json_array_get(problems, i), field->member))
            continue;
        HTML(&p->h, "<p>{} ", str_of(field->label));
        write_reason(p, json_array_get(problems, i));
        HTML(&p->h, "</p>");
    }
    HTML(&p->h, "</div>");
}

static void write_links(struct view *p, const json_t *problems, const struct view_field *field)
{
    for (size_t i = 0; i < json_array_size(problems); i++) {
        if (!is_about(json_array_get(problems, i), field->member))
            continue;
        HTML(&p->h, "<li><a href=\"#{}\">{} ", str_of(field->input), str_of(field->label));
        write_reason(p, json_array_get(problems, i));
        HTML(&p->h, "</a></li>");
    }
}

/* It has the focus at first: where a reader's screen begins, and from where Tab goes on. */
void view_form_problem(struct view *p, enum err e, const json_t *problems,
                       const struct view_field *fields)
{
    if (json_array_size(problems) == 0) {
        view_problem(p, e);
        return;
    }
    HTML(&p->h,
         "<div class=\"problem\" role=\"alert\" tabindex=\"-1\" autofocus data-code=\"{}\">"
         "<p class=\"what\">The form is not complete yet. Nothing was changed.</p><dl><div>"
         "<dt>What was wrong</dt><dd><ul>",
         err_info(e)->code);
    for (; fields->member; fields++)
        write_links(p, problems, fields);
    HTML(&p->h, "</ul></dd></div><div><dt>What to do</dt><dd>Repair these fields, and send the form"
                " again.</dd></div></dl></div>");
}

void view_field_state(struct view *p, const json_t *problems, const struct view_field *field)
{
    str member = str_of(field->member);

    if (is_faulty(problems, field->member))
        HTML(&p->h, " aria-invalid=\"true\" aria-describedby=\"{}-hint {}-error\"", member, member);
    else
        HTML(&p->h, " aria-describedby=\"{}-hint\"", member);
}

/* ---- values ---- */

void view_time(struct view *p, str instant, str what_if_none)
{
    if (instant.n != TIME_TEXT_BYTES) {
        html_text(&p->h, what_if_none);
        return;
    }
    HTML(&p->h, "<time datetime=\"{}\">{} {} UTC</time>", instant, str_sub(instant, 0, 10),
         str_sub(instant, 11, 5));
}

str view_number(struct view *p, int64_t value)
{
    return arena_printf(p->cx->arena, "%" PRId64, value);
}
