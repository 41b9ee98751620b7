/* Opening the audit, writing lines, reading them, and what the clockwork does. */
#include "audit/ops.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "audit/keys.h"
#include "audit/notes.h"
#include "audit/seal.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

enum { DETAIL_MAX_BYTES = 16 * 1024, HEAD_TICKS = 60, ARCHIVE_TICKS = 3600 };

/* Set once at start; what follows belongs to the clockwork's thread alone. */
static struct audit_settings settings;
static int64_t n_ticks;
static int64_t logged_number;

void audit_start(const struct audit_settings *chosen)
{
    settings = *chosen;
    n_ticks = logged_number = 0;
    notes_start();
}

void audit_stop(void)
{
    notes_stop();
    audit_keys_forget();
}

const struct audit_settings *audit_settings(void)
{
    return &settings;
}

/* ---- opening ---- */

static enum err write_first_line(struct cx *cx, struct tx *tx)
{
    return audit_write(cx, tx, &(struct audit_line){.action = "audit.opened"});
}

/* Only where there is nothing at all: an audit that was emptied is not opened anew, but told. */
static enum err is_unopened(struct cx *cx, struct tx *tx, bool *out)
{
    struct audit_kept_head head;
    struct audit_key_rows keys;
    int64_t lines = 0;
    enum err e = audit_find_head(cx, tx, &head);

    *out = false;
    if (e == E_ABSENT)
        return E_OK;
    TRY(e);
    TRY(audit_list_keys(cx, tx, &keys));
    TRY(audit_count_lines(tx, &lines));
    *out = head.head.number == 0 && head.key_id.n == 0 && keys.n == 0 && lines == 0;
    return E_OK;
}

static enum err open_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct audit_key_rows keys;
    bool is_first = false;

    (void)arg;
    TRY(tx_lock(tx, "audit", S("")));
    TRY(is_unopened(cx, tx, &is_first));
    TRY(audit_list_keys(cx, tx, &keys));
    if (keys.n == 0) {
        DROP(instance_key) struct instance_key key;
        instance_key_get(&key);
        TRY(audit_keys_add(cx, tx, &key));
    }
    TRY(audit_keys_read(cx, tx));
    return is_first ? write_first_line(cx, tx) : E_OK;
}

static enum err read_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct audit_key_rows keys;
    bool *is_open = arg;

    TRY(audit_list_keys(cx, tx, &keys));
    *is_open = keys.n > 0;
    return *is_open ? audit_keys_read(cx, tx) : E_OK;
}

enum err audit_allow_opening(struct tx *tx)
{
    return audit_insert_head(
        tx, &(struct audit_kept_head){.head = {0, S("")}, .key_id = S(""), .mac = S("")});
}

enum err audit_open(struct cx *cx)
{
    bool is_open = false;

    store_set_closing(cx->store, audit_seal_in_tx);
    TRY(store_read(cx, read_in_tx, &is_open));
    return is_open ? E_OK : store_run(cx, open_in_tx, NULL);
}

enum err audit_rekey(struct cx *cx, struct tx *tx, const struct instance_key *keys)
{
    TRY(tx_lock(tx, "audit", S("")));
    TRY(audit_keys_rewrap(cx, tx, keys));
    return audit_keys_add(cx, tx, keys);
}

/* ---- writing ---- */

str audit_detail_of(struct cx *cx, const struct log_field *fields)
{
    struct buf text;
    struct json_out j = {&text};

    buf_init(&text, DETAIL_MAX_BYTES);
    json_open_object(&j, STR_NONE);
    for (; fields->name; fields++) {
        if (fields->is_number)
            json_put_int(&j, str_of(fields->name), fields->number);
        else if (!str_is_none(fields->text))
            json_put_text(&j, str_of(fields->name), fields->text);
    }
    json_close_object(&j);
    str kept = text.is_full ? S("{\"cut\":true}") : arena_dup(cx->arena, buf_str(&text));
    buf_drop(&text);
    return kept;
}

static str none_if_empty(str text)
{
    return text.n ? text : STR_NONE;
}

static void put_actor(const struct principal *who, struct audit_record *out)
{
    static const str kinds[] = {[PRINCIPAL_KEY] = {"key", 3},
                                [PRINCIPAL_PERSON] = {"user", 4},
                                [PRINCIPAL_OPERATOR] = {"operator", 8},
                                [PRINCIPAL_GATE] = {"gate", 4}};

    out->text[AUDIT_ACTOR_KIND] = who ? kinds[who->kind] : S("server");
    if (!who)
        return;
    out->text[AUDIT_ACTOR_ID] = none_if_empty(who->id);
    out->text[AUDIT_ROLE] = none_if_empty(role_text(who->role));
    out->text[AUDIT_ACTOR_EMPLOYER_ID] = none_if_empty(who->home_employer_id);
}

str audit_user_agent(const struct cx *cx)
{
    return audit_agent(cx->arena, cx->user_agent, &settings.key_form);
}

static void put_origin(const struct cx *cx, struct audit_record *out)
{
    if (cx->client.family != NET_NONE)
        out->text[AUDIT_ADDRESS] = net_addr_write(cx->arena, &cx->client);
    out->text[AUDIT_USER_AGENT] = audit_user_agent(cx);
    out->text[AUDIT_REQUEST_ID] = none_if_empty(cx->request_id);
}

enum err audit_insert(struct cx *cx, struct tx *tx, struct audit_record *record)
{
    DROP(audit_key) struct audit_key key;

    audit_key_current(&key);
    record->at_ms = cx->now_ms;
    record->text[AUDIT_ID] = id_new(cx->arena, "aud", cx->now_ms);
    record->text[AUDIT_KEY_ID] = arena_dup(cx->arena, audit_key_id(&key));
    record->mac = audit_line_mac(cx->arena, &key, record);
    tx_closes(tx);
    return audit_insert_line(tx, record);
}

