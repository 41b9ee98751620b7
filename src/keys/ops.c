/* One function per thing a person can ask of keys. */
#include "keys/ops.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "apis/apis.h"
#include "audit/audit.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "crypto/random.h"
#include "keys/guesses.h"
#include "keys/table.h"
#include "keys/trust.h"
#include "keys/unknown.h"

enum {
    NOT_CURRENT_RETRY_S = 5,
    /* Of each second: where many keys are in use at once, writing down the use of each would take
     * more of the machine than their calls. */
    FLUSH_FOR_MS = 50,
    /* Uses of keys that left the memory wait in it, so they are written down at nearly any cost. */
    HOMELESS_MOST = 16384,
    FLUSH_HOMELESS_FOR_MS = 900,
};

static enum err flush_usage(struct cx *cx, int64_t until_ms, int64_t homeless_until_ms);

/* Swapped by a reload; has_imported only ever rises. */
static struct keys_settings first;
static const struct keys_settings *_Atomic settings = &first;
static atomic_bool has_imported;
static atomic_bool has_sha512;

void keys_start(const struct keys_settings *chosen)
{
    first = *chosen;
    atomic_store(&settings, &first);
    atomic_store(&has_imported, false);
    atomic_store(&has_sha512, false);
    table_start(chosen->cache_max);
    unknown_start(chosen->unknown_reads_per_s);
    guesses_start(chosen->guesses_a_minute);
}

void keys_use(const struct keys_settings *chosen)
{
    atomic_store(&settings, chosen);
    guesses_use(chosen->guesses_a_minute);
    unknown_use(chosen->unknown_reads_per_s);
}

void keys_stop(void)
{
    table_stop();
    unknown_stop();
    guesses_stop();
}

const struct keys_settings *keys_settings(void)
{
    return atomic_load_explicit(&settings, memory_order_acquire);
}

static enum err count_imported(struct cx *cx, struct tx *tx, void *arg)
{
    struct imported_keys *n = arg;

    (void)cx;
    return keys_count_imported(tx, n);
}

enum err keys_learn_store(struct cx *cx)
{
    struct imported_keys n;

    trust_set_shared(store_is_shared(cx->store));
    if (atomic_load(&has_imported) && atomic_load(&has_sha512))
        return E_OK;
    TRY(store_read(cx, count_imported, &n));
    if (n.all > 0)
        atomic_store(&has_imported, true);
    if (n.by_sha512 > 0)
        atomic_store(&has_sha512, true);
    return E_OK;
}

void keys_note_imported(bool by_sha512)
{
    atomic_store(&has_imported, true);
    if (by_sha512)
        atomic_store(&has_sha512, true);
}

void keys_count(struct keys_stats *out)
{
    struct table_stats table;
    struct unknown_stats unknown;

    table_count(&table);
    unknown_count(&unknown);
    *out = (struct keys_stats){.in_memory = table.keys,
                               .bytes = table.bytes,
                               .evictions = table.evictions,
                               .reads_found = unknown.found,
                               .reads_absent = unknown.absent,
                               .reads_saved = unknown.believed,
                               .filter_bytes = unknown.filter_bytes};
}

enum err keys_tick(struct cx *cx)
{
    int64_t now_ms = time_mono_ms();
    enum err flushed = flush_usage(cx, now_ms + FLUSH_FOR_MS, now_ms + FLUSH_HOMELESS_FOR_MS);
    enum err built = unknown_tick(cx, (struct rate_now){cx->now_ms, time_mono_ns()});

    return flushed == E_OK ? built : flushed;
}

void keys_forget_all(void)
{
    table_touch_all();
}

/* ---- what others change ---- */

void keys_hear(str kind, str subject)
{
    if (str_eq(kind, S("key")))
        table_touch(subject);
    else if (str_eq(kind, S("employer")) || str_eq(kind, S("user")) || str_eq(kind, S("api")) ||
             str_eq(kind, S("plan")))
        table_touch_all();
    else if (str_eq(kind, S("import")))
        keys_note_imported(str_eq(subject, S("sha512")));
}

