/* Gate tokens: made, listed, revoked; and who holds one. */
#include "gate/ops.h"

#include "audit/audit.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "gate/paths.h"
#include "gate/tokens.h"

static enum err lock_tokens(struct tx *tx)
{
    return tx_lock(tx, "gate", S(""));
}

static enum err audit_token(struct cx *cx, struct tx *tx, const char *action,
                            const struct gate_token *token)
{
    return audit_write(cx, tx,
                       &(struct audit_line){.action = action,
                                            .target_kind = "gate_token",
                                            .target_id = token->id,
                                            .detail = audit_detail(cx, F("name", token->name))});
}

/* ---- in memory ---- */

static enum err read_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    return gate_list_tokens(cx, tx, STR_NONE, GATE_TOKENS_MAX, arg);
}

static enum err learn_tokens(struct cx *cx)
{
    struct gate_token_list tokens;
    uint64_t epoch;

    do {
        epoch = gate_tokens_epoch();
        TRY(store_read(cx, read_in_tx, &tokens));
    } while (!gate_tokens_set(epoch, &tokens));
    return E_OK;
}

static enum err read_rules_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    return gate_list_rules(cx, tx, arg);
}

enum err gate_learn_rules(struct cx *cx)
{
    struct gate_rule_list rules;
    bool is_stale;

    do {
        uint64_t epoch = gate_paths_epoch();
        TRY(store_read(cx, read_rules_in_tx, &rules));
        TRY(gate_paths_set(cx, epoch, &rules, &is_stale));
    } while (is_stale);
    return E_OK;
}

enum err gate_learn_store(struct cx *cx)
{
    TRY(learn_tokens(cx));
    return gate_learn_rules(cx);
}

void gate_forget_rules(void)
{
    gate_paths_forget();
}

/* One that was made elsewhere is read at its first use. */
void gate_hear(str kind, str subject)
{
    if (str_eq(kind, S("gate_token")))
        gate_tokens_remove(subject);
}

enum err gate_begin(struct cx *cx)
{
    gate_tokens_forget();
    return gate_learn_store(cx);
}

/* The change may have been made although its answer was lost: then memory is wrong. */
static enum err forget_if_lost(enum err e)
{
    if (e == E_STORE_DOWN)
        gate_tokens_forget();
    return e;
}

/* ---- changes ---- */

static enum err insert_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct gate_token *token = arg;
    int64_t n = 0;

    TRY(lock_tokens(tx));
    TRY(gate_count_tokens(tx, &n));
    if (n >= GATE_TOKENS_MAX)
        return E_GATE_TOKEN_LIMIT;
    TRY(gate_insert_token(tx, token));
    return audit_token(cx, tx, "gate_token.created", token);
}

static void make_raw(struct gate_token *token, struct secret *raw)
{
    uint8_t chance[KEY_RANDOM_BYTES];
    char text[KEY_TEXT_MAX_BYTES];

    random_bytes(chance, sizeof chance);
    size_t n = key_text_make(gate_token_form(), chance, text);
    struct sha256 digest = digest_sha256((str){text, n});
    hex_write(digest.bytes, SHA256_BYTES, token->digest);
    secret_take(raw, text, n);
    mem_wipe(chance, sizeof chance);
}

enum err gate_add_token(struct cx *cx, struct gate_token *token, struct secret *raw)
{
    token->id = id_new(cx->arena, "gate", cx->now_ms);
    token->created_at_ms = cx->now_ms;
    make_raw(token, raw);
    TRY(forget_if_lost(store_run(cx, insert_in_tx, token)));
    gate_tokens_add(token);
    log_event(cx, LOG_INFO, "gate_token.created", F("gateTokenId", token->id));
    return E_OK;
}

struct listing {
    str after;
    int64_t limit;
    struct gate_token_list *out;
};

static enum err list_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct listing *listing = arg;

    return gate_list_tokens(cx, tx, listing->after, listing->limit, listing->out);
}

enum err gate_page_tokens(struct cx *cx, str after, int64_t limit, struct gate_token_list *out)
{
    struct listing listing = {after, limit, out};

    return store_read(cx, list_in_tx, &listing);
}

static enum err delete_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const str *id = arg;
    struct gate_token token;

    TRY(lock_tokens(tx));
    enum err e = gate_find_token(cx, tx, *id, &token);
    if (e == E_ABSENT)
        return E_GATE_TOKEN_NOT_FOUND;
    TRY(e);
    tx_announce(tx, "gate_token", *id);
    TRY(gate_delete_token(tx, *id));
    return audit_token(cx, tx, "gate_token.revoked", &token);
}

enum err gate_revoke_token(struct cx *cx, str id)
{
    TRY(forget_if_lost(store_run(cx, delete_in_tx, &id)));
    gate_tokens_remove(id);
    log_event(cx, LOG_INFO, "gate_token.revoked", F("gateTokenId", id));
    return E_OK;
}

/* ---- rules ---- */

static enum err replace_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct gate_rules_change *change = arg;
    int64_t n_before = 0;

    TRY(tx_lock(tx, "gate_rules", change->api));
    TRY(gate_delete_rules(tx, change->api, &n_before));
    for (size_t i = 0; i < change->rules.n; i++)
        TRY(gate_insert_rule(tx, &change->rules.list[i]));
    return audit_write(
        cx, tx,
        &(struct audit_line){.action = "gate_rules.changed",
                             .target_kind = "api",
                             .target_id = change->api,
                             .detail = audit_detail(cx, F("rules", (int64_t)change->rules.n),
                                                    F("rulesBefore", n_before))});
}

/* Memory is wrong from the commit on, whether or not its answer came: the next question reads. */
enum err gate_replace_rules(struct cx *cx, struct gate_rules_change *change)
{
    enum err e = store_run_large(cx, replace_in_tx, change);

    gate_paths_forget();
    if (e == E_OK)
        log_event(cx, LOG_INFO, "gate_rules.changed", F("api", change->api),
                  F("rules", (int64_t)change->rules.n));
    return e;
}

enum err gate_read_rules(struct cx *cx, str api, struct gate_rule_list *out)
{
    struct gate_rule_list all;

    TRY(store_read(cx, read_rules_in_tx, &all));
    *out = (struct gate_rule_list){.list = all.list};
    for (size_t i = 0; i < all.n; i++)
        if (str_eq(all.list[i].api, api))
            out->list[out->n++] = all.list[i];
    return E_OK;
}

/* ---- at the door ---- */

static bool is_known(struct cx *cx, const struct secret *token, struct principal *out)
{
    str id;

    if (!gate_tokens_find(cx->arena, token, &id))
        return false;
    *out = (struct principal){.kind = PRINCIPAL_GATE, .id = id};
    return true;
}

static enum err unknown(struct cx *cx)
{
    return fail(cx, E_GATE_TOKEN_INVALID, "It is none of this server's, or has been revoked.");
}

enum gate_door gate_judge(struct cx *cx, const struct secret *token, struct principal *out)
{
    if (key_text_judge(secret_reveal(token), gate_token_form()).fault != KEY_TEXT_OK) {
        IGNORE_ERR(fail(cx, E_GATE_TOKEN_INVALID, "A gate token is gt_%.*s_ and 64 hex digits.",
                        STR_ARG(gate_token_form()->environment)));
        return GATE_REFUSED;
    }
    return is_known(cx, token, out) ? GATE_KNOWN : GATE_ASK_STORE;
}

enum err gate_admit(struct cx *cx, const struct secret *token, struct principal *out)
{
    TRY(learn_tokens(cx));
    return is_known(cx, token, out) ? E_OK : unknown(cx);
}
