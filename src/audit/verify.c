/*
 * Verification: walk the chain from the last archive to the head, then look for lines without a
 * seal. Each batch is a read of its own; where lines are archived meanwhile, the walk goes on after
 * them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "audit/archive_file.h"
#include "audit/keys.h"
#include "audit/ops.h"
#include "audit/seal.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/time.h"

enum { VERIFY_BATCH = 1000 };

static const char fix_keep[] =
    "Keep a copy of the database as it is, find out who could write it, and compare with a backup.";
static const char fix_name[] = "Name a file of audit_archive_folder, without the folder.";

struct walk {
    struct cx *cx; /* whose arena keeps the findings */
    const struct audit_asked *asked;
    struct audit_report *report;
    struct audit_head at; /* the last seal seen; its link lives in cx->arena */
    bool is_after_gap;    /* the link before is not known */
    bool is_done;
    str after_id;
};

void audit_report_put(struct cx *cx, struct audit_report *report, int64_t number, str line_id,
                      const char *fix, const char *format, ...)
{
    char text[512];
    va_list args;

    if (report->n_findings++ >= AUDIT_FINDINGS_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->list[report->n++] =
        (struct audit_finding){.number = number,
                               .line_id = arena_dup(cx->arena, line_id),
                               .problem = arena_dup(cx->arena, str_of(text)),
                               .fix = str_of(fix)};
}

/* ---- archives ---- */

static void judge_archive(struct walk *w, struct cx *cx, const struct audit_archive *a,
                          const struct audit_head *before)
{
    DROP(audit_key) struct audit_key key;

    if (!audit_key_find(a->key_id, &key) ||
        !audit_mac_eq(audit_archive_mac(cx->arena, &key, a), a->mac))
        audit_report_put(w->cx, w->report, a->through, STR_NONE, fix_keep,
                         "The record of the archive through %" PRId64
                         " was changed or put in by somebody else.",
                         a->through);
    else if (a->first != before->number + 1 || !str_eq(a->previous_link, before->link))
        audit_report_put(w->cx, w->report, a->first, STR_NONE, fix_keep,
                         "The archive that begins at %" PRId64 " does not follow the one before.",
                         a->first);
}

static void read_file(struct walk *w, struct cx *cx, const struct audit_archives *archives)
{
    for (size_t i = 0; i < archives->n; i++)
        if (str_eq(archives->list[i].file, w->asked->archive)) {
            archive_check(cx, &archives->list[i], w->cx, w->report);
            return;
        }
    audit_report_put(w->cx, w->report, 0, STR_NONE, fix_name, "The store knows no archive %.*s.",
                     STR_ARG(w->asked->archive));
}

static enum err archives_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    return audit_list_archives(cx, tx, arg);
}

static enum err walk_archives(struct walk *w, struct cx *cx)
{
    struct audit_head before = {0, S("")};
    struct audit_archives archives;

    TRY(store_read(cx, archives_in_tx, &archives));
    for (size_t i = 0; i < archives.n; i++) {
        judge_archive(w, cx, &archives.list[i], &before);
        before = (struct audit_head){archives.list[i].through, archives.list[i].link};
    }
    if (!str_is_none(w->asked->archive))
        read_file(w, cx, &archives);
    return E_OK;
}

/* ---- the chain ---- */

static void note_gap(struct walk *w, int64_t number)
{
    audit_report_put(w->cx, w->report, w->at.number + 1, STR_NONE, fix_keep,
                     number - w->at.number == 2 ? "The seal %" PRId64 " is missing."
                                                : "The seals %" PRId64 " to %" PRId64
                                                  " are missing.",
                     w->at.number + 1, number - 1);
    w->is_after_gap = true;
}

static void judge_link(struct walk *w, struct cx *cx, const struct audit_row *row)
{
    DROP(audit_key) struct audit_key key;

    if (!audit_key_find(row->link_key_id, &key))
        audit_report_put(w->cx, w->report, row->number, row->line_id, fix_keep,
                         "The seal %" PRId64 " names a key that this instance does not have.",
                         row->number);
    else if (!w->is_after_gap &&
             !audit_mac_eq(audit_link(cx->arena, &key, row->number, w->at.link, &row->record),
                           row->link))
        audit_report_put(w->cx, w->report, row->number, row->line_id, fix_keep,
                         "The seal %" PRId64
                         " does not fit its line and the seal before: one was changed or moved.",
                         row->number);
}

