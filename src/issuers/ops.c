/* From a token to a person; and ending sessions here that another service has begun. */
#include "issuers/ops.h"

#include "audit/audit.h"
#include "base/log.h"
#include "base/time.h"
#include "issuers/keys.h"

/* Longer than a service lets a session last without a new sign-in. */
static const int64_t REVOKED_KEPT_MS = 400 * DAY_MS;

/* Set once at start. */
static struct issuer issuers[ISSUERS_MAX];
static size_t n_issuers;

void issuers_start(const struct issuer *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        issuers[i] = list[i];
    n_issuers = n;
    keys_cache_start(issuers, n);
}

bool issuers_serve(void)
{
    return keys_cache_serve();
}

void issuers_stop(void)
{
    keys_cache_stop();
    n_issuers = 0;
}

bool issuers_any(void)
{
    return n_issuers > 0;
}

const struct issuer *issuers_find(str iss)
{
    for (size_t i = 0; i < n_issuers; i++)
        if (str_eq(issuers[i].iss, iss))
            return &issuers[i];
    return NULL;
}

/* ---- the token ---- */

static enum err read_payload(struct cx *cx, str text, json_t **out)
{
    enum err e = json_read(cx, text, out);

    if (e == E_OK && json_is_object(*out))
        return E_OK;
    return fail(cx, E_TOKEN_INVALID,
                "The token's payload is no valid JSON object, or repeats a "
                "member.");
}

/* What the token says before its signature is known to be good chooses the issuer, and no more. */
static enum err choose_issuer(struct cx *cx, const json_t *payload, const struct issuer **out)
{
    str iss = json_text(json_object_get(payload, "iss"));

    if (iss.n == 0)
        return fail(cx, E_TOKEN_INVALID, "The token's iss is missing or no text.");
    *out = issuers_find(iss);
    return *out ? E_OK
                : fail(cx, E_TOKEN_ISSUER_UNKNOWN,
                       "The token's iss is none of the issuers of this server.");
}

static enum err judge_token(struct cx *cx, str token, bool is_cookie, json_t **payload,
                            const struct issuer **issuer, struct claims *claims)
{
    struct jws jws;
    const char *fault = jws_parse(cx->arena, token, &jws);

    if (fault)
        return fail(cx, E_TOKEN_INVALID, "%s", fault);
    TRY(read_payload(cx, jws.payload, payload));
    TRY(choose_issuer(cx, *payload, issuer));
    TRY(token_judge_header(cx, *issuer, &jws));
    TRY(keys_cache_verify(cx, (size_t)(*issuer - issuers), &jws));
    TRY(claims_read(cx, *issuer, *payload, claims));
    return claims_judge(cx, *issuer, claims, is_cookie);
}

/* ---- the user ---- */

struct holder {
    const struct issuer *issuer;
    const struct claims *claims;
    struct known_user user;
    str employer_id; /* that the token names; STR_NONE: it names none */
    bool is_known;
};

static enum err find_employer(struct cx *cx, struct tx *tx, struct holder *h)
{
    struct identity identity = {h->issuer->iss, h->claims->employer};

    h->employer_id = STR_NONE;
    if (str_is_none(h->claims->employer))
        return E_OK;
    enum err e = people_find_employer_by_identity(cx, tx, &identity, &h->employer_id);
    if (e != E_ABSENT)
        return e;
    fail_hint(cx,
              "An ADMIN links it with PATCH /api/admin/employers/{employerId} "
              "{\"externalIds\":[{\"issuer\":\"%.*s\",\"id\":\"%.*s\"}]}.",
              STR_ARG(identity.issuer), STR_ARG(identity.id));
    return fail(cx, E_EMPLOYER_NOT_FOUND, "No employer here is linked to the one in the token.");
}

static enum err find_holder(struct cx *cx, struct tx *tx, void *arg)
{
    struct holder *h = arg;
    struct identity identity = {h->issuer->iss, h->claims->sub};
    bool is_revoked = false;