enum err audit_write(struct cx *cx, struct tx *tx, const struct audit_line *line)
{
    struct audit_record record = {.text = {[AUDIT_ACTION] = str_of(line->action)}};

    put_actor(line->actor ? line->actor : cx->who, &record);
    put_origin(cx, &record);
    record.text[AUDIT_EMPLOYER_ID] = none_if_empty(line->employer_id);
    record.text[AUDIT_TARGET_KIND] = str_of(line->target_kind);
    record.text[AUDIT_TARGET_ID] = none_if_empty(line->target_id);
    record.text[AUDIT_DETAIL] = none_if_empty(line->detail);
    return audit_insert(cx, tx, &record);
}

/* ---- notes ---- */

void audit_note(const struct cx *cx, const struct audit_note *note)
{
    struct audit_record origin = {0};

    put_actor(note->actor, &origin);
    if (!note->actor)
        origin.text[AUDIT_ACTOR_KIND] = S("nobody");
    put_origin(cx, &origin);
    notes_add(note, &origin, cx->now_ms, time_mono_ms());
}

static const char *denial_of(enum err e)
{
    switch (e) {
    case E_API_KEY_REVOKED:
        return "api_key.used_after_revocation";
    case E_RATE_LIMITED:
        return "authorization.limited";
    default:
        return "authorization.denied";
    }
}

void audit_note_denial(const struct cx *cx, enum err e, const char *route,
                       const struct principal *who, str reason, str hint)
{
    bool is_about_key = e == E_API_KEY_REVOKED && who;

    audit_note(cx, &(struct audit_note){
                       .action = denial_of(e),
                       .code = err_info(e)->code.p,
                       .route = route,
                       .actor = who,
                       .target_kind = is_about_key ? "api_key" : NULL,
                       .target_id = is_about_key ? who->id : STR_NONE,
                       .employer_id = who ? who->employer_id : STR_NONE,
                       .reason = reason,
                       .hint = hint,
                   });
}

/* It may have been cut inside a character. */
static str said(const char *text)
{
    return text[0] ? text_valid_prefix(str_of(text)) : STR_NONE;
}

static enum err write_note(struct cx *cx, struct tx *tx, const struct noted *n)
{
    char first[TIME_TEXT_BYTES], last[TIME_TEXT_BYTES];
    struct audit_record record = {0};

    time_write(n->first_ms, first);
    time_write(n->last_ms, last);
    noted_read(n, &record);
    record.text[AUDIT_DETAIL] = audit_detail(
        cx, F("code", n->code), F("route", n->route), F("count", n->count),
        F("firstAt", ((str){first, sizeof first})), F("lastAt", ((str){last, sizeof last})),
        F("callers", n->is_rest ? S("many") : STR_NONE), F("reason", said(n->reason)),
        F("hint", said(n->hint)));
    return audit_insert(cx, tx, &record);
}

static enum err write_notes(struct cx *cx, struct tx *tx, void *arg)
{
    const struct noted_list *list = arg;

    for (size_t i = 0; i < list->n; i++)
        TRY(write_note(cx, tx, &list->list[i]));
    return E_OK;
}

/* What cannot be written now is counted on. */
static enum err flush_notes(struct cx *cx, bool is_last)
{
    struct noted_list list = {0};

    notes_take(cx->arena, time_mono_ms(), is_last, &list);
    if (list.n == 0)
        return E_OK;
    enum err e = store_run(cx, write_notes, &list);
    if (e != E_OK)
        notes_give_back(&list);
    return e;
}

/* ---- the clockwork ---- */

static enum err look_for_pending(struct cx *cx, struct tx *tx, void *arg)
{
    (void)cx;
    return audit_has_pending(tx, arg);
}

enum err audit_seal(struct cx *cx)
{
    bool is_needed = false;

    TRY(store_read(cx, look_for_pending, &is_needed));
    return is_needed ? store_run(cx, audit_seal_in_tx, NULL) : E_OK;
}

static enum err head_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    enum err e = audit_find_head(cx, tx, arg);

    return e == E_ABSENT ? E_OK : e;
}

/* So that a tail that is cut off later, with the head put back, shows against the log. */
static enum err log_head(struct cx *cx)
{
    struct audit_kept_head kept = {.head = {0, STR_NONE}};

    TRY(store_read(cx, head_in_tx, &kept));
    if (kept.head.number == logged_number)
        return E_OK;
    logged_number = kept.head.number;
    log_event(cx, LOG_INFO, "audit.sealed", F("lines", kept.head.number),
              F("head", audit_head_write(cx->arena, &kept.head)));
    return E_OK;
}

enum err audit_tick(struct cx *cx)
{
    struct audit_archiving done;

    n_ticks++;
    TRY(flush_notes(cx, false));
    if (n_ticks % HEAD_TICKS == 1)
        TRY(log_head(cx));
    if (settings.retention_ms && n_ticks % ARCHIVE_TICKS == 1)
        return audit_archive(cx, &done);
    return E_OK;
}

enum err audit_finish(struct cx *cx)
{
    TRY(flush_notes(cx, true));
    TRY(audit_seal(cx));
    return log_head(cx);
}

/* ---- reading ---- */

struct page_of_lines {
    const struct audit_filter *filter;
    struct audit_rows *out;
};

static enum err page_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct page_of_lines *page = arg;

    return audit_list_lines(cx, tx, page->filter, page->out);
}

enum err audit_page(struct cx *cx, const struct audit_filter *filter, struct audit_rows *out)
{
    struct page_of_lines page = {filter, out};

    return store_read(cx, page_in_tx, &page);
}