/* Whatever was put right since: it was wrong then. */
static void repeat_alarm(struct walk *w, struct cx *cx, const struct audit_row *row)
{
    DROP(json) json_t *detail = NULL;
    char at[TIME_TEXT_BYTES];

    time_write(row->record.at_ms, at);
    IGNORE_ERR(json_read(cx, row->record.text[AUDIT_DETAIL], &detail));
    str problem = json_text(json_object_get(detail, "problem"));
    audit_report_put(w->cx, w->report, row->number, row->line_id, fix_keep,
                     "At %.*s the server noticed: %.*s.", TIME_TEXT_BYTES, at, STR_ARG(problem));
}

static void judge_sealed(struct walk *w, struct cx *cx, const struct audit_row *row)
{
    bool is_right = false;

    w->report->sealed++;
    if (!row->is_there) {
        audit_report_put(w->cx, w->report, row->number, row->line_id, fix_keep,
                         "The line of seal %" PRId64 " was taken out.", row->number);
        return;
    }
    enum err e = audit_check_line(cx->arena, &row->record, &is_right);
    if (e == E_ABSENT)
        audit_report_put(w->cx, w->report, row->number, row->line_id, fix_keep,
                         "The line names a key that this instance does not have.");
    else if (!is_right)
        audit_report_put(w->cx, w->report, row->number, row->line_id, fix_keep,
                         "The line was changed after it was written.");
    else
        judge_link(w, cx, row);
    if (is_right && str_eq(row->record.text[AUDIT_ACTION], S("audit.alarm")))
        repeat_alarm(w, cx, row);
}

static void walk_rows(struct walk *w, struct cx *cx, const struct audit_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct audit_row *row = &rows->list[i];
        if (row->number <= w->at.number)
            audit_report_put(w->cx, w->report, row->number, row->line_id, fix_keep,
                             "The number %" PRId64 " is there twice.", row->number);
        else if (row->number > w->at.number + 1)
            note_gap(w, row->number);
        judge_sealed(w, cx, row);
        w->is_after_gap = false;
        w->at = (struct audit_head){row->number, row->link};
    }
    w->at.link = arena_dup(w->cx->arena, w->at.link);
}

/* Lines may have been archived since the walk began, or since the last batch. */
static enum err skip_archived(struct walk *w, struct cx *cx, struct tx *tx)
{
    struct audit_archive last;
    enum err e = audit_find_last_archive(cx, tx, &last);

    if (e == E_ABSENT)
        return E_OK;
    TRY(e);
    w->report->archived = last.through;
    if (last.through > w->at.number)
        w->at = (struct audit_head){last.through, arena_dup(w->cx->arena, last.link)};
    return E_OK;
}

/* ---- the head ---- */

static const char *head_problem(struct walk *w, struct cx *cx, const struct audit_kept_head *kept)
{
    DROP(audit_key) struct audit_key key;

    if (!audit_key_find(kept->key_id, &key) ||
        !audit_mac_eq(audit_head_mac(cx->arena, &key, kept->head.number, kept->head.link),
                      kept->mac))
        return "The head was changed by somebody else.";
    if (kept->head.number > w->at.number)
        return "The chain is cut off: it ends before the head.";
    if (kept->head.number < w->at.number)
        return "There are seals after the head: they were put in by somebody else.";
    return str_eq(kept->head.link, w->at.link)
               ? NULL
               : "The chain ends in another seal than the head says.";
}

static enum err judge_head(struct walk *w, struct cx *cx, struct tx *tx)
{
    struct audit_kept_head kept;
    enum err e = audit_find_head(cx, tx, &kept);

    if (e == E_ABSENT) {
        audit_report_put(w->cx, w->report, 0, STR_NONE, fix_keep, "The head was taken away.");
        return E_OK;
    }
    TRY(e);
    const char *problem = head_problem(w, cx, &kept);
    if (problem)
        audit_report_put(w->cx, w->report, kept.head.number, STR_NONE, fix_keep, "%s", problem);
    w->report->head = w->at;
    return E_OK;
}

