/* The forms about keys: create, rotate, revoke; and the one page that shows a raw key. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "console/api.h"
#include "console/pages.h"
#include "decide/scope.h"
#include "http/reply.h"
#include "keys/keys.h"

static json_t *text_of(str text)
{
    return json_stringn(text.n ? text.p : "", text.n);
}

/* ---- the raw key, once ---- */

/*
 * The answer to the POST itself: the key is in no address, in no page that is kept, and a reload of
 * this one makes no second key, since the form's nonce is the change's Idempotency-Key.
 */
static enum err write_raw_key(struct cx *cx, const struct http_req *req, struct http_reply *out,
                              const json_t *key, bool is_new)
{
    DROP(secret) struct secret raw = {0};
    struct view p =
        view_begin(cx, req, out, is_new ? 201 : 200,
                   is_new ? S("The key was created") : S("The key was rotated"), S(PATH_API_KEYS));

    secret_set(&raw, api_text(key, "rawKey"));
    HTML(&p.h, "<p class=\"lead\">");
    key_write_title(&p, key);
    HTML(&p.h,
         "</p><div class=\"once card\"><p id=\"once\"><strong>Copy the key now.</strong> It is"
         " shown this one time; the server keeps only its fingerprint.</p>"
         "<label for=\"raw-key\">New API key</label><div class=\"copy\">"
         "<textarea id=\"raw-key\" class=\"raw\" rows=\"1\" readonly"
         " spellcheck=\"false\" aria-describedby=\"once\">");
    html_secret(&p.h, &raw);
    HTML(&p.h,
         "</textarea><button type=\"button\" id=\"copy\" class=\"main\" hidden>Copy</button></div>"
         "<p id=\"copied\" role=\"status\" aria-live=\"polite\"></p></div>");
    if (!is_new) {
        HTML(&p.h, "<p>The former key ");
        if (api_text(key, "previousSecretEndsAt").n) {
            HTML(&p.h, "works until ");
            view_time(&p, api_text(key, "previousSecretEndsAt"), STR_NONE);
            HTML(&p.h, ".</p>");
        } else {
            HTML(&p.h, "works no more.</p>");
        }
    }
    HTML(&p.h,
         "<p>Keep it in the secret store of the program that uses it, and try it:</p><pre tabindex="
         "\"0\" aria-label=\"Example call\"><code>curl -H 'x-api-key: …' -H 'x-api-version: "
         "2026-02-01' {}/api/employer/cohort</code></pre>"
         "<p class=\"actions\"><a class=\"button\" href=\"{}\">To the key</a> "
         "<a class=\"button\" href=\"" PATH_API_KEYS "\">All keys</a></p>",
         http_public_url(), key_path(cx->arena, api_text(key, "id"), ""));
    return view_end(&p);
}

/* The form was sent before: in the words of who looks at a page, not of who writes a program. */
static enum err repeated(struct cx *cx, enum err e)
{
    if (e == E_IDEMPOTENCY_SECRET_GONE) {
        cx->failure.hint = S("If you have copied the key, all is well. If not, rotate it: that "
                             "makes a new one under the same name.");
        return fail(cx, e,
                    "This form was sent before, and was carried out then. Nothing was done "
                    "again.");
    }
    if (e == E_IDEMPOTENCY_KEY_REUSED) {
        cx->failure.hint = S("Open the form anew and fill it in again.");
        return fail(cx, e, "This form was sent before, with other values. Nothing was done again.");
    }
    return e;
}

/* ---- create ---- */

/* What somebody has typed, to be shown again beside what is wrong with it. */
struct draft {
    const struct urlencoded *form; /* NULL: nothing has been sent yet */
    json_t *problems;
    enum err e;
};

enum { FIELD_name, FIELD_scopes, FIELD_expiresAt, FIELD_allowedIpCidrs, FIELD_rateLimit, FIELDS };

static const struct view_field fields[FIELDS + 1] = {
    [FIELD_name] = {"name", "Name", "name"},
    [FIELD_scopes] = {"scopes", "Scopes", "scope-0"},
    [FIELD_expiresAt] = {"expiresAt", "Last day", "expiresAt"},
    [FIELD_allowedIpCidrs] = {"allowedIpCidrs", "Addresses", "allowedIpCidrs"},
    [FIELD_rateLimit] = {"rateLimit", "Rate limit", "requests"},
};

static str typed(const struct draft *d, str name, str at_first)
{
    return d->form ? urlencoded_value(d->form, name) : at_first;
}

static bool has_ticked(const struct draft *d, str scope)
{
    for (size_t i = 0; d->form && i < d->form->n; i++)
        if (str_eq(d->form->pairs[i].name, S("scopes")) && str_eq(d->form->pairs[i].value, scope))
            return true;
    return false;
}

