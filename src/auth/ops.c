/* Sign in, sign out, and find who a session belongs to. */
#include "auth/ops.h"

#include "audit/audit.h"
#include "auth/throttle.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "crypto/password.h"
#include "crypto/random.h"

enum { TOKEN_BYTES = 32, TOKEN_TEXT_BYTES = 2 * TOKEN_BYTES };

/* Swapped by a reload. */
static struct auth_settings first;
static const struct auth_settings *_Atomic settings = &first;

void auth_start(const struct auth_settings *chosen)
{
    first = *chosen;
    settings = &first;
    throttle_start(chosen->failures_per_account, chosen->failures_per_address);
}

void auth_use(const struct auth_settings *chosen)
{
    settings = chosen;
    throttle_use(chosen->failures_per_account, chosen->failures_per_address);
}

void auth_stop(void)
{
    throttle_stop();
}

const struct auth_settings *auth_settings(void)
{
    return settings;
}

static struct principal principal_of(const struct account *account)
{
    return (struct principal){
        .kind = PRINCIPAL_PERSON,
        .id = account->id,
        .email = account->email,
        .role = account->role,
        .employer_id = account->employer_id,
        .home_employer_id = account->employer_id,
    };
}

/* ---- signing in ---- */

struct find {
    str email_folded;
    struct account account;
    bool is_found;
};

static enum err find_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct find *find = arg;
    enum err e = auth_find_account(cx, tx, find->email_folded, &find->account);

    find->is_found = e == E_OK;
    return e == E_ABSENT ? E_OK : e;
}

static struct rate_now clock_of(const struct cx *cx)
{
    return (struct rate_now){cx->now_ms, time_mono_ns()};
}

/* Who tries, and how often, is for others to choose: it is counted, not written each time. */
static void note_failed(const struct cx *cx, const char *code, const struct account *account)
{
    audit_note(cx, &(struct audit_note){
                       .action = "session.failed",
                       .code = code,
                       .target_kind = account ? "user" : NULL,
                       .target_id = account ? account->id : STR_NONE,
                       .employer_id = account ? account->employer_id : STR_NONE,
                   });
}

static enum err check_throttle(struct cx *cx, str folded, const struct net_addr *client)
{
    int64_t retry_after_ms;

    if (throttle_allows(folded, client, clock_of(cx), &retry_after_ms))
        return E_OK;
    note_failed(cx, "LOGIN_THROTTLED", NULL);
    cx->failure.retry_after_s = (retry_after_ms + SECOND_MS - 1) / SECOND_MS;
    return E_LOGIN_THROTTLED;
}

static bool may_sign_in(const struct find *find)
{
    return find->is_found && find->account.is_active && find->account.employer_is_active &&
           find->account.role >= ROLE_MEMBER;
}

struct opening {
    struct sha256 digest;
    const struct principal *who;
    int64_t expires_at_ms;
};

static enum err audit_session(struct cx *cx, struct tx *tx, const char *action,
                              const struct principal *who)
{
    return audit_write(cx, tx,
                       &(struct audit_line){.action = action,
                                            .actor = who,
                                            .target_kind = "user",
                                            .target_id = who->id,
                                            .employer_id = who->home_employer_id});
}

static enum err open_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct opening *o = arg;

    TRY(auth_insert_session(tx, &o->digest, o->who->id, cx->now_ms, o->expires_at_ms));
    return audit_session(cx, tx, "session.created", o->who);
}

enum err auth_login(struct cx *cx, const struct login *login, struct principal *who,
                    struct secret *token, int64_t *expires_at_ms)
{
    struct find find = {.email_folded = text_fold(cx->arena, login->email)};
    bool matches = false;

    TRY(check_throttle(cx, find.email_folded, &login->client));
    TRY(store_read(cx, find_in_tx, &find));
    TRY(password_verify(cx, login->password, find.is_found ? find.account.password_hash : STR_NONE,
                        &matches));
    /* Again: others may have failed meanwhile, and then not even a right guess is told. */
    TRY(check_throttle(cx, find.email_folded, &login->client));
    if (!matches || !may_sign_in(&find)) {
        throttle_failed(find.email_folded, &login->client, clock_of(cx));
        note_failed(cx, "LOGIN_FAILED", find.is_found ? &find.account : NULL);
        log_event(cx, LOG_WARN, "session.refused",
                  F("address", net_addr_write(cx->arena, &login->client)));
        return E_LOGIN_FAILED;
    }
    throttle_succeeded(find.email_folded);

    random_hex_secret(token, S(""), TOKEN_BYTES);
    struct principal person = principal_of(&find.account);
    struct opening opening = {digest_sha256(secret_reveal(token)), &person,
                              cx->now_ms + auth_settings()->session_lifetime_ms};
    TRY(store_run(cx, open_in_tx, &opening));
    *who = person;
    *expires_at_ms = opening.expires_at_ms;
    log_event(cx, LOG_INFO, "session.opened", F("userId", who->id));
    return E_OK;
}

/* ---- being signed in ---- */

struct holder {
    struct sha256 digest;
    struct account account;
};

static enum err holder_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct holder *holder = arg;

    return auth_find_by_session(cx, tx, &holder->digest, &holder->account);
}

enum err auth_find_session(struct cx *cx, const struct secret *token, struct principal *out)
{
    struct holder holder = {.digest = digest_sha256(secret_reveal(token))};

    if (token->n != TOKEN_TEXT_BYTES)
        return fail(cx, E_SESSION_INVALID, "The session cookie is not one of this server's.");
    enum err e = store_read(cx, holder_in_tx, &holder);
    if (e == E_ABSENT)
        return E_SESSION_INVALID;
    TRY(e);
    *out = principal_of(&holder.account);
    if (!holder.account.is_active)
        return E_SESSION_INVALID;
    return holder.account.employer_is_active ? E_OK : E_EMPLOYER_INACTIVE;
}

static enum err logout_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct account account;
    enum err e = auth_find_by_session(cx, tx, arg, &account);

    if (e == E_ABSENT) /* it was over already */
        return auth_delete_session(tx, arg);
    TRY(e);
    struct principal who = principal_of(&account);
    TRY(auth_delete_session(tx, arg));
    return audit_session(cx, tx, "session.ended", &who);
}

enum err auth_logout(struct cx *cx, const struct secret *token)
{
    struct sha256 digest = digest_sha256(secret_reveal(token));

    return store_run(cx, logout_in_tx, &digest);
}

static enum err sweep_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    (void)arg;
    return auth_delete_expired(tx, cx->now_ms);
}

enum err auth_sweep(struct cx *cx)
{
    return store_run(cx, sweep_in_tx, NULL);
}