/* A head from the log: what had been sealed then must still be there, or be archived. */
static enum err judge_asked(struct walk *w, struct cx *cx, struct tx *tx)
{
    const struct audit_head *asked = &w->asked->head;
    struct audit_archive last = {0};
    str link = STR_NONE;
    enum err e = audit_find_last_archive(cx, tx, &last);

    if (asked->number == 0 || (e != E_OK && e != E_ABSENT))
        return e == E_ABSENT ? E_OK : e;
    if (asked->number < last.through)
        return E_OK;
    if (asked->number == last.through)
        link = last.link;
    else
        e = audit_find_link(cx, tx, asked->number, &link);
    if (e != E_OK && e != E_ABSENT)
        return e;
    if (!str_eq(link, asked->link))
        audit_report_put(w->cx, w->report, asked->number, STR_NONE, fix_keep,
                         "The head %" PRId64 " that was given is not in the chain, which ends at "
                         "%" PRId64 ": lines were cut off, or this is another audit.",
                         asked->number, w->at.number);
    return E_OK;
}

static enum err chain_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct walk *w = arg;
    struct audit_rows rows;

    TRY(skip_archived(w, cx, tx));
    TRY(audit_list_sealed(cx, tx, w->at.number, VERIFY_BATCH, &rows));
    walk_rows(w, cx, &rows);
    if (rows.has_more)
        return E_OK;
    w->is_done = true;
    TRY(judge_head(w, cx, tx));
    return judge_asked(w, cx, tx);
}

/* ---- lines without a seal ---- */

static void judge_unsealed(struct walk *w, struct cx *cx, const struct audit_row *row)
{
    bool is_right = false;
    str id = row->record.text[AUDIT_ID];

    if (row->number)
        return;
    IGNORE_ERR(audit_check_line(cx->arena, &row->record, &is_right));
    if (is_right && row->is_pending)
        w->report->waiting++;
    else
        audit_report_put(w->cx, w->report, 0, id, fix_keep, "%s",
                         is_right ? "The line has lost its seal."
                                  : "The line has no seal: it was put in by somebody else.");
}

static enum err lines_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct walk *w = arg;
    struct audit_rows rows;

    TRY(audit_list_from(cx, tx, w->after_id, VERIFY_BATCH, &rows));
    for (size_t i = 0; i < rows.n; i++)
        judge_unsealed(w, cx, &rows.list[i]);
    w->report->lines += (int64_t)rows.n;
    if (rows.n)
        w->after_id = arena_dup(w->cx->arena, rows.list[rows.n - 1].record.text[AUDIT_ID]);
    w->is_done = !rows.has_more;
    return E_OK;
}

/* ---- */

/* A batch's memory goes with it; store_read may run a batch again, so its counts are put back. */
struct batch {
    struct walk *walk;
    store_work work;
    struct walk walk_before;
    struct audit_report report_before;
};

static enum err batch_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct batch *b = arg;

    *b->walk = b->walk_before;
    *b->walk->report = b->report_before;
    return b->work(cx, tx, b->walk);
}

static enum err run_batches(struct walk *w, store_work work)
{
    for (w->is_done = false; !w->is_done;) {
        DROP(arena) struct arena *arena = arena_new();
        struct cx own = *w->cx;
        struct batch b = {w, work, *w, *w->report};
        own.arena = arena;
        enum err e = store_read(&own, batch_in_tx, &b);
        if (e != E_OK)
            return fail(w->cx, e, "%.*s", STR_ARG(own.failure.detail));
    }
    return E_OK;
}

enum err audit_verify(struct cx *cx, const struct audit_asked *asked, struct audit_report *out)
{
    struct walk w = {.cx = cx, .asked = asked, .report = out, .at = {0, S("")}, .after_id = S("")};

    *out = (struct audit_report){.head = {0, STR_NONE}};
    TRY(walk_archives(&w, cx));
    TRY(run_batches(&w, chain_in_tx));
    return run_batches(&w, lines_in_tx);
}