enum err keys_begin(struct cx *cx)
{
    keys_forget_all();
    return keys_learn_store(cx);
}

/* ---- at the door ---- */

/* Text that cannot be one of our keys is refused without a look-up, unless keys of another system
 * were imported. */
static bool is_hopeless(const struct key_text_verdict *text, const struct secret *key)
{
    switch (text->fault) {
    case KEY_TEXT_OK:
        return false;
    case KEY_TEXT_MISSING:
    case KEY_TEXT_TWICE:
    case KEY_TEXT_IN_WRONG_PLACE:
    case KEY_TEXT_SPACES:
        return true;
    default:
        return !atomic_load(&has_imported) || !secret_is_set(key);
    }
}

/* A client that hides its address behind a proxy is counted by the proxy's. */
static void decide_unknown(const struct cx *cx, const struct decide_facts *facts,
                           struct keys_answer *out)
{
    const struct net_addr *guesser = facts->client.family == NET_NONE ? &cx->peer : &facts->client;
    struct meters none = {0};

    out->verdict = decide(NULL, facts, none, &none);
    if (out->verdict.code != E_INVALID_API_KEY || facts->text.fault != KEY_TEXT_OK)
        return;
    struct rate_verdict guesses = guesses_count(guesser, facts->now);
    if (!guesses.is_allowed)
        out->verdict = (struct verdict){.code = E_RATE_LIMITED, .rate = guesses};
}

/* What a text may be kept under: some systems that keys come from have SHA-512 of it. */
struct digests {
    struct sha256 list[2];
    size_t n;
};

static struct digests digests_of(const struct secret *key)
{
    str text = secret_reveal(key);
    struct digests digests = {{digest_sha256(text)}, 1};

    if (atomic_load_explicit(&has_sha512, memory_order_relaxed))
        digests.list[digests.n++] = digest_sha512_half(text);
    return digests;
}

enum keys_door keys_decide(struct cx *cx, const struct secret *key,
                           const struct decide_facts *facts, struct keys_answer *out)
{
    *out = (struct keys_answer){0};
    if (is_hopeless(&facts->text, key)) {
        decide_unknown(cx, facts, out);
        return KEYS_DECIDED;
    }
    /* An imported key has a text of its own; once found, its form is no fault. */
    struct digests digests = digests_of(key);
    struct decide_facts found = *facts;
    found.text.fault = KEY_TEXT_OK;
    int64_t since_ns = trust_since_ns(&keys_settings()->silence, facts->now.mono_ns);
    bool may_read = false;
    for (size_t i = 0; i < digests.n; i++) {
        switch (table_decide(cx->arena, &digests.list[i], since_ns, &found, out)) {
        case TABLE_DECIDED:
            return KEYS_DECIDED;
        case TABLE_ABSENT:
            may_read = may_read || unknown_may_read(&digests.list[i], facts->now);
            break;
        case TABLE_FOREIGN:
            may_read = may_read || unknown_may_read_in_vain(facts->now);
            break;
        }
    }
    if (may_read)
        return KEYS_ASK_STORE;
    decide_unknown(cx, facts, out);
    return KEYS_DECIDED;
}

struct lookup {
    struct digests digests;
    struct key_row row;
    bool is_found;
};

static enum err look_up(struct cx *cx, struct tx *tx, void *arg)
{
    struct lookup *lookup = arg;
    enum err e = E_ABSENT;

    for (size_t i = 0; e == E_ABSENT && i < lookup->digests.n; i++)
        e = keys_find_by_digest(cx, tx, &lookup->digests.list[i], &lookup->row);
    lookup->is_found = e == E_OK;
    return e == E_ABSENT ? E_OK : e;
}

/* What the table would say of it: a key that is none of the asker's was looked up in vain. */
static bool is_known_row(const struct key_row *row, const struct decide_facts *facts)
{
    struct decide_key key = {.api = row->key.api, .employer_id = row->key.employer_id};

    return decide_is_known(&key, facts);
}

