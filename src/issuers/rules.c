/* Settings, claims and users, judged. */
#include "issuers/rules.h"

#include <inttypes.h>

#include "base/net.h"
#include "base/text.h"
#include "base/time.h"

/* ---- settings ---- */

static bool is_this_host(str host)
{
    struct net_addr addr;

    if (str_starts(host, S("[")) && str_ends(host, S("]")))
        host = str_sub(host, 1, host.n - 2);
    if (str_ieq(host, S("localhost")))
        return true;
    struct net_cidr loopback4, loopback6;
    net_cidr_parse(S("127.0.0.0/8"), &loopback4);
    net_cidr_parse(S("::1/128"), &loopback6);
    return net_addr_parse(host, &addr) &&
           (net_cidr_has(&loopback4, &addr) || net_cidr_has(&loopback6, &addr));
}

static str host_of(str authority)
{
    size_t end = authority.n;

    while (end > 0 && authority.p[end - 1] >= '0' && authority.p[end - 1] <= '9')
        end--;
    return end > 0 && end < authority.n && authority.p[end - 1] == ':'
               ? str_sub(authority, 0, end - 1)
               : authority;
}

bool issuer_url_is_fit(str url)
{
    str path = url;
    str scheme = str_cut(&path, S("://"));
    str authority = str_cut(&path, S("/"));

    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || str_has_byte(S("@?#\\\"<>"), url.p[i]))
            return false;
    if (authority.n == 0)
        return false;
    return str_eq(scheme, S("https")) ||
           (str_eq(scheme, S("http")) && is_this_host(host_of(authority)));
}

bool issuer_role_parse(str text, struct issuer_role *out)
{
    size_t colon = text.n;

    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    out->value = str_sub(text, 0, colon - 1);
    out->role = role_find(str_sub(text, colon, text.n));
    return out->role >= ROLE_MEMBER;
}

/* ---- the header ---- */

/* Other types are made for other ends: logout tokens, security events, proofs, assertions. */
static bool is_type_fit(const struct issuer *issuer, str typ)
{
    if (str_is_none(typ) || str_ieq(typ, S("JWT")))
        return true;
    return issuer->kind == ISSUER_OIDC &&
           (str_ieq(typ, S("at+jwt")) || str_ieq(typ, S("application/at+jwt")));
}

enum err token_judge_header(struct cx *cx, const struct issuer *issuer, const struct jws *jws)
{
    if (jws->alg == JWS_NO_ALG || !issuer->algs[jws->alg])
        return fail(cx, E_TOKEN_INVALID,
                    "The token's alg is not one that its issuer is configured with.");
    if (!is_type_fit(issuer, jws->typ))
        return fail(cx, E_TOKEN_INVALID, "The token's typ is not that of a session token.");
    return E_OK;
}

/* ---- reading ---- */

static enum err wrong(struct cx *cx, const char *claim, const char *what)
{
    return fail(cx, E_TOKEN_INVALID, "The token's %s %s.", claim, what);
}

static enum err read_text(struct cx *cx, const json_t *payload, const char *claim, bool is_needed,
                          str *out)
{
    const json_t *value = json_object_get(payload, claim);

    *out = STR_NONE;
    if (!value)
        return is_needed ? wrong(cx, claim, "is missing") : E_OK;
    *out = json_text(value);
    if (!json_is_string(value) || text_fault(*out, CLAIM_TEXT_MAX_CHARS))
        return wrong(cx, claim, "is no text of 1 to 255 characters");
    return E_OK;
}

/* RFC 7519 section 2: seconds since 1970, and parts of one may be there. */
static enum err read_time(struct cx *cx, const json_t *payload, const char *claim, bool is_needed,
                          int64_t *out_ms)
{
    const json_t *value = json_object_get(payload, claim);

    *out_ms = 0;
    if (!value)
        return is_needed ? wrong(cx, claim, "is missing") : E_OK;
    double seconds = json_is_number(value) ? json_number_value(value) : -1;
    if (!(seconds >= 0.001 && seconds <= (double)TIME_MAX_MS / 1000))
        return wrong(cx, claim, "is no time in seconds since 1970");
    *out_ms = (int64_t)(seconds * 1000);
    return E_OK;
}

