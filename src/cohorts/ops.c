/* The upload, and reading the roster. */
#include "cohorts/ops.h"

#include <inttypes.h>
#include <string.h>

#include "audit/audit.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/time.h"
#include "decide/principal.h"

/* Set once at start. */
static _Atomic int64_t foreign_email_limit = 100;

void cohorts_set_foreign_email_limit(int64_t a_day)
{
    foreign_email_limit = a_day;
}

/* One upload under way. The rows that passed their own checks are `good`. */
struct work {
    struct form form; /* collects the problems of all rows */
    struct row *rows;
    bool *is_bad;
    size_t n;
    bool is_partial;
    bool *is_foreign; /* found by the last run of the transaction */
    size_t n_foreign;
    struct form_mark before_foreign; /* the problems that do not depend on the store */
    struct upload *out;
};

static void note(struct work *work, size_t index, const char *member, const char *reason)
{
    struct form row = {
        .cx = work->form.cx, .outer = &work->form, .prefix = "", .index = (int64_t)index};

    form_problem(&row, member, "%s", reason);
    work->is_bad[index] = true;
}

static enum err read_list(struct cx *cx, const json_t *body, const json_t **list)
{
    struct form form;

    form_open(&form, cx, body);
    *list = form_value(&form, "patients");
    size_t n = json_array_size(*list);
    if (form.object && (n == 0 || n > COHORT_ROWS_MAX))
        form_problem(&form, "patients", "must be a list of 1 to %d patients%s", COHORT_ROWS_MAX,
                     n > COHORT_ROWS_MAX ? "; upload the rest in further calls" : "");
    return form_close(&form);
}

static void read_rows(struct cx *cx, const json_t *list, struct work *work)
{
    struct form row;

    work->n = json_array_size(list);
    work->rows = arena_array(cx->arena, work->n, sizeof *work->rows);
    work->is_bad = arena_array(cx->arena, work->n, sizeof *work->is_bad);
    work->is_foreign = arena_array(cx->arena, work->n, sizeof *work->is_foreign);
    for (size_t i = 0; i < work->n; i++) {
        form_open_row(&row, &work->form, json_array_get(list, i), (int64_t)i);
        work->rows[i].index = i;
        row_read(&row, cx->now_ms, &work->rows[i]);
        form_close_part(&row);
        work->is_bad[i] = row.n_problems > 0;
    }
}

static void note_duplicates(struct cx *cx, struct work *work)
{
    struct duplicate *list;
    size_t n = rows_find_duplicates(cx->arena, work->rows, work->n, &list);

    for (size_t i = 0; i < n; i++) {
        str reason = arena_printf(cx->arena, "is the address of row %zu too", list[i].first);
        note(work, list[i].index, "email", reason.p);
    }
}

static size_t count_bad(const struct work *work)
{
    size_t n = 0;

    for (size_t i = 0; i < work->n; i++)
        n += work->is_bad[i];
    return n;
}

/* ---- in the transaction: may run more than once, so it counts anew each time ---- */

static void forget_foreign(struct work *work)
{
    form_rewind(&work->form, work->before_foreign);
    for (size_t i = 0; i < work->n; i++)
        work->is_bad[i] = work->is_bad[i] && !work->is_foreign[i];
    memset(work->is_foreign, 0, work->n * sizeof *work->is_foreign);
    work->n_foreign = work->out->created = work->out->updated = work->out->unchanged = 0;
}

/* The answer is complete before the transaction ends: it may be kept there. */
static void complete(struct work *work)
{
    for (size_t i = 0; i < work->n; i++)
        if (work->is_foreign[i])
            note(work, i, "email", "cannot be used");
    work->out->rejected = count_bad(work);
    work->out->errors = form_problems(&work->form);
}

static enum err insert_row(struct cx *cx, struct tx *tx, const struct row *row)
{
    struct patient patient = {.id = id_new(cx->arena, "pat", cx->now_ms),
                              .created_at_ms = cx->now_ms,
                              .updated_at_ms = cx->now_ms};

    row_apply(row, &patient);
    enum err e = cohorts_insert(tx, cx->who->employer_id, &patient, row->email_folded);
    /* Somebody else wrote the address meanwhile: the next run finds its holder. */
    return e == E_STORE_CONFLICT ? E_STORE_BUSY : e;
}

static enum err write_row(struct cx *cx, struct tx *tx, struct work *work, const struct row *row)
{
    struct holder holder;
    enum err e = cohorts_find_holder(cx, tx, cx->who->employer_id, row->email_folded, &holder);

    if (e == E_ABSENT) {
        work->out->created++;
        return insert_row(cx, tx, row);
    }
    TRY(e);
    if (!holder.is_own) {
        work->is_foreign[row->index] = true;
        work->n_foreign++;
        return E_OK;
    }
    if (!row_apply(row, &holder.patient)) {
        work->out->unchanged++;
        return E_OK;
    }
    work->out->updated++;
    holder.patient.updated_at_ms = cx->now_ms;
    return cohorts_update(tx, &holder.patient);
}

