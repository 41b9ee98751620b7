/* Setting a password: with the one before, or with a link that an ADMIN has made. */
#include "audit/audit.h"
#include "auth/ops.h"
#include "auth/throttle.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/password.h"
#include "crypto/random.h"
#include "http/reply.h"

/* ---- with the one before ---- */

struct change {
    struct account account;
    struct sha256 session; /* that goes on; all zero: none does */
    str hash;              /* of the new one */
    bool is_changed;
};

static enum err read_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct change *change = arg;

    return auth_get_account(cx, tx, cx->who->id, &change->account);
}

static enum err change_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct change *change = arg;
    const struct account *account = &change->account;
    int64_t ended = 0;

    TRY(auth_change_password(tx, account->id, account->password_hash, change->hash, cx->now_ms,
                             &change->is_changed));
    if (!change->is_changed)
        return fail(cx, E_PASSWORD_INCORRECT, "Somebody else has just set another password.");
    TRY(auth_end_other_sessions(tx, account->id, &change->session, &ended));
    TRY(auth_delete_reset_of(tx, account->id));
    return auth_audit(cx, tx, "user.password_changed", NULL, account,
                      audit_detail(cx, F("sessionsEnded", ended)));
}

static enum err check_current(struct cx *cx, const struct password_change *change,
                              const struct account *account)
{
    str folded = text_fold(cx->arena, account->email);
    bool matches = false;

    if (str_is_none(account->password_hash))
        return fail(cx, E_PASSWORD_INCORRECT, "The account has no password yet.");
    TRY(auth_check_throttle(cx, folded, &change->client));
    TRY(password_verify(cx, change->current, account->password_hash, &matches));
    /* Again: others may have failed meanwhile, and then not even a right guess is told. */
    TRY(auth_check_throttle(cx, folded, &change->client));
    if (matches)
        throttle_succeeded(folded);
    else
        auth_note_failed(cx, folded, &change->client, account);
    return matches ? E_OK : E_PASSWORD_INCORRECT;
}

enum err auth_change_own_password(struct cx *cx, const struct password_change *password)
{
    struct change change = {0};

    enum err e = store_read(cx, read_in_tx, &change);
    if (e == E_ABSENT)
        return E_USER_NOT_FOUND;
    TRY(e);
    TRY(check_current(cx, password, &change.account));
    if (secret_is_set(password->session))
        change.session = digest_sha256(secret_reveal(password->session));
    TRY(password_hash(cx, password->next, &change.hash));
    TRY(store_run(cx, change_in_tx, &change));
    log_event(cx, LOG_INFO, "user.password_changed", F("userId", change.account.id));
    return E_OK;
}

/* ---- with a link ---- */

struct making {
    str person_id;
    struct sha256 digest;
    int64_t expires_at_ms;
};

static enum err make_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct making *making = arg;
    struct account account;
    enum err e = auth_get_account(cx, tx, making->person_id, &account);

    if (e == E_ABSENT)
        return E_USER_NOT_FOUND;
    TRY(e);
    TRY(auth_put_reset(tx, &making->digest, account.id, cx->now_ms, making->expires_at_ms));
    return auth_audit(cx, tx, "user.reset_link_created", NULL, &account, STR_NONE);
}

enum err auth_make_reset_link(struct cx *cx, str person_id, struct reset_link *out)
{
    str before = arena_printf(cx->arena, "%.*s/reset-password?token=", STR_ARG(http_public_url()));
    struct making making = {.person_id = person_id};

    random_hex_secret(&out->url, before, AUTH_TOKEN_BYTES);
    making.digest =
        digest_sha256(str_sub(secret_reveal(&out->url), before.n, AUTH_TOKEN_TEXT_BYTES));
    out->person_id = person_id;
    making.expires_at_ms = out->expires_at_ms =
        cx->now_ms + auth_settings()->reset_link_lifetime_ms;
    return store_run(cx, make_in_tx, &making);
}

struct reset {
    struct sha256 digest;
    struct account account;
    str hash;
};

static enum err find_reset_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct reset *reset = arg;
    str person_id;
    enum err e = auth_find_reset(cx, tx, &reset->digest, &person_id);

    return e == E_ABSENT ? E_RESET_LINK_INVALID
           : e           ? e
                         : auth_get_account(cx, tx, person_id, &reset->account);
}

static enum err reset_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct reset *reset = arg;
    int64_t ended = 0;

    TRY(find_reset_in_tx(cx, tx, arg)); /* it may have been used meanwhile */
    struct principal who = auth_principal_of(&reset->account);
    TRY(auth_set_password(tx, reset->account.id, reset->hash, cx->now_ms));
    TRY(auth_shut_out(tx, reset->account.id, &ended));
    return auth_audit(cx, tx, "user.password_reset", &who, &reset->account,
                      audit_detail(cx, F("sessionsEnded", ended)));
}

enum err auth_reset_password(struct cx *cx, const struct secret *token, const struct secret *next)
{
    struct reset reset = {.digest = digest_sha256(secret_reveal(token))};

    if (token->n != AUTH_TOKEN_TEXT_BYTES)
        return fail(cx, E_RESET_LINK_INVALID, "The token is not one of this server's.");
    /* Before the hash, which costs: not everybody may ask for one. */
    TRY(store_read(cx, find_reset_in_tx, &reset));
    TRY(password_hash(cx, next, &reset.hash));
    TRY(store_run(cx, reset_in_tx, &reset));
    throttle_succeeded(text_fold(cx->arena, reset.account.email));
    log_event(cx, LOG_INFO, "user.password_reset", F("userId", reset.account.id));
    return E_OK;
}