/* By its own name first, which may hold dots; then member by member. */
static const json_t *claim_at(const json_t *payload, str path)
{
    const json_t *at = json_object_getn(payload, path.p, path.n);

    if (at)
        return at;
    for (at = payload; at && !str_is_none(path);) {
        str name = str_cut(&path, S("."));
        at = json_object_getn(at, name.p, name.n);
    }
    return at;
}

/* Clerk's session tokens: without v they are of version 1. */
static enum err read_clerk_version(struct cx *cx, const json_t *payload, bool *is_v2)
{
    const json_t *version = json_object_get(payload, "v");

    *is_v2 = json_integer_value(version) == 2;
    if (version && !*is_v2 && json_integer_value(version) != 1)
        return wrong(cx, "v", "is a version that is not known here");
    return E_OK;
}

static enum err read_employer(struct cx *cx, const json_t *value, str *out)
{
    *out = STR_NONE;
    if (json_is_array(value) && json_array_size(value) == 1)
        value = json_array_get(value, 0);
    if (!value || json_is_null(value))
        return E_OK;
    *out = json_text(value);
    if (!json_is_string(value) || text_fault(*out, IDENTITY_ID_MAX_CHARS))
        return wrong(cx, "employer claim", "is no text of 1 to 255 characters");
    return E_OK;
}

static enum err read_role(struct cx *cx, const json_t *value, const json_t **out)
{
    const json_t *item;
    size_t i;

    *out = json_is_null(value) ? NULL : value;
    json_array_foreach(value, i, item) if (!json_is_string(item)) return wrong(
        cx, "role claim", "is a list with something other than texts in it");
    if (*out && !json_is_string(value) && !json_is_array(value))
        return wrong(cx, "role claim", "is neither a text nor a list");
    return E_OK;
}

static enum err read_organization(struct cx *cx, const struct issuer *issuer, const json_t *payload,
                                  struct claims *out)
{
    str employer = issuer->employer_claim;
    str role = issuer->role_claim;
    bool is_v2 = false;

    if (issuer->kind == ISSUER_CLERK) {
        TRY(read_clerk_version(cx, payload, &is_v2));
        out->is_role_bare = is_v2 && role.n == 0;
        employer = employer.n ? employer : is_v2 ? S("o.id") : S("org_id");
        role = role.n ? role : is_v2 ? S("o.rol") : S("org_role");
    }
    if (employer.n)
        TRY(read_employer(cx, claim_at(payload, employer), &out->employer));
    return role.n ? read_role(cx, claim_at(payload, role), &out->role) : E_OK;
}

static enum err read_audience(struct cx *cx, const json_t *payload, const json_t **out)
{
    const json_t *value = json_object_get(payload, "aud");
    const json_t *item;
    size_t i;

    *out = value;
    if (value && !json_is_string(value) && !json_is_array(value))
        return wrong(cx, "aud", "is neither a text nor a list");
    json_array_foreach(value, i, item) if (!json_is_string(item)) return wrong(
        cx, "aud", "is a list with something other than texts in it");
    return E_OK;
}

enum err claims_read(struct cx *cx, const struct issuer *issuer, const json_t *payload,
                     struct claims *out)
{
    struct claims c = {.employer = STR_NONE};
    const json_t *verified = json_object_get(payload, "email_verified");