/* Each refused address tells that somebody has it, so a day has only so many. */
static enum err charge_foreign(struct cx *cx, struct tx *tx, size_t n)
{
    int64_t day = cx->now_ms / DAY_MS;
    int64_t limit = foreign_email_limit;
    int64_t refused = 0;

    TRY(tx_lock(tx, "refused emails", cx->who->employer_id));
    TRY(cohorts_count_refused(tx, cx->who->employer_id, day, &refused));
    if (refused + (int64_t)n > limit) {
        cx->failure.retry_after_s = ((day + 1) * DAY_MS - cx->now_ms) / SECOND_MS + 1;
        return fail(cx, E_FOREIGN_EMAIL_LIMIT, "A day allows %" PRId64 " such addresses.", limit);
    }
    return cohorts_add_refused(tx, cx->who->employer_id, day, (int64_t)n);
}

/* Numbers, and no address: `foreign` says how many addresses were told to exist elsewhere. */
static enum err audit_upload(struct cx *cx, struct tx *tx, const char *action,
                             const struct work *work)
{
    const struct upload *up = work->out;

    return audit_write(cx, tx,
                       &(struct audit_line){.action = action,
                                            .target_kind = "upload",
                                            .target_id = up->id,
                                            .employer_id = cx->who->employer_id,
                                            .detail = audit_detail(cx, F("received", up->received),
                                                                   F("created", up->created),
                                                                   F("updated", up->updated),
                                                                   F("unchanged", up->unchanged),
                                                                   F("foreign", work->n_foreign))});
}

static enum err write_rows(struct cx *cx, struct tx *tx, void *arg)
{
    struct work *work = arg;

    forget_foreign(work);
    for (size_t i = 0; i < work->n; i++)
        if (!work->is_bad[i])
            TRY(write_row(cx, tx, work, &work->rows[i]));
    complete(work);
    /* All or nothing: roll back; the refusals are charged in a transaction of their own. */
    if (work->n_foreign && !work->is_partial)
        return E_COHORT_INVALID;
    if (work->n_foreign)
        TRY(charge_foreign(cx, tx, work->n_foreign));
    return audit_upload(cx, tx, "cohort.uploaded", work);
}

static enum err charge_alone(struct cx *cx, struct tx *tx, void *arg)
{
    struct work *work = arg;

    TRY(charge_foreign(cx, tx, work->n_foreign));
    work->out->created = work->out->updated = work->out->unchanged = 0;
    return audit_upload(cx, tx, "cohort.refused", work);
}

static enum err write_all(struct cx *cx, struct work *work)
{
    work->before_foreign = form_mark(&work->form);
    enum err e =
        work->n > 100 ? store_run_large(cx, write_rows, work) : store_run(cx, write_rows, work);

    if (e != E_COHORT_INVALID)
        return e;
    cx->guard = NULL; /* what is refused is no change */
    TRY(store_run(cx, charge_alone, work));
    return e;
}

static enum err refuse(struct cx *cx, const struct work *work)
{
    size_t bad = count_bad(work);

    cx->failure.members =
        arena_printf(cx->arena, "\"received\":%zu,\"rejected\":%zu,\"errors\":%.*s", work->n, bad,
                     STR_ARG(form_problems(&work->form)));
    return fail(cx, E_COHORT_INVALID, "%zu of %zu rows are not valid.", bad, work->n);
}

static enum err upload_rows(struct cx *cx, struct work *work)
{
    note_duplicates(cx, work);
    if (count_bad(work) > 0 && !work->is_partial)
        return refuse(cx, work);
    enum err e = write_all(cx, work);
    if (e == E_COHORT_INVALID)
        return refuse(cx, work);
    return e;
}

enum err cohorts_upload(struct cx *cx, const json_t *body, bool is_partial, struct upload *out)
{
    struct work work = {.is_partial = is_partial, .out = out};
    const json_t *list;

    TRY(read_list(cx, body, &list));
    *out = (struct upload){.id = id_new(cx->arena, "upl", cx->now_ms),
                           .received = json_array_size(list)};
    form_open_blank(&work.form, cx);
    read_rows(cx, list, &work);
    enum err e = upload_rows(cx, &work);
    buf_drop(&work.form.problems);
    TRY(e);
    log_event(cx, LOG_INFO, "cohort.uploaded", F("uploadId", out->id),
              F("employerId", cx->who->employer_id), F("received", out->received),
              F("created", out->created), F("updated", out->updated), F("rejected", out->rejected));
    return E_OK;
}

struct page_of_patients {
    const struct cohort_filter *filter;
    struct patient_list *out;
};

static enum err page_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct page_of_patients *page = arg;

    return cohorts_list(cx, tx, cx->who->employer_id, page->filter, page->out);
}

enum err cohorts_page(struct cx *cx, const struct cohort_filter *filter, struct patient_list *out)
{
    struct page_of_patients page = {filter, out};

    return store_read(cx, page_in_tx, &page);
}