static void write_name(struct view *p, const struct draft *d)
{
    HTML(&p->h,
         "<div class=\"field\"><label for=\"name\">Name</label><p class=\"hint\""
         " id=\"name-hint\">Which program uses it, and where: “nightly upload, HR server”."
         "</p><input id=\"name\" name=\"name\" required maxlength=\"{}\" autocomplete="
         "\"off\" value=\"{}\"",
         view_number(p, KEY_NAME_MAX_CHARS), typed(d, S("name"), STR_NONE));
    view_field_state(p, d->problems, &fields[FIELD_name]);
    HTML(&p->h, ">");
    view_field_error(p, d->problems, &fields[FIELD_name]);
    HTML(&p->h, "</div>");
}

static void write_scope(struct view *p, const struct draft *d, enum scope scope)
{
    str text = scope_text(scope);
    str id = arena_printf(p->cx->arena, "scope-%d", (int)scope);

    HTML(&p->h,
         "<div class=\"choice\"><input type=\"checkbox\" name=\"scopes\" id=\"{}\" value="
         "\"{}\"",
         id, text);
    if (has_ticked(d, text))
        HTML(&p->h, " checked");
    HTML(&p->h, "><label for=\"{}\"><code>{}</code> <span>{}</span></label></div>", id, text,
         scope_grants(scope));
}

static void write_scopes(struct view *p, const struct draft *d)
{
    HTML(&p->h, "<fieldset id=\"scopes\"");
    view_field_state(p, d->problems, &fields[FIELD_scopes]);
    HTML(&p->h, "><legend>Scopes</legend><p class=\"hint\" id=\"scopes-hint\">What the key may do. "
                "Tick what the program needs, and nothing else.</p>");
    view_field_error(p, d->problems, &fields[FIELD_scopes]);
    for (enum scope s = 0; s < SCOPES_END; s++)
        write_scope(p, d, s);
    HTML(&p->h, "</fieldset>");
}

static void write_expiry(struct view *p, const struct draft *d)
{
    char tomorrow[TIME_TEXT_BYTES];

    time_write(p->cx->now_ms + DAY_MS, tomorrow);
    HTML(&p->h,
         "<div class=\"field\"><label for=\"expiresAt\">Last day</label><p class=\"hint\""
         " id=\"expiresAt-hint\">The key works through this day, in UTC. Empty: it has no "
         "end.</p><input id=\"expiresAt\" name=\"expiresAt\" type=\"date\" min=\"{}\""
         " value=\"{}\"",
         ((str){tomorrow, 10}), typed(d, S("expiresAt"), STR_NONE));
    view_field_state(p, d->problems, &fields[FIELD_expiresAt]);
    HTML(&p->h, ">");
    view_field_error(p, d->problems, &fields[FIELD_expiresAt]);
    HTML(&p->h, "</div>");
}

static void write_addresses(struct view *p, const struct draft *d)
{
    HTML(&p->h, "<div class=\"field\"><label for=\"allowedIpCidrs\">Addresses</label>"
                "<p class=\"hint\" id=\"allowedIpCidrs-hint\">Where it may be used from, a line "
                "each: <code>203.0.113.7</code> or <code>2001:db8::/32</code>. Empty: from "
                "anywhere.</p><textarea id=\"allowedIpCidrs\" name=\"allowedIpCidrs\" rows=\"3\""
                " spellcheck=\"false\"");
    view_field_state(p, d->problems, &fields[FIELD_allowedIpCidrs]);
    /* The first line end after the tag is not part of the value (HTML section 13.1.2.5). */
    HTML(&p->h, ">\n{}</textarea>", typed(d, S("allowedIpCidrs"), STR_NONE));
    view_field_error(p, d->problems, &fields[FIELD_allowedIpCidrs]);
    HTML(&p->h, "</div>");
}

static void write_rate(struct view *p, const struct draft *d)
{
    HTML(&p->h, "<fieldset id=\"rateLimit\"");
    view_field_state(p, d->problems, &fields[FIELD_rateLimit]);
    HTML(&p->h,
         "><legend>Rate limit</legend><p class=\"hint\" id=\"rateLimit-hint\">How many requests in "
         "how many seconds. Both empty: no limit.</p><div class=\"pair\"><div><label"
         " for=\"requests\">Requests</label><input id=\"requests\" name=\"requests\" inputmode="
         "\"numeric\" maxlength=\"12\" autocomplete=\"off\" value=\"{}\"></div><div><label"
         " for=\"windowSeconds\">Seconds</label><input id=\"windowSeconds\" name=\"windowSeconds\""
         " inputmode=\"numeric\" maxlength=\"12\" autocomplete=\"off\" value=\"{}\"></div></div>",
         typed(d, S("requests"), view_number(p, KEY_RATE_REQUESTS)),
         typed(d, S("windowSeconds"), view_number(p, KEY_RATE_WINDOW_S)));
    view_field_error(p, d->problems, &fields[FIELD_rateLimit]);
    HTML(&p->h, "</fieldset>");
}