static enum err not_current(struct cx *cx)
{
    cx->failure = (struct failure){.retry_after_s = NOT_CURRENT_RETRY_S};
    return fail(
        cx, E_KEYS_NOT_CURRENT,
        "For longer than stream_max_silence nobody could say whether keys are still valid.");
}

/* What is in memory may be believed now that the store is known to be away. */
static enum err decide_without_store(struct cx *cx, const struct secret *key,
                                     const struct decide_facts *facts, struct keys_answer *out)
{
    trust_note_unanswered();
    if (keys_decide(cx, key, facts, out) == KEYS_DECIDED)
        return E_OK;
    return trust_is_over(&keys_settings()->silence) ? not_current(cx) : E_STORE_DOWN;
}

enum err keys_admit(struct cx *cx, const struct secret *key, const struct decide_facts *facts,
                    struct keys_answer *out)
{
    struct lookup lookup = {.digests = digests_of(key)};
    const struct sha256 *paid = NULL; /* whose reading is */

    enum err learned = apis_refresh(cx);
    if (learned == E_STORE_DOWN)
        return decide_without_store(cx, key, facts, out);
    TRY(learned);
    if (keys_decide(cx, key, facts, out) == KEYS_DECIDED)
        return E_OK;
    for (size_t i = 0; !paid && i < lookup.digests.n; i++)
        if (unknown_begin_read(&lookup.digests.list[i], facts->now))
            paid = &lookup.digests.list[i];
    if (!paid) {
        decide_unknown(cx, facts, out);
        return E_OK;
    }
    do {
        if (trust_is_over(&keys_settings()->silence))
            return not_current(cx);
        uint64_t epoch = table_epoch();
        enum err e = store_read(cx, look_up, &lookup);
        if (e == E_STORE_DOWN)
            return decide_without_store(cx, key, facts, out);
        TRY(e);
        bool is_known = lookup.is_found && is_known_row(&lookup.row, facts);
        unknown_was_read(paid, is_known, facts->now);
        /* Also one that is none of the asker's: read each time, it would be told from one that does
         * not exist by the time that takes. */
        if (lookup.is_found)
            table_put(epoch, facts->now, &lookup.row);
        if (!is_known) {
            decide_unknown(cx, facts, out);
            return E_OK;
        }
    } while (keys_decide(cx, key, facts, out) == KEYS_ASK_STORE);
    return E_OK;
}

enum err key_lock_all_of(struct tx *tx, str employer_id)
{
    return tx_lock(tx, "keys", employer_id);
}

static enum err lock_keys(struct cx *cx, struct tx *tx)
{
    return key_lock_all_of(tx, cx->who->employer_id);
}

/* ---- issuing ---- */

void key_make_raw(struct cx *cx, const struct key_form *form, struct key *key,
                  struct key_secret *kept, struct secret *raw)
{
    uint8_t chance[KEY_RANDOM_BYTES];
    char text[KEY_TEXT_MAX_BYTES];

    random_bytes(chance, sizeof chance);
    size_t n = key_text_make(form, chance, text);
    key->prefix = key_shown_prefix(cx->arena, (str){text, n}, form);
    key->suffix = key_shown_suffix(cx->arena, (str){text, n});
    *kept = (struct key_secret){.digest = digest_sha256((str){text, n})};
    secret_take(raw, text, n);
    mem_wipe(chance, sizeof chance);
}

enum err key_audit(struct cx *cx, struct tx *tx, const char *action, const struct key *key,
                   str detail)
{
    return audit_write(cx, tx,
                       &(struct audit_line){.action = action,
                                            .target_kind = "api_key",
                                            .target_id = key->id,
                                            .employer_id = key->employer_id,
                                            .detail = detail});
}

str key_instant(struct cx *cx, int64_t at_ms)
{
    char text[TIME_TEXT_BYTES];

    if (at_ms == 0)
        return STR_NONE;
    time_write(at_ms, text);
    return arena_dup(cx->arena, (str){text, sizeof text});
}