    if (!str_is_none(h->claims->sid))
        TRY(issuers_is_revoked(tx, h->issuer->iss, h->claims->sid, cx->now_ms, &is_revoked));
    if (is_revoked)
        return fail(cx, E_SESSION_INVALID, "The session was revoked.");
    enum err e = people_find_by_identity(cx, tx, &identity, &h->user);
    h->is_known = e == E_OK;
    if (e != E_OK && e != E_ABSENT)
        return e;
    return find_employer(cx, tx, h);
}

static enum err welcome(struct cx *cx, struct holder *h)
{
    const struct issuer *issuer = h->issuer;
    bool is_tokens_role = issuer->kind == ISSUER_CLERK || issuer->role_claim.n > 0;
    enum role role = is_tokens_role ? claims_role(issuer, h->claims) : ROLE_MEMBER;
    struct newcomer newcomer = {
        .identity = {issuer->iss, h->claims->sub},
        .email = h->claims->email_is_denied ? STR_NONE : h->claims->email,
        .email_is_verified = h->claims->email_is_verified,
        .employer_id = str_is_none(h->employer_id) ? issuer->employer_id : h->employer_id,
        /* ADMIN by a token lasts as long as the tokens say so: it is not kept. */
        .role = role < ROLE_ADMIN ? role : ROLE_EMPLOYER_ADMIN,
        .may_link = issuer->link_by_email,
        .may_create = issuer->create_users,
    };
    enum err e = people_welcome(cx, &newcomer, &h->user);

    if (e == E_USER_UNKNOWN)
        fail_hint(cx,
                  "An ADMIN links the subject with PATCH /api/admin/users/{userId} "
                  "{\"identities\":[{\"issuer\":\"%.*s\",\"id\":\"%.*s\"}]}.",
                  STR_ARG(issuer->iss), STR_ARG(h->claims->sub));
    return e;
}

static void log_actor(const struct cx *cx, const struct holder *h)
{
    if (!str_is_none(h->claims->actor))
        log_event(cx, LOG_INFO, "session.impersonated", F("userId", h->user.id),
                  F("actor", h->claims->actor));
}

enum err issuers_find_session(struct cx *cx, const struct secret *token, bool is_cookie,
                              struct principal *out)
{
    DROP(json) json_t *payload = NULL;
    struct claims claims;
    struct holder holder = {.claims = &claims};

    TRY(judge_token(cx, secret_reveal(token), is_cookie, &payload, &holder.issuer, &claims));
    TRY(store_read(cx, find_holder, &holder));
    if (!holder.is_known)
        TRY(welcome(cx, &holder));
    TRY(token_judge_user(cx, holder.issuer, &claims, &holder.user, holder.employer_id, out));
    log_actor(cx, &holder);
    return E_OK;
}

/* ---- ending sessions ---- */

static enum err revoke_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct revocation *r = arg;

    TRY(issuers_insert_revoked(tx, r->issuer, r->sid, cx->now_ms, r->ends_at_ms));
    return audit_write(cx, tx,
                       &(struct audit_line){.action = "session.revoked",
                                            .target_kind = "session",
                                            .target_id = r->sid,
                                            .employer_id = STR_NONE,
                                            .detail = audit_detail(cx, F("issuer", r->issuer))});
}

enum err issuers_revoke(struct cx *cx, struct revocation *revocation)
{
    revocation->ends_at_ms = cx->now_ms + REVOKED_KEPT_MS;
    TRY(store_run(cx, revoke_in_tx, revocation));
    log_event(cx, LOG_INFO, "session.revoked", F("issuer", revocation->issuer),
              F("sid", revocation->sid), F("by", cx->who->id));
    return E_OK;
}

static enum err sweep_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    (void)arg;
    return issuers_delete_ended(tx, cx->now_ms);
}

enum err issuers_sweep(struct cx *cx)
{
    return store_run(cx, sweep_in_tx, NULL);
}