static enum err write_form(struct cx *cx, const struct http_req *req, struct http_reply *out,
                           const struct draft *d)
{
    int status = d->e ? err_info(d->e)->status : 200;
    struct view p = view_begin(cx, req, out, status, S("Create an API key"), S(PATH_API_KEYS));

    if (d->e)
        view_form_problem(&p, d->e, d->problems, fields);
    view_form_once(&p, S(PATH_API_KEYS));
    write_name(&p, d);
    write_scopes(&p, d);
    write_expiry(&p, d);
    write_addresses(&p, d);
    write_rate(&p, d);
    HTML(&p.h, "<p class=\"actions\"><button class=\"main\">Create the key</button> "
               "<a class=\"button quiet\" href=\"" PATH_API_KEYS "\">Cancel</a></p></form>");
    return view_end(&p);
}

enum err console_get_new(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    return write_form(cx, req, out, &(struct draft){.e = E_OK});
}

static void put_scopes(json_t *body, const struct urlencoded *form)
{
    json_t *scopes = json_array();

    for (size_t i = 0; i < form->n; i++)
        if (str_eq(form->pairs[i].name, S("scopes")))
            json_array_append_new(scopes, text_of(form->pairs[i].value));
    json_object_set_new(body, "scopes", scopes);
}

/* Browsers send line ends as CR LF; commas and spaces part addresses too. */
static void put_addresses(json_t *body, str text)
{
    json_t *cidrs = json_array();

    for (size_t i = 0; i < text.n;) {
        size_t n = 0;
        while (i + n < text.n && !strchr(" \t\r\n,", text.p[i + n]))
            n++;
        if (n)
            json_array_append_new(cidrs, text_of(str_sub(text, i, n)));
        i += n + 1;
    }
    json_object_set_new(body, "allowedIpCidrs", cidrs);
}

/* What is no number stays a text, and the API says what is wrong with it. */
static json_t *number_of(str text)
{
    uint64_t value;

    return str_parse_u64(str_trim(text), INT64_MAX, &value) ? json_integer((json_int_t)value)
                                                            : text_of(text);
}

static void put_rate(json_t *body, const struct urlencoded *form)
{
    str requests = urlencoded_value(form, S("requests"));
    str seconds = urlencoded_value(form, S("windowSeconds"));
    json_t *rate = json_null();

    if (requests.n || seconds.n) {
        rate = (json_object)();
        json_object_set_new(rate, "requests", number_of(requests));
        json_object_set_new(rate, "windowSeconds", number_of(seconds));
    }
    json_object_set_new(body, "rateLimit", rate);
}

/* Through the whole day: its last millisecond. */
static void put_expiry(struct cx *cx, json_t *body, str day)
{
    char text[TIME_TEXT_BYTES];
    int64_t at_ms;

    if (day.n && time_parse_date(day, &at_ms)) {
        time_write(at_ms + DAY_MS - 1, text);
        day = arena_dup(cx->arena, (str){text, sizeof text});
    }
    json_object_set_new(body, "expiresAt", day.n ? text_of(day) : json_null());
}

/* What the API says of its members, where a form asks for them in another way. */
static void reword(json_t *problems)
{
    for (size_t i = 0; i < json_array_size(problems); i++) {
        json_t *problem = json_array_get(problems, i);
        str member = api_text(problem, "member");
        if (str_eq(member, S("scopes")))
            json_object_set_new(problem, "reason", json_string("need at least one to be ticked"));
        else if (str_eq(member, S("expiresAt")) &&
                 str_starts(api_text(problem, "reason"), S("must be an instant")))
            json_object_set_new(problem, "reason", json_string("must be a day like 2030-01-31"));
    }
}

/* The same form always gives the same bytes, by which a repetition is known. */
static json_t *body_of(struct cx *cx, const struct urlencoded *form)
{
    json_t *body = (json_object)();

    json_object_set_new(body, "name", text_of(urlencoded_value(form, S("name"))));
    put_scopes(body, form);
    put_addresses(body, urlencoded_value(form, S("allowedIpCidrs")));
    put_rate(body, form);
    put_expiry(cx, body, urlencoded_value(form, S("expiresAt")));
    return body;
}