static enum err audit_key_made(struct cx *cx, struct tx *tx, const char *action,
                               const struct key *key)
{
    return key_audit(cx, tx, action, key,
                     audit_detail(cx, F("name", key->name),
                                  F("scopes", scope_write(cx->arena, key->scopes)),
                                  F("expiresAt", key_instant(cx, key->expires_at_ms))));
}

struct issue {
    struct key *key;
    struct key_secret *secret;
};

enum err key_check_room(struct cx *cx, struct tx *tx, str employer_id, int64_t max, int64_t wanted)
{
    int64_t live = 0;

    TRY(keys_count_live(tx, employer_id, &live));
    if (live + wanted > max)
        return fail(cx, E_API_KEY_LIMIT, "%" PRId64 " keys are live, and %" PRId64 " may be.", live,
                    max);
    return E_OK;
}

static enum err insert_issued(struct cx *cx, struct tx *tx, void *arg)
{
    struct issue *issue = arg;

    TRY(lock_keys(cx, tx));
    TRY(key_check_room(cx, tx, cx->who->employer_id, keys_settings()->live_max, 1));
    TRY(keys_insert(tx, issue->key));
    TRY(keys_insert_secret(tx, issue->key->id, issue->secret, cx->now_ms));
    return audit_key_made(cx, tx, "api_key.created", issue->key);
}

enum err keys_issue(struct cx *cx, struct key *key, struct secret *raw)
{
    struct key_secret kept;
    struct issue issue = {key, &kept};

    key->id = id_new(cx->arena, "key", cx->now_ms);
    key->employer_id = cx->who->employer_id;
    key->created_by = cx->who->id;
    key_make_raw(cx, &keys_settings()->form, key, &kept, raw);
    enum err e = store_run(cx, insert_issued, &issue);
    unknown_add(&kept.digest);
    TRY(e);
    log_event(cx, LOG_INFO, "key.created", F("keyId", key->id), F("employerId", key->employer_id),
              F("by", key->created_by));
    return E_OK;
}

/* ---- reading ---- */

static enum err find_own(struct cx *cx, struct tx *tx, str id, struct key *out)
{
    enum err e = keys_find(cx, tx, cx->who->employer_id, id, out);

    return e == E_ABSENT ? E_API_KEY_NOT_FOUND : e;
}

struct get {
    str id;
    struct key *out;
};

static enum err get_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct get *get = arg;

    return find_own(cx, tx, get->id, get->out);
}

enum err keys_get(struct cx *cx, str id, struct key *out)
{
    struct get get = {id, out};

    return store_read(cx, get_in_tx, &get);
}

struct page_of_keys {
    str after;
    int64_t limit;
    struct key_list *out;
};

static enum err page_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct page_of_keys *page = arg;

    return keys_list(cx, tx, cx->who->employer_id, page->after, page->limit, page->out);
}

enum err keys_page(struct cx *cx, str after, int64_t limit, struct key_list *out)
{
    struct page_of_keys page = {after, limit, out};

    return store_read(cx, page_in_tx, &page);
}

/* ---- changing ---- */

struct change {
    str id;
    const json_t *patch;
    struct key *out;
};

static enum err find_live(struct cx *cx, struct tx *tx, str id, struct key *out)
{
    TRY(find_own(cx, tx, id, out));
    if (out->revoked_at_ms)
        return fail(cx, E_API_KEY_NOT_LIVE, "The key was revoked.");
    return E_OK;
}

enum err key_run_on(struct cx *cx, str id, store_work work, void *arg)
{
    enum err e = store_run(cx, work, arg);

    table_touch(id);
    return e;
}

/* More scopes than before is a line of its own: it is what an auditor asks for first. */
static enum err audit_change(struct cx *cx, struct tx *tx, const struct key *before,
                             const struct key *after)
{
    struct scope_set added = {after->scopes.bits & ~before->scopes.bits};

    TRY(key_audit(cx, tx, "api_key.updated", after,
                  audit_detail(cx, F("changed", key_changes(cx->arena, before, after)),
                               F("status", after->is_active ? S("active") : S("inactive")))));
    if (scope_has_all(before->scopes, after->scopes))
        return E_OK;
    return key_audit(cx, tx, "api_key.scopes_widened", after,
                     audit_detail(cx, F("added", scope_write(cx->arena, added)),
                                  F("scopes", scope_write(cx->arena, after->scopes))));
}

