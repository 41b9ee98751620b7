/*
 * Retention: the oldest lines go into a file, and then out of the store. First the file is made and
 * durable; then one transaction records it and deletes. What a crash leaves between the two is a
 * file too many, which the next run writes anew.
 */
#include <inttypes.h>

#include "audit/archive_file.h"
#include "audit/keys.h"
#include "audit/ops.h"
#include "audit/seal.h"
#include "base/log.h"

enum { ARCHIVE_BATCH = 1000 };

struct archiving {
    struct cx *cx; /* whose arena keeps what outlives a batch */
    int64_t before_ms;
    struct audit_head from; /* where the last archive ended */
    struct audit_head at;
    struct archive_file *file;
    int64_t n;
    bool is_done;
    struct audit_archive archive;
    struct audit_rows batch;
};

/* ---- the file ---- */

static enum err begin_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct archiving *a = arg;
    struct audit_archive last;
    enum err e = audit_find_last_archive(cx, tx, &last);

    a->from = (struct audit_head){0, S("")};
    if (e == E_OK)
        a->from = (struct audit_head){last.through, last.link};
    a->at = a->from;
    return e == E_ABSENT ? E_OK : e;
}

static enum err batch_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct archiving *a = arg;

    return audit_list_sealed(cx, tx, a->at.number, ARCHIVE_BATCH, &a->batch);
}

/* What is not sound stays, as evidence: nothing is archived from there on. */
static bool is_sound(struct cx *cx, const struct archiving *a, const struct audit_row *row)
{
    DROP(audit_key) struct audit_key key;
    bool is_right = false;

    IGNORE_ERR(audit_check_line(cx->arena, &row->record, &is_right));
    return is_right && row->number == a->at.number + 1 && audit_key_find(row->link_key_id, &key) &&
           audit_mac_eq(audit_link(cx->arena, &key, row->number, a->at.link, &row->record),
                        row->link);
}

/* The newest line of all stays: the chain's end is in the store. */
static enum err add_rows(struct cx *cx, struct archiving *a)
{
    for (size_t i = 0; i < a->batch.n; i++) {
        const struct audit_row *row = &a->batch.list[i];
        bool is_newest = !a->batch.has_more && i + 1 == a->batch.n;
        if (is_newest || row->record.at_ms >= a->before_ms || a->n == AUDIT_ARCHIVE_MAX) {
            a->is_done = true;
            return E_OK;
        }
        if (!is_sound(cx, a, row))
            return fail(a->cx, E_STORE_DOWN,
                        "line %" PRId64 " of the audit is not sound, so nothing is archived: run "
                        "sallyport audit verify",
                        row->number);
        if (!a->file)
            TRY(archive_begin(a->cx, audit_settings()->archive_folder, &a->from, &a->file));
        archive_add(a->file, row);
        a->at = (struct audit_head){row->number, arena_dup(a->cx->arena, row->link)};
        a->n++;
    }
    a->is_done = !a->batch.has_more;
    return E_OK;
}

static enum err write_file(struct archiving *a)
{
    while (!a->is_done) {
        DROP(arena) struct arena *arena = arena_new();
        struct cx own = *a->cx;
        own.arena = arena;
        enum err e = store_read(&own, batch_in_tx, a);
        if (e != E_OK)
            return fail(a->cx, e, "%.*s", STR_ARG(own.failure.detail));
        TRY(add_rows(&own, a));
    }
    if (a->n == 0)
        return E_OK;
    a->archive = (struct audit_archive){
        .through = a->at.number, .link = a->at.link, .archived_at_ms = a->cx->now_ms};
    return archive_end(a->cx, a->file, &a->archive);
}

/* ---- the store ---- */

static enum err is_still_ours(struct cx *cx, struct tx *tx, const struct archiving *a, bool *out)
{
    struct audit_archive last;
    enum err e = audit_find_last_archive(cx, tx, &last);

    *out = (e == E_ABSENT && a->from.number == 0) || (e == E_OK && last.through == a->from.number);
    return e == E_ABSENT ? E_OK : e;
}

static enum err write_line(struct cx *cx, struct tx *tx, const struct archiving *a)
{
    return audit_write(cx, tx,
                       &(struct audit_line){
                           .action = "audit.archived",
                           .detail = audit_detail(
                               cx, F("file", a->archive.file), F("first", a->archive.first),
                               F("through", a->archive.through), F("sha256", a->archive.sha256))});
}

/* Another node may have archived the same lines meanwhile: then its file is the one. */
static enum err take_out(struct cx *cx, struct tx *tx, void *arg)
{
    struct archiving *a = arg;
    DROP(audit_key) struct audit_key key;
    bool is_ours = false;
    int64_t deleted = 0;

    TRY(tx_lock(tx, "audit", S("")));
    TRY(is_still_ours(cx, tx, a, &is_ours));
    if (!is_ours) {
        a->n = 0;
        return E_OK;
    }
    audit_key_current(&key);
    a->archive.key_id = arena_dup(cx->arena, audit_key_id(&key));
    a->archive.mac = audit_archive_mac(cx->arena, &key, &a->archive);
    TRY(audit_insert_archive(tx, &a->archive));
    TRY(audit_delete_archived_lines(tx, a->archive.through, &deleted));
    if (deleted != a->n)
        return fail(cx, E_STORE_DOWN, "the audit changed while it was archived");
    TRY(audit_delete_archived_seals(tx, a->archive.through));
    return write_line(cx, tx, a);
}

static enum err archive_all(struct archiving *a)
{
    TRY(store_read(a->cx, begin_in_tx, a));
    TRY(write_file(a));
    return a->n ? store_run_large(a->cx, take_out, a) : E_OK;
}

enum err audit_archive(struct cx *cx, struct audit_archiving *out)
{
    struct archiving a = {.cx = cx, .before_ms = cx->now_ms - audit_settings()->retention_ms};

    *out = (struct audit_archiving){.file = STR_NONE};
    if (audit_settings()->retention_ms == 0)
        return E_OK;
    TRY(audit_seal(cx)); /* what was committed a moment ago may not be linked yet */
    enum err e = archive_all(&a);
    archive_file_drop(&a.file);
    TRY(e);
    if (a.n == 0)
        return E_OK;
    *out = (struct audit_archiving){a.n, a.archive.file, a.archive.first, a.archive.through};
    log_event(cx, LOG_INFO, "audit.archived", F("file", out->file), F("lines", out->lines),
              F("through", out->through));
    return E_OK;
}