enum err console_post_new(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    DROP(json) json_t *key = NULL;
    struct urlencoded form;
    str once;

    TRY(view_read_form(cx, req, S("scopes"), &form));
    TRY(view_nonce(cx, &form, &once));
    body = body_of(cx, &form);
    enum err e = api_run(cx,
                         &(struct api_call){.method = HTTP_POST,
                                            .target = S("/api/employer/api-keys"),
                                            .body = body,
                                            .once = once,
                                            .of = req},
                         NULL, &key);
    if (e == E_OK)
        return write_raw_key(cx, req, out, key, true);
    if (e != E_INVALID_REQUEST && e != E_API_KEY_LIMIT)
        return repeated(cx, e);
    struct draft d = {.form = &form, .problems = view_field_problems(cx), .e = e};
    reword(d.problems);
    IGNORE_ERR(write_form(cx, req, out, &d));
    json_decref(d.problems);
    return e;
}

/* ---- rotate ---- */

static const struct {
    str seconds;
    str text;
} overlaps[] = {
    {S("86400"), S("for 24 hours")},
    {S("3600"), S("for an hour")},
    {S("604800"), S("for 7 days")},
    {S("0"), S("not at all: it is refused at once")},
};

static enum err write_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out,
                             const json_t *key)
{
    struct view p = view_begin(cx, req, out, 200, S("Rotate the key"), S(PATH_API_KEYS));

    HTML(&p.h, "<p class=\"lead\">");
    key_write_title(&p, key);
    HTML(&p.h, "</p><p>The program gets a new key; name, scopes, rules and history stay. Put the "
               "new one in place before the former one ends.</p>");
    view_form_once(&p, key_path(cx->arena, api_text(key, "id"), "/rotate"));
    HTML(&p.h, "<fieldset><legend>How long does the former key go on working?</legend>");
    for (size_t i = 0; i < sizeof overlaps / sizeof *overlaps; i++) {
        HTML(&p.h,
             "<div class=\"choice\"><input type=\"radio\" name=\"overlap\" id=\"overlap-{}\""
             " value=\"{}\"",
             overlaps[i].seconds, overlaps[i].seconds);
        if (i == 0)
            HTML(&p.h, " checked");
        HTML(&p.h, "><label for=\"overlap-{}\">{}</label></div>", overlaps[i].seconds,
             overlaps[i].text);
    }
    HTML(&p.h,
         "</fieldset><p class=\"actions\"><button class=\"main\">Rotate the key</button> "
         "<a class=\"button quiet\" href=\"{}\">Cancel</a></p></form>",
         key_path(cx->arena, api_text(key, "id"), ""));
    return view_end(&p);
}

enum err console_get_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *key = NULL;

    TRY(key_get(cx, req, &key));
    return write_rotate(cx, req, out, key);
}

enum err console_post_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = (json_object)();
    DROP(json) json_t *key = NULL;
    struct urlencoded form;
    str once, target;

    TRY(view_read_form(cx, req, STR_NONE, &form));
    TRY(key_target(cx, req, "/rotate", &target));
    TRY(view_nonce(cx, &form, &once));
    json_object_set_new(body, "overlapSeconds", number_of(urlencoded_value(&form, S("overlap"))));
    enum err e =
        api_run(cx,
                &(struct api_call){
                    .method = HTTP_POST, .target = target, .body = body, .once = once, .of = req},
                NULL, &key);
    return e == E_OK ? write_raw_key(cx, req, out, key, false) : repeated(cx, e);
}

/* ---- revoke ---- */

enum err console_get_revoke(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *key = NULL;

    TRY(key_get(cx, req, &key));
    struct view p = view_begin(cx, req, out, 200, S("Revoke the key?"), S(PATH_API_KEYS));
    HTML(&p.h, "<p class=\"lead\">");
    key_write_title(&p, key);
    HTML(&p.h,
         "</p><div class=\"card\"><p>From the next request on, every program that sends this "
         "key, the former one after a rotation too, is refused with "
         "<code>API_KEY_REVOKED</code>. <strong>This cannot be undone.</strong> To stop it for"
         " a while only, switch it off instead.</p><p>Last use: ");
    view_time(&p, api_text(key, "lastUsedAt"), S("never"));
    HTML(&p.h, "</p></div>");
    view_form(&p, key_path(cx->arena, req->params[0], "/revoke"));
    HTML(&p.h,
         "<p class=\"actions\"><button class=\"danger\">Revoke “{}”</button> "
         "<a class=\"button quiet\" href=\"{}\">Keep it</a></p></form>",
         api_text(key, "name"), key_path(cx->arena, req->params[0], ""));
    return view_end(&p);
}

enum err console_post_revoke(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *answer = NULL;
    struct urlencoded form;
    str target;

    TRY(view_read_form(cx, req, STR_NONE, &form));
    TRY(key_target(cx, req, "", &target));
    TRY(api_run(
        cx,
        &(struct api_call){.method = HTTP_DELETE, .target = target, .once = STR_NONE, .of = req},
        NULL, &answer));
    return view_redirect(out, key_path(cx->arena, req->params[0], "?done=revoked"));
}