static enum err change_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct change *change = arg;
    struct key *key = change->out;
    struct form form;

    TRY(lock_keys(cx, tx));
    TRY(find_live(cx, tx, change->id, key));
    struct key before = *key;
    form_open(&form, cx, change->patch);
    key_read_patch(&form, cx->now_ms, key);
    TRY(form_close(&form));
    if (!scope_has_all(before.scopes, key->scopes) && !keys_settings()->scopes_may_widen)
        return fail(cx, E_INSUFFICIENT_ROLE,
                    "Scopes of an existing key may only be narrowed on this server"
                    " (key_scopes_may_widen is off).");
    key->updated_at_ms = cx->now_ms;
    tx_announce(tx, "key", key->id);
    TRY(keys_update(tx, key));
    return audit_change(cx, tx, &before, key);
}

enum err keys_change(struct cx *cx, str id, const json_t *patch, struct key *out)
{
    struct change change = {id, patch, out};

    TRY(key_run_on(cx, id, change_in_tx, &change));
    log_event(cx, LOG_INFO, "key.updated", F("keyId", id), F("by", cx->who->id));
    return E_OK;
}

struct rotate {
    str id;
    int64_t overlap_s;
    struct key *out;
    struct secret *raw;
    struct key_secret kept;
};

static enum err rotate_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct rotate *rotate = arg;
    struct key *key = rotate->out;
    int64_t ends_at_ms = cx->now_ms + rotate->overlap_s * SECOND_MS;

    TRY(lock_keys(cx, tx));
    TRY(find_live(cx, tx, rotate->id, key));
    tx_announce(tx, "key", key->id);
    TRY(keys_end_secrets(tx, key->id, cx->now_ms, ends_at_ms));
    key_make_raw(cx, &keys_settings()->form, key, &rotate->kept, rotate->raw);
    key->rotated_at_ms = key->updated_at_ms = cx->now_ms;
    key->previous_ends_at_ms = ends_at_ms;
    TRY(keys_mark_rotated(tx, key));
    TRY(keys_insert_secret(tx, key->id, &rotate->kept, cx->now_ms));
    return key_audit(cx, tx, "api_key.rotated", key,
                     audit_detail(cx, F("overlapSeconds", rotate->overlap_s)));
}

enum err keys_rotate(struct cx *cx, str id, int64_t overlap_s, struct key *out, struct secret *raw)
{
    struct rotate rotate = {.id = id, .overlap_s = overlap_s, .out = out, .raw = raw};
    enum err e = key_run_on(cx, id, rotate_in_tx, &rotate);

    unknown_add(&rotate.kept.digest);
    TRY(e);
    log_event(cx, LOG_INFO, "key.rotated", F("keyId", id), F("by", cx->who->id),
              F("overlapSeconds", overlap_s));
    return E_OK;
}

static enum err revoke_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct get *get = arg;

    TRY(lock_keys(cx, tx));
    TRY(find_own(cx, tx, get->id, get->out));
    if (get->out->revoked_at_ms)
        return E_OK;
    tx_announce(tx, "key", get->id);
    TRY(keys_mark_revoked(tx, cx->who->employer_id, get->id, cx->now_ms));
    return key_audit(cx, tx, "api_key.revoked", get->out,
                     audit_detail(cx, F("name", get->out->name)));
}

enum err keys_revoke_created_by(struct cx *cx, struct tx *tx, str person_id)
{
    struct key_list keys;

    TRY(keys_mark_revoked_of(cx, tx, person_id, &keys));
    for (size_t i = 0; i < keys.n; i++)
        TRY(audit_write(
            cx, tx,
            &(struct audit_line){.action = "api_key.revoked",
                                 .target_kind = "api_key",
                                 .target_id = keys.list[i].id,
                                 .employer_id = keys.list[i].employer_id,
                                 .detail = audit_detail(cx, F("name", keys.list[i].name),
                                                        F("creatorDeactivated", person_id))}));
    return E_OK;
}

