/* People and employers as other services know them: linking, and welcoming who is new. */
#include "audit/audit.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "people/ops.h"

enum err people_set_identities(struct cx *cx, struct tx *tx, enum identity_kind kind, str owner_id,
                               const struct identities *identities)
{
    TRY(people_delete_identities(tx, kind, owner_id));
    for (size_t i = 0; i < identities->n; i++) {
        const struct identity *identity = &identities->list[i];
        bool is_new;
        TRY(people_insert_identity(tx, kind, identity, owner_id, cx->now_ms, &is_new));
        if (!is_new)
            return fail(cx, E_IDENTITY_TAKEN, "%.*s of %.*s is linked already.",
                        STR_ARG(identity->id), STR_ARG(identity->issuer));
    }
    return E_OK;
}

/* ---- newcomers ---- */

struct welcome {
    const struct newcomer *newcomer;
    struct user user; /* to be made */
    struct known_user *out;
    bool is_made, is_linked;
};

static enum err unknown(struct cx *cx, const char *why)
{
    return fail(cx, E_USER_UNKNOWN, "Nobody here is linked to the token's subject, and %s.", why);
}

/* An ADMIN rules the whole server, so an address that some issuer vouches for is not enough. */
static enum err check_linkable(struct cx *cx, const struct newcomer *newcomer,
                               const struct known_user *user)
{
    if (!newcomer->may_link)
        return unknown(cx, "the token's address is another account's");
    if (!newcomer->email_is_verified)
        return unknown(cx, "the token does not say that its address is verified");
    if (user->role < ROLE_MEMBER || user->role >= ROLE_ADMIN || !user->is_active)
        return unknown(cx, "the account with the token's address cannot be linked by it");
    if (newcomer->employer_id.n && !str_eq(newcomer->employer_id, user->employer_id))
        return unknown(cx, "the account with the token's address belongs to another employer");
    return E_OK;
}

static enum err insert_newcomer(struct cx *cx, struct tx *tx, struct welcome *w)
{
    struct employer employer;
    enum err e;

    if (!w->newcomer->may_create)
        return unknown(cx, "users are not made by this issuer's tokens");
    if (w->user.employer_id.n == 0)
        return unknown(cx, "the token names no employer for a new user");
    if (w->newcomer->role < ROLE_MEMBER)
        return unknown(cx, "the token names no role for a new user");
    e = people_find_employer(cx, tx, w->user.employer_id, &employer);
    if (e == E_ABSENT)
        return fail(cx, E_EMPLOYER_NOT_FOUND, "The issuer's setting employer names none.");
    TRY(e);
    if (!employer.is_active)
        return E_EMPLOYER_INACTIVE;
    e = people_insert_user(tx, &w->user);
    if (e == E_STORE_CONFLICT)
        return unknown(cx, "the token's address has just become another account's");
    TRY(e);
    w->is_made = true;
    *w->out = (struct known_user){w->user.id,   w->user.email, w->user.employer_id,
                                  w->user.role, true,          true};
    return E_OK;
}

/* The newcomer did it, in signing in. */
static enum err audit_welcome(struct cx *cx, struct tx *tx, const struct welcome *w)
{
    const struct known_user *user = w->out;
    struct principal who = {.kind = PRINCIPAL_PERSON,
                            .id = user->id,
                            .role = user->role,
                            .employer_id = user->employer_id,
                            .home_employer_id = user->employer_id};

    return audit_write(
        cx, tx,
        &(struct audit_line){.action = w->is_made ? "user.created" : "user.linked",
                             .actor = &who,
                             .target_kind = "user",
                             .target_id = user->id,
                             .employer_id = user->employer_id,
                             .detail = audit_detail(cx, F("role", role_text(user->role)),
                                                    F("issuer", w->newcomer->identity.issuer))});
}

static enum err welcome_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct welcome *w = arg;
    const struct identity *identity = &w->newcomer->identity;
    bool is_new;

    w->is_made = w->is_linked = false;
    TRY(people_lock(tx));
    enum err e = people_find_by_identity(cx, tx, identity, w->out);
    if (e != E_ABSENT)
        return e;
    e = people_find_by_email(cx, tx, w->user.email_folded, w->out);
    if (e == E_OK)
        TRY(check_linkable(cx, w->newcomer, w->out));
    else if (e == E_ABSENT)
        TRY(insert_newcomer(cx, tx, w));
    else
        return e;
    w->is_linked = true;
    TRY(people_insert_identity(tx, IDENTITY_OF_USER, identity, w->out->id, cx->now_ms, &is_new));
    return audit_welcome(cx, tx, w);
}

static void log_welcome(const struct cx *cx, const struct welcome *w)
{
    if (w->is_made)
        log_event(cx, LOG_INFO, "user.created", F("userId", w->out->id),
                  F("issuer", w->newcomer->identity.issuer));
    else if (w->is_linked)
        log_event(cx, LOG_INFO, "user.linked", F("userId", w->out->id),
                  F("issuer", w->newcomer->identity.issuer));
}

enum err people_welcome(struct cx *cx, const struct newcomer *newcomer, struct known_user *out)
{
    struct known_user user;
    struct welcome w = {.newcomer = newcomer, .out = &user};

    if (!newcomer->may_create && !newcomer->may_link)
        return fail(cx, E_USER_UNKNOWN, "Nobody here is linked to the token's subject.");
    if (!text_is_email(newcomer->email))
        return unknown(cx,
                       "the token has no email that is an address and is not called unverified");
    w.user = (struct user){.id = id_new(cx->arena, "user", cx->now_ms),
                           .employer_id = newcomer->employer_id,
                           .email = arena_dup(cx->arena, newcomer->email),
                           .email_folded = text_fold(cx->arena, newcomer->email),
                           .role = newcomer->role,
                           .password_hash = STR_NONE,
                           .is_active = true,
                           .created_at_ms = cx->now_ms};
    TRY(store_run(cx, welcome_in_tx, &w));
    *out = user;
    log_welcome(cx, &w);
    return E_OK;
}
