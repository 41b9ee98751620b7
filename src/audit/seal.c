/* The sealer. */
#include "audit/seal.h"

#include <inttypes.h>

#include "base/log.h"

enum { SEAL_BATCH = 500 };

/* One run: where the chain ends, and how much was added to it. */
struct sealing {
    struct audit_key key;
    struct audit_head head;
    bool has_head_row;
    size_t n;
};

/* ---- checking ---- */

enum err audit_check_line(struct arena *arena, const struct audit_record *record, bool *is_right)
{
    DROP(audit_key) struct audit_key key;

    if (!audit_key_find(record->text[AUDIT_KEY_ID], &key))
        return E_ABSENT;
    *is_right = audit_mac_eq(audit_line_mac(arena, &key, record), record->mac);
    return E_OK;
}

static bool is_head_right(struct arena *arena, const struct audit_kept_head *kept)
{
    DROP(audit_key) struct audit_key key;

    return audit_key_find(kept->key_id, &key) &&
           audit_mac_eq(audit_head_mac(arena, &key, kept->head.number, kept->head.link), kept->mac);
}

/* What is wrong with the end of the chain, or NULL. */
static const char *head_fault(struct arena *arena, const struct audit_kept_head *kept,
                              bool is_there, const struct audit_head *last)
{
    if (!is_there)
        return "the head was taken away";
    if (str_is_none(kept->key_id) || kept->key_id.n == 0)
        return last->number == 0 ? NULL : "the head was emptied";
    if (!is_head_right(arena, kept))
        return "the head was changed by somebody else";
    if (kept->head.number != last->number || !str_eq(kept->head.link, last->link))
        return "the chain does not end where the head says";
    return NULL;
}

static enum err raise_alarm(struct cx *cx, struct tx *tx, const struct sealing *s,
                            const struct audit_kept_head *kept, const char *fault)
{
    struct audit_record line = {
        .text = {[AUDIT_ACTION] = S("audit.alarm"), [AUDIT_ACTOR_KIND] = S("server")}};

    line.text[AUDIT_DETAIL] =
        audit_detail(cx, F("problem", fault), F("headNumber", kept->head.number),
                     F("lastNumber", s->head.number));
    log_event(cx, LOG_ERROR, "audit.alarm", F("problem", fault), F("headNumber", kept->head.number),
              F("lastNumber", s->head.number));
    return audit_insert(cx, tx, &line);
}

/* Go on after the last seal there is, or after where the head says it was: a number is used once.
 */
static enum err find_end(struct cx *cx, struct tx *tx, struct sealing *s)
{
    struct audit_kept_head kept = {.head = {0, STR_NONE}, .key_id = STR_NONE};
    enum err e = audit_find_head(cx, tx, &kept);

    s->has_head_row = e == E_OK;
    if (e != E_OK && e != E_ABSENT)
        return e;
    TRY(audit_find_last_seal(cx, tx, &s->head));
    const char *fault = head_fault(cx->arena, &kept, s->has_head_row, &s->head);
    if (!fault)
        return E_OK;
    TRY(raise_alarm(cx, tx, s, &kept, fault));
    if (kept.head.number > s->head.number)
        s->head = kept.head;
    return E_OK;
}

/* ---- linking ---- */

static enum err seal_line(struct cx *cx, struct tx *tx, struct sealing *s,
                          const struct audit_row *row)
{
    struct audit_head next = {.number = s->head.number + 1};

    next.link = audit_link(cx->arena, &s->key, next.number, s->head.link, &row->record);
    TRY(audit_insert_seal(tx, next.number, row->line_id, next.link, audit_key_id(&s->key)));
    s->head = next;
    s->n++;
    return E_OK;
}

/* A marked line that is not ours gets no seal: verification reports it as a line without one. */
static enum err judge_line(struct cx *cx, struct tx *tx, struct sealing *s,
                           const struct audit_row *row)
{
    bool is_right = false;
    enum err e = row->is_there ? audit_check_line(cx->arena, &row->record, &is_right) : E_OK;

    if (e == E_ABSENT) /* another node's newest key: that node will do it */
        return E_OK;
    if (is_right)
        return seal_line(cx, tx, s, row);
    log_event(cx, LOG_ERROR, "audit.forged_line", F("lineId", row->line_id),
              F("reason", row->is_there ? "its MAC is wrong" : "it is gone"));
    return audit_unmark(tx, row->line_id);
}

static enum err seal_all(struct cx *cx, struct tx *tx, struct sealing *s)
{
    struct audit_rows rows = {.has_more = true};
    str after = STR_NONE;

    while (rows.has_more) {
        TRY(audit_list_pending(cx, tx, after, SEAL_BATCH, &rows));
        for (size_t i = 0; i < rows.n; i++)
            TRY(judge_line(cx, tx, s, &rows.list[i]));
        if (rows.n)
            after = rows.list[rows.n - 1].line_id;
    }
    return E_OK;
}

static enum err keep_head(struct cx *cx, struct tx *tx, const struct sealing *s)
{
    struct audit_kept_head kept = {.head = s->head, .key_id = audit_key_id(&s->key)};
    int64_t changed = 0;

    kept.mac = audit_head_mac(cx->arena, &s->key, s->head.number, s->head.link);
    if (!s->has_head_row)
        return audit_insert_head(tx, &kept);
    return audit_move_head(tx, &kept, &changed);
}

/* On PostgreSQL another node may have made a newer key: then all are read again. */
static enum err know_keys(struct cx *cx, struct tx *tx, bool *knows)
{
    struct audit_kept_head kept;
    struct audit_key key;
    enum err e = audit_find_head(cx, tx, &kept);

    *knows = true;
    if (e == E_ABSENT)
        return E_OK;
    TRY(e);
    bool is_known = kept.key_id.n == 0 || audit_key_find(kept.key_id, &key);
    audit_key_drop(&key);
    if (is_known)
        return E_OK;
    e = audit_keys_read(cx, tx);
    *knows = e == E_OK;
    return e == E_STORE_DOWN ? E_OK : e;
}

enum err audit_seal_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct sealing s = {.n = 0};
    bool is_needed = false, knows = false;

    (void)arg;
    TRY(tx_lock(tx, "audit", S("")));
    TRY(audit_has_pending(tx, &is_needed));
    if (!is_needed)
        return E_OK;
    TRY(know_keys(cx, tx, &knows));
    if (!knows)
        return E_OK;
    audit_key_current(&s.key);
    enum err e = find_end(cx, tx, &s);
    if (e == E_OK)
        e = seal_all(cx, tx, &s);
    if (e == E_OK && s.n > 0)
        e = keep_head(cx, tx, &s);
    audit_key_drop(&s.key);
    TRY(e);
    return audit_unmark_sealed(tx);
}
