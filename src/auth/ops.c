/* Sign in, sign out, and find who a session belongs to. */
#include "auth/ops.h"

#include "audit/audit.h"
#include "auth/throttle.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "crypto/password.h"
#include "crypto/random.h"

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

struct principal auth_principal_of(const struct account *account)
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

enum err auth_check_throttle(struct cx *cx, str folded, const struct net_addr *client)
{
    int64_t retry_after_ms;

    if (throttle_allows(folded, client, clock_of(cx), &retry_after_ms))
        return E_OK;
    note_failed(cx, "LOGIN_THROTTLED", NULL);
    cx->failure.retry_after_s = (retry_after_ms + SECOND_MS - 1) / SECOND_MS;
    return E_LOGIN_THROTTLED;
}

void auth_note_failed(struct cx *cx, str folded, const struct net_addr *client,
                      const struct account *account)
{
    throttle_failed(folded, client, clock_of(cx));
    note_failed(cx, "LOGIN_FAILED", account);
    log_event(cx, LOG_WARN, "session.refused", F("address", net_addr_write(cx->arena, client)));
}

static bool may_sign_in(const struct find *find)
{
    return find->is_found && find->account.is_active && find->account.employer_is_active &&
           find->account.role >= ROLE_MEMBER;
}

enum err auth_audit(struct cx *cx, struct tx *tx, const char *action, const struct principal *actor,
                    const struct account *about, str detail)
{
    return audit_write(cx, tx,
                       &(struct audit_line){.action = action,
                                            .actor = actor,
                                            .target_kind = "user",
                                            .target_id = about->id,
                                            .employer_id = about->employer_id,
                                            .detail = detail});
}

struct opening {
    struct session session;
    const struct account *account;
};

static enum err open_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct opening *o = arg;
    struct principal who = auth_principal_of(o->account);

    TRY(auth_insert_session(tx, &o->session));
    return auth_audit(cx, tx, "session.created", &who, o->account,
                      audit_detail(cx, F("sessionId", o->session.id)));
}

static str address_of(struct cx *cx, const struct net_addr *client)
{
    return client->family == NET_NONE ? STR_NONE : net_addr_write(cx->arena, client);
}

enum err auth_login(struct cx *cx, const struct login *login, struct principal *who,
                    struct secret *token, int64_t *expires_at_ms)
{
    struct find find = {.email_folded = text_fold(cx->arena, login->email)};
    bool matches = false;

    TRY(auth_check_throttle(cx, find.email_folded, &login->client));
    TRY(store_read(cx, find_in_tx, &find));
    TRY(password_verify(cx, login->password, find.is_found ? find.account.password_hash : STR_NONE,
                        &matches));
    /* Again: others may have failed meanwhile, and then not even a right guess is told. */
    TRY(auth_check_throttle(cx, find.email_folded, &login->client));
    if (!matches || !may_sign_in(&find)) {
        auth_note_failed(cx, find.email_folded, &login->client,
                         find.is_found ? &find.account : NULL);
        return E_LOGIN_FAILED;
    }
    throttle_succeeded(find.email_folded);

    random_hex_secret(token, S(""), AUTH_TOKEN_BYTES);
    struct opening opening = {
        .session = {.id = id_new(cx->arena, "sess", cx->now_ms),
                    .digest = digest_sha256(secret_reveal(token)),
                    .person_id = find.account.id,
                    .created_at_ms = cx->now_ms,
                    .expires_at_ms = cx->now_ms + auth_settings()->session_lifetime_ms,
                    .address = address_of(cx, &login->client),
                    .user_agent = audit_user_agent(cx)},
        .account = &find.account,
    };
    TRY(store_run(cx, open_in_tx, &opening));
    *who = auth_principal_of(&find.account);
    *expires_at_ms = opening.session.expires_at_ms;
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

    if (token->n != AUTH_TOKEN_TEXT_BYTES)
        return fail(cx, E_SESSION_INVALID, "The session cookie is not one of this server's.");
    enum err e = store_read(cx, holder_in_tx, &holder);
    if (e == E_ABSENT)
        return E_SESSION_INVALID;
    TRY(e);
    *out = auth_principal_of(&holder.account);
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
    struct principal who = auth_principal_of(&account);
    TRY(auth_delete_session(tx, arg));
    return auth_audit(cx, tx, "session.ended", &who, &account, STR_NONE);
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