    TRY(read_time(cx, payload, "exp", true, &c.exp_ms));
    TRY(read_time(cx, payload, "nbf", false, &c.nbf_ms));
    TRY(read_time(cx, payload, "iat", false, &c.iat_ms));
    TRY(read_text(cx, payload, "azp", false, &c.azp));
    TRY(read_audience(cx, payload, &c.aud));
    TRY(read_text(cx, payload, "sub", true, &c.sub));
    TRY(read_text(cx, payload, "sid", issuer->kind == ISSUER_CLERK, &c.sid));
    TRY(read_text(cx, payload, "sts", false, &c.sts));
    TRY(read_organization(cx, issuer, payload, &c));
    c.email = json_text(json_object_get(payload, "email"));
    c.email_is_verified = json_is_true(verified);
    c.email_is_denied = verified && !c.email_is_verified;
    c.actor = json_text(json_object_get(json_object_get(payload, "act"), "sub"));
    *out = c;
    return E_OK;
}

/* ---- judging ---- */

static int64_t seconds_up(int64_t ms)
{
    return (ms + SECOND_MS - 1) / SECOND_MS;
}

static str instant(struct cx *cx, int64_t at_ms)
{
    char text[TIME_TEXT_BYTES];

    time_write(at_ms, text);
    return arena_dup(cx->arena, (str){text, sizeof text});
}

static enum err judge_end(struct cx *cx, const struct issuer *issuer, const struct claims *claims)
{
    if (cx->now_ms < claims->exp_ms + issuer->leeway_ms)
        return E_OK;
    fail_hint(cx,
              "Get a new token from the issuer. If it is new already, there is clock skew: compare "
              "this server's clock, %.*s, with the issuer's.",
              STR_ARG(instant(cx, cx->now_ms)));
    return fail(cx, E_TOKEN_EXPIRED, "The token expired %" PRId64 " s ago, at %.*s.",
                seconds_up(cx->now_ms - claims->exp_ms), STR_ARG(instant(cx, claims->exp_ms)));
}

static enum err judge_start(struct cx *cx, const struct issuer *issuer, const char *claim,
                            int64_t at_ms)
{
    if (cx->now_ms + issuer->leeway_ms >= at_ms)
        return E_OK;
    int64_t ahead_s = seconds_up(at_ms - cx->now_ms);
    fail_hint(cx,
              "There is clock skew of %" PRId64 " s or more: set this server's clock, %.*s, or the "
              "issuer's; or raise the issuer's leeway, %" PRId64 " s, up to 60 s.",
              ahead_s, STR_ARG(instant(cx, cx->now_ms)), issuer->leeway_ms / SECOND_MS);
    return fail(cx, E_TOKEN_NOT_YET_VALID, "The token's %s is %" PRId64 " s ahead, at %.*s.", claim,
                ahead_s, STR_ARG(instant(cx, at_ms)));
}

static bool holds(const struct issuer_texts *texts, str text)
{
    for (size_t i = 0; i < texts->n; i++)
        if (str_eq(texts->list[i], text))
            return true;
    return false;
}

static enum err judge_party(struct cx *cx, const struct issuer *issuer, const struct claims *claims,
                            bool is_cookie)
{
    if (issuer->parties.n == 0 && is_cookie)
        return fail(cx, E_TOKEN_PARTY,
                    "A token in a cookie is taken only of issuers with authorized_parties.");
    if (issuer->parties.n == 0 || holds(&issuer->parties, claims->azp))
        return E_OK;
    return fail(cx, E_TOKEN_PARTY, "The token's azp is %s.",
                str_is_none(claims->azp) ? "missing"
                                         : "not one of the issuer's authorized_parties");
}

static enum err judge_audience(struct cx *cx, const struct issuer *issuer,
                               const struct claims *claims)
{
    const json_t *item;
    size_t i;

    if (issuer->audiences.n == 0)
        return E_OK;
    if (json_is_string(claims->aud) && holds(&issuer->audiences, json_text(claims->aud)))
        return E_OK;
    json_array_foreach(claims->aud, i,
                       item) if (holds(&issuer->audiences, json_text(item))) return E_OK;
    return fail(cx, E_TOKEN_AUDIENCE, "The token's aud %s.",
                claims->aud ? "holds none of the issuer's audience" : "is missing");
}

