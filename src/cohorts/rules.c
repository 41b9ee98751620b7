/* Rows: what is valid, and what they change. */
#include "cohorts/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/text.h"
#include "base/time.h"

const char *const patient_member_names[PATIENT_MEMBERS_END] = {
    "email", "firstName", "lastName", "externalId", "dateOfBirth", "phone", "department",
};

static const struct {
    size_t max_chars;
    bool is_required;
} member_rules[PATIENT_MEMBERS_END] = {
    [PATIENT_EMAIL] = {254, true},         [PATIENT_FIRST_NAME] = {100, true},
    [PATIENT_LAST_NAME] = {100, true},     [PATIENT_EXTERNAL_ID] = {200, false},
    [PATIENT_DATE_OF_BIRTH] = {10, false}, [PATIENT_PHONE] = {40, false},
    [PATIENT_DEPARTMENT] = {100, false},
};

static bool is_phone(str text)
{
    size_t digits = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c >= '0' && c <= '9')
            digits++;
        else if (!strchr("+-(). /x#", c))
            return false;
    }
    return digits >= 3;
}

static void check_email(struct form *f, struct row *row)
{
    str email = row->member[PATIENT_EMAIL];

    if (email.n == 0)
        return;
    if (!text_is_email(email))
        form_problem(f, "email", "is not an email address");
    row->email_folded = text_fold(f->cx->arena, email);
}

static void check_date(struct form *f, str date, int64_t now_ms)
{
    int64_t day_ms;

    if (date.n == 0)
        return;
    if (!time_parse_date(date, &day_ms) || str_cmp(date, S("1850-01-01")) < 0)
        form_problem(f, "dateOfBirth", "is not a day such as 1984-02-29");
    else if (day_ms > now_ms)
        form_problem(f, "dateOfBirth", "is in the future");
}

void row_read(struct form *f, int64_t now_ms, struct row *out)
{
    for (int m = 0; m < PATIENT_MEMBERS_END; m++) {
        const char *name = patient_member_names[m];
        out->is_sent[m] = form_has(f, name);
        out->member[m] = form_text(f, name, member_rules[m].max_chars, member_rules[m].is_required);
    }
    check_email(f, out);
    check_date(f, out->member[PATIENT_DATE_OF_BIRTH], now_ms);
    if (out->member[PATIENT_PHONE].n && !is_phone(out->member[PATIENT_PHONE]))
        form_problem(f, "phone", "is not a telephone number");
}

bool row_apply(const struct row *row, struct patient *patient)
{
    bool differs = false;

    for (int m = 0; m < PATIENT_MEMBERS_END; m++) {
        if (!row->is_sent[m])
            continue;
        str now = patient->member[m];
        str next = row->member[m];
        if (str_is_none(now) != str_is_none(next) || !str_eq(now, next))
            differs = true;
        patient->member[m] = next;
    }
    return differs;
}

static int by_email_then_index(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a;
    const struct row *y = *(const struct row *const *)b;
    int order = str_cmp(x->email_folded, y->email_folded);

    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int by_index(const void *a, const void *b)
{
    const struct duplicate *x = a;
    const struct duplicate *y = b;

    return (x->index > y->index) - (x->index < y->index);
}

size_t rows_find_duplicates(struct arena *arena, const struct row *rows, size_t n,
                            struct duplicate **out)
{
    const struct row **sorted = arena_array(arena, n, sizeof *sorted);
    struct duplicate *found = arena_array(arena, n, sizeof *found);
    size_t n_found = 0;
    size_t first = 0;

    for (size_t i = 0; i < n; i++)
        sorted[i] = &rows[i];
    qsort(sorted, n, sizeof *sorted, by_email_then_index);
    for (size_t i = 1; i < n; i++) {
        bool is_same = sorted[i]->email_folded.n &&
                       str_eq(sorted[i]->email_folded, sorted[first]->email_folded);
        if (is_same)
            found[n_found++] = (struct duplicate){sorted[i]->index, sorted[first]->index};
        else
            first = i;
    }
    qsort(found, n_found, sizeof *found, by_index);
    *out = found;
    return n_found;
}
