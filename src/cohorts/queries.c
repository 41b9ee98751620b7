/* Each SQL statement of cohorts/, beside its binding and its reading. */
#include "cohorts/queries.h"

#define PATIENT_COLUMNS                                                                            \
    " id, email, first_name, last_name, external_id, date_of_birth, phone, department,"            \
    " created_at_ms, updated_at_ms, employer_id, role"

static void read_patient(struct cx *cx, const struct rows *rows, struct patient *out)
{
    out->id = arena_dup(cx->arena, rows_text(rows, 0));
    for (int m = 0; m < PATIENT_MEMBERS_END; m++)
        out->member[m] = arena_dup(cx->arena, rows_text(rows, 1 + m));
    out->created_at_ms = rows_int(rows, 1 + PATIENT_MEMBERS_END);
    out->updated_at_ms = rows_int(rows, 2 + PATIENT_MEMBERS_END);
}

enum err cohorts_find_holder(struct cx *cx, struct tx *tx, str employer_id, str email_folded,
                             struct holder *out)
{
#define FIND_HOLDER "SELECT" PATIENT_COLUMNS " FROM person WHERE email_folded = $1"
    static const char sqlite[] = FIND_HOLDER;
    static const char postgres[] = FIND_HOLDER " FOR UPDATE";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, tx_either(tx, sqlite, postgres), BIND(TEXT(email_folded)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    out->is_own = str_eq(rows_text(rows, 3 + PATIENT_MEMBERS_END), employer_id) &&
                  str_eq(rows_text(rows, 4 + PATIENT_MEMBERS_END), S("PATIENT"));
    if (out->is_own)
        read_patient(cx, rows, &out->patient);
    return E_OK;
}

enum err cohorts_insert(struct tx *tx, str employer_id, const struct patient *p, str email_folded)
{
    static const char sql[] =
        "INSERT INTO person (id, employer_id, role, email, email_folded, is_active, first_name,"
        " last_name, external_id, date_of_birth, phone, department, created_at_ms, updated_at_ms)"
        " VALUES ($1, $2, 'PATIENT', $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $11)";

    return tx_exec(tx, sql,
                   BIND(TEXT(p->id), TEXT(employer_id), TEXT(p->member[PATIENT_EMAIL]),
                        TEXT(email_folded), TEXT(p->member[PATIENT_FIRST_NAME]),
                        TEXT(p->member[PATIENT_LAST_NAME]), TEXT(p->member[PATIENT_EXTERNAL_ID]),
                        TEXT(p->member[PATIENT_DATE_OF_BIRTH]), TEXT(p->member[PATIENT_PHONE]),
                        TEXT(p->member[PATIENT_DEPARTMENT]), INT(p->created_at_ms)),
                   NULL);
}

enum err cohorts_update(struct tx *tx, const struct patient *p)
{
    static const char sql[] =
        "UPDATE person SET email = $2, first_name = $3, last_name = $4, external_id = $5,"
        " date_of_birth = $6, phone = $7, department = $8, updated_at_ms = $9 WHERE id = $1";

    return tx_exec(tx, sql,
                   BIND(TEXT(p->id), TEXT(p->member[PATIENT_EMAIL]),
                        TEXT(p->member[PATIENT_FIRST_NAME]), TEXT(p->member[PATIENT_LAST_NAME]),
                        TEXT(p->member[PATIENT_EXTERNAL_ID]),
                        TEXT(p->member[PATIENT_DATE_OF_BIRTH]), TEXT(p->member[PATIENT_PHONE]),
                        TEXT(p->member[PATIENT_DEPARTMENT]), INT(p->updated_at_ms)),
                   NULL);
}

enum err cohorts_list(struct cx *cx, struct tx *tx, str employer_id,
                      const struct cohort_filter *filter, struct patient_list *out)
{
    static const char all[] = "SELECT" PATIENT_COLUMNS " FROM person WHERE employer_id = $1"
                              " AND role = 'PATIENT' AND id > $2 ORDER BY id LIMIT $3";
    static const char by_email[] = "SELECT" PATIENT_COLUMNS " FROM person WHERE employer_id = $1"
                                   " AND role = 'PATIENT' AND id > $2 AND email_folded = $4"
                                   " AND ($5 = '' OR department = $5) ORDER BY id LIMIT $3";
    static const char by_department[] =
        "SELECT" PATIENT_COLUMNS " FROM person WHERE employer_id = $1 AND role = 'PATIENT'"
        " AND id > $2 AND department = $4 ORDER BY id LIMIT $3";
    DROP(rows) struct rows *rows = NULL;
    struct bind employer = TEXT(employer_id);
    struct bind after = TEXT(str_is_none(filter->after) ? S("") : filter->after);
    struct bind limit = INT(filter->limit + 1);
    struct bind department = TEXT(filter->department.n ? filter->department : S(""));
    enum err e = E_OK;

    *out = (struct patient_list){
        .list = arena_array(cx->arena, (size_t)filter->limit, sizeof(struct patient))};
    if (filter->email_folded.n)
        TRY(tx_query(tx, by_email,
                     BIND(employer, after, limit, TEXT(filter->email_folded), department), &rows));
    else if (filter->department.n)
        TRY(tx_query(tx, by_department, BIND(employer, after, limit, department), &rows));
    else
        TRY(tx_query(tx, all, BIND(employer, after, limit), &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)filter->limit) {
            out->has_more = true;
            break;
        }
        read_patient(cx, rows, &out->list[out->n++]);
    }
    return e;
}

enum err cohorts_count_refused(struct tx *tx, str employer_id, int64_t day, int64_t *out)
{
    static const char sql[] =
        "SELECT coalesce(sum(refused), 0) FROM refused_email WHERE employer_id = $1 AND day = $2";

    return tx_one_int(tx, sql, BIND(TEXT(employer_id), INT(day)), out);
}

enum err cohorts_add_refused(struct tx *tx, str employer_id, int64_t day, int64_t refused)
{
    static const char sql[] =
        "INSERT INTO refused_email (employer_id, day, refused) VALUES ($1, $2, $3)"
        " ON CONFLICT (employer_id, day) DO UPDATE SET refused = refused_email.refused + $3";

    return tx_exec(tx, sql, BIND(TEXT(employer_id), INT(day), INT(refused)), NULL);
}