enum err keys_revoke(struct cx *cx, str id)
{
    struct key key;
    struct get get = {id, &key};

    TRY(key_run_on(cx, id, revoke_in_tx, &get));
    log_event(cx, LOG_INFO, "key.revoked", F("keyId", id), F("by", cx->who->id));
    return E_OK;
}

/* ---- importing ---- */

struct import {
    struct key_import *lines;
    size_t n;
    size_t at;
};

static bool has_sha512_in(const struct import *import)
{
    for (size_t i = 0; i < import->n; i++)
        if (import->lines[i].secret.is_sha512)
            return true;
    return false;
}

static enum err import_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct import *import = arg;

    tx_announce(tx, "import", has_sha512_in(import) ? S("sha512") : S(""));
    TRY(lock_keys(cx, tx));
    TRY(key_check_room(cx, tx, cx->who->employer_id, keys_settings()->live_max,
                       (int64_t)import->n));
    for (import->at = 0; import->at < import->n; import->at++) {
        struct key_import *line = &import->lines[import->at];
        TRY(keys_insert(tx, &line->key));
        TRY(keys_insert_secret(tx, line->key.id, &line->secret, cx->now_ms));
        TRY(audit_key_made(cx, tx, "api_key.imported", &line->key));
    }
    return E_OK;
}

enum err keys_import(struct cx *cx, struct key_import *lines, size_t n, size_t *taken)
{
    struct import import = {lines, n, 0};

    for (size_t i = 0; i < n; i++) {
        lines[i].key.id = id_new(cx->arena, "key", cx->now_ms);
        lines[i].key.employer_id = cx->who->employer_id;
        lines[i].key.created_by = cx->who->id;
        lines[i].secret.is_imported = true;
    }
    enum err e = store_run_large(cx, import_in_tx, &import);
    for (size_t i = 0; i < import.at; i++)
        unknown_add(&lines[i].secret.digest);
    *taken = import.at;
    keys_note_imported(has_sha512_in(&import));
    TRY(e);
    log_event(cx, LOG_INFO, "keys.imported", F("keys", n), F("by", cx->who->id));
    return E_OK;
}

/* ---- usage ---- */

enum { USAGE_BATCH = 1000 };

struct flush {
    struct usage *list;
    size_t n;
};

static enum err flush_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct flush *flush = arg;

    (void)cx;
    for (size_t i = 0; i < flush->n; i++) {
        const struct usage *u = &flush->list[i];
        TRY(keys_add_usage(tx, u->id, u->requests, u->last_at_ms, u->last_ip));
    }
    return E_OK;
}

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct usage *)a)->id, ((const struct usage *)b)->id);
}

static bool is_time_left(int64_t until_ms, int64_t homeless_until_ms)
{
    int64_t now_ms = time_mono_ms();

    return now_ms < until_ms ||
           (now_ms < homeless_until_ms && table_count_homeless() > HOMELESS_MOST);
}

/* What is not written until then waits, and goes on counting. */
static enum err flush_usage(struct cx *cx, int64_t until_ms, int64_t homeless_until_ms)
{
    DROP(arena) struct arena *arena = arena_new();
    struct flush flush = {.list = arena_array(cx->arena, USAGE_BATCH, sizeof(struct usage))};

    while (is_time_left(until_ms, homeless_until_ms) &&
           (flush.n = table_take_usage(arena, flush.list, USAGE_BATCH)) > 0) {
        /* Other nodes write the same rows each second: in another order they would deadlock. */
        qsort(flush.list, flush.n, sizeof *flush.list, by_id);
        enum err e = store_run(cx, flush_in_tx, &flush);
        if (e != E_OK) {
            table_give_back_usage(flush.list, flush.n);
            return e;
        }
        arena_reset(arena);
    }
    return E_OK;
}

enum err keys_finish(struct cx *cx)
{
    return flush_usage(cx, INT64_MAX, INT64_MAX);
}