enum err claims_judge(struct cx *cx, const struct issuer *issuer, const struct claims *claims,
                      bool is_cookie)
{
    TRY(judge_end(cx, issuer, claims));
    TRY(judge_start(cx, issuer, "nbf", claims->nbf_ms));
    TRY(judge_start(cx, issuer, "iat", claims->iat_ms));
    TRY(judge_party(cx, issuer, claims, is_cookie));
    TRY(judge_audience(cx, issuer, claims));
    /* Clerk: a session with tasks left to do is pending, and nobody is signed in by it. */
    if (str_eq(claims->sts, S("pending")))
        return fail(cx, E_SESSION_INVALID, "The session is pending: its sign-in is not complete.");
    return E_OK;
}

/* ---- who it is ---- */

static const struct issuer_role clerk_roles[] = {
    {{"org:admin", 9}, ROLE_EMPLOYER_ADMIN},
    {{"org:member", 10}, ROLE_MEMBER},
};

static bool is_role(const struct issuer_role *role, str value, bool is_bare)
{
    if (!is_bare)
        return str_eq(role->value, value);
    return str_starts(role->value, S("org:")) && str_eq(str_sub(role->value, 4, SIZE_MAX), value);
}

static enum role mapped(const struct issuer *issuer, str value, bool is_bare)
{
    bool is_default = issuer->kind == ISSUER_CLERK && issuer->n_roles == 0;
    const struct issuer_role *roles = is_default ? clerk_roles : issuer->roles;
    size_t n = is_default ? sizeof clerk_roles / sizeof *clerk_roles : issuer->n_roles;
    enum role best = ROLE_NONE;

    for (size_t i = 0; i < n; i++)
        if (is_role(&roles[i], value, is_bare) && roles[i].role > best)
            best = roles[i].role;
    return best;
}

enum role claims_role(const struct issuer *issuer, const struct claims *claims)
{
    enum role best = ROLE_NONE;
    const json_t *item;
    size_t i;

    if (json_is_string(claims->role))
        return mapped(issuer, json_text(claims->role), claims->is_role_bare);
    json_array_foreach(claims->role, i, item)
    {
        enum role role = mapped(issuer, json_text(item), claims->is_role_bare);
        best = role > best ? role : best;
    }
    return best;
}

static enum err judge_role(struct cx *cx, const struct issuer *issuer, const struct claims *claims,
                           const struct known_user *user, enum role *out)
{
    bool is_tokens = issuer->kind == ISSUER_CLERK || issuer->role_claim.n > 0;

    *out = user->role;
    if (user->role == ROLE_ADMIN || !is_tokens)
        return E_OK;
    *out = claims_role(issuer, claims);
    if (*out != ROLE_NONE)
        return E_OK;
    fail_hint(cx, "Sign in with a role that role_map of the issuer knows%s.",
              issuer->kind == ISSUER_CLERK ? ", in an active organization" : "");
    return fail(cx, E_INSUFFICIENT_ROLE, "The token's role claim is %s.",
                claims->role ? "not in the issuer's role_map" : "missing");
}

enum err token_judge_user(struct cx *cx, const struct issuer *issuer, const struct claims *claims,
                          const struct known_user *user, str employer_id, struct principal *out)
{
    enum role role;

    if (!user->is_active || user->role < ROLE_MEMBER)
        return fail(cx, E_SESSION_INVALID, "The user is not active.");
    if (!user->employer_is_active)
        return E_EMPLOYER_INACTIVE;
    TRY(judge_role(cx, issuer, claims, user, &role));
    bool is_own = str_is_none(employer_id) || str_eq(employer_id, user->employer_id);
    if (!is_own && role != ROLE_ADMIN)
        return fail(cx, E_INSUFFICIENT_ROLE,
                    "The token names an employer that is not the user's; only an ADMIN acts for "
                    "another.");
    *out = (struct principal){
        .kind = PRINCIPAL_PERSON,
        .id = user->id,
        .email = user->email,
        .role = role,
        .employer_id = is_own ? user->employer_id : employer_id,
        .home_employer_id = user->employer_id,
    };
    return E_OK;
}
