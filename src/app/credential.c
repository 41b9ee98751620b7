/* Which credential a request brings, where several could be there, or one in the wrong place. */
#include <unistd.h>

#include "app/visit.h"
#include "auth/auth.h"
#include "console/console.h"
#include "issuers/issuers.h"

/* Is the text of Authorization one of our keys, with or without a scheme before it? */
static bool holds_key(str text, const struct key_form *form)
{
    str rest = text;
    str word = str_cut(&rest, S(" "));

    return key_text_resembles(word, form) || key_text_resembles(str_trim(rest), form);
}

static bool is_key_misplaced(const struct http_req *req, const struct key_form *form)
{
    str query = req->query;

    if (holds_key(secret_reveal(&req->authorization), form))
        return true;
    while (query.n) {
        str value = str_cut(&query, S("&"));
        str_cut(&value, S("="));
        if (key_text_resembles(value, form))
            return true;
    }
    return false;
}

static bool is_operator(const struct http_req *req)
{
    return req->way == HTTP_OVER_CONTROL &&
           (req->local_uid == 0 || req->local_uid == (int64_t)geteuid());
}

/* RFC 6750 section 2.1. STR_NONE: another scheme, or a key, which is somebody's mistake. */
static str bearer_of(const struct http_req *req, const struct key_form *form)
{
    str token = secret_reveal(&req->authorization);
    str scheme = str_cut(&token, S(" "));

    if (!str_ieq(scheme, S("Bearer")) || str_is_none(token) ||
        holds_key(secret_reveal(&req->authorization), form))
        return STR_NONE;
    return str_trim(token);
}

/* What is sent on purpose goes before what the browser adds, and our own before others'. */
static enum credential find_session(struct visit *v)
{
    str cookies = secret_reveal(&v->req->cookie);
    str bearer = issuers_any() ? bearer_of(v->req, &keys_settings()->form) : STR_NONE;
    str own = http_cookie(cookies, S(SESSION_COOKIE));
    str token = issuers_any() ? http_cookie(cookies, S(TOKEN_COOKIE)) : STR_NONE;

    secret_set(&v->session, !str_is_none(bearer) ? bearer : own.n ? own : token);
    if (!str_is_none(bearer))
        return CREDENTIAL_TOKEN;
    if (own.n)
        return CREDENTIAL_SESSION;
    return token.n ? CREDENTIAL_TOKEN_COOKIE : CREDENTIAL_NONE;
}

/* RFC 7519 section 3: three parts, the first of which is JSON in base64url. */
static bool is_jwt(str text)
{
    size_t dots = 0;

    for (size_t i = 0; i < text.n; i++)
        dots += text.p[i] == '.';
    return dots == 2 && str_starts(text, S("eyJ"));
}

static enum err read_bearer(struct visit *v)
{
    str rest = secret_reveal(&v->req->authorization);
    str scheme = str_cut(&rest, S(" "));

    if (!str_ieq(scheme, S("Bearer")))
        return fail(&v->cx, E_MALFORMED_REQUEST, "Authorization does not begin with 'Bearer '.");
    if (!rest.n || str_has_byte(rest, ' ') || str_has_byte(rest, '\t') || str_has_byte(rest, ','))
        return fail(&v->cx, E_MALFORMED_REQUEST, "Authorization holds %s after 'Bearer '.",
                    rest.n ? "more than one word" : "nothing");
    secret_set(&v->session, rest);
    if (is_jwt(rest) && !issuers_any())
        return fail(&v->cx, E_TOKEN_ISSUER_UNKNOWN, "No issuer of tokens is configured.");
    if (is_jwt(rest)) {
        v->credential = CREDENTIAL_TOKEN;
        return E_OK;
    }
    v->credential = CREDENTIAL_KEY;
    v->key = &v->session;
    v->facts.text = key_text_judge(rest, &v->form);
    return E_OK;
}

enum err visit_find_bearer(struct visit *v)
{
    const struct http_req *req = v->req;

    if (secret_is_set(&req->authorization))
        return read_bearer(v);
    v->credential = find_session(v);
    if (v->credential == CREDENTIAL_NONE && req->n_api_keys > 0) {
        v->credential = CREDENTIAL_KEY;
        v->facts.text.fault = KEY_TEXT_IN_WRONG_PLACE;
    } else if (v->credential == CREDENTIAL_NONE && is_operator(req)) {
        v->credential = CREDENTIAL_OPERATOR;
    }
    return E_OK;
}

void visit_find_credential(struct visit *v)
{
    const struct http_req *req = v->req;
    const struct key_form *form = &keys_settings()->form;
    enum credential session = find_session(v);
    bool prefers_session = v->route->access.kind == ACCESS_SESSION && session != CREDENTIAL_NONE;

    if (req->n_api_keys > 0 && !prefers_session) {
        v->credential = CREDENTIAL_KEY;
        v->facts.text = key_text_judge(secret_reveal(&req->api_key), form);
        if (req->n_api_keys > 1)
            v->facts.text.fault = KEY_TEXT_TWICE;
    } else if (session != CREDENTIAL_NONE) {
        v->credential = session;
    } else if (is_key_misplaced(req, form)) {
        v->credential = CREDENTIAL_KEY;
        v->facts.text.fault = KEY_TEXT_IN_WRONG_PLACE;
    } else if (is_operator(req) && !console_owns(req->path)) {
        v->credential = CREDENTIAL_OPERATOR;
    }
}
