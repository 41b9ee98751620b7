/* What a row of a cohort may be. Inside cohorts/ only. */
#ifndef SALLYPORT_COHORTS_RULES_H
#define SALLYPORT_COHORTS_RULES_H

#include "base/form.h"

enum { COHORT_ROWS_MAX = 10000 };

/* Members in the order of the contract. */
enum patient_member {
    PATIENT_EMAIL,
    PATIENT_FIRST_NAME,
    PATIENT_LAST_NAME,
    PATIENT_EXTERNAL_ID,
    PATIENT_DATE_OF_BIRTH,
    PATIENT_PHONE,
    PATIENT_DEPARTMENT,
    PATIENT_MEMBERS_END,
};

extern const char *const patient_member_names[PATIENT_MEMBERS_END];

struct patient {
    str id;
    str member[PATIENT_MEMBERS_END]; /* STR_NONE: not known */
    int64_t created_at_ms;
    int64_t updated_at_ms;
};

/* One row of an upload. Texts are loans from the body. */
struct row {
    size_t index;
    str email_folded;
    str member[PATIENT_MEMBERS_END];
    bool is_sent[PATIENT_MEMBERS_END]; /* false: keep what is there; sent as null: forget it */
};

/* Read and check a row; problems go to the form. */
void row_read(struct form *f, int64_t now_ms, struct row *out);

/* What the patient becomes; true if anything differs from what is there. */
bool row_apply(const struct row *row, struct patient *patient);

/* Note a problem with each row whose address an earlier row has; rows are in upload order. */
struct duplicate {
    size_t index;
    size_t first;
};
size_t rows_find_duplicates(struct arena *arena, const struct row *rows, size_t n,
                            struct duplicate **out);

#endif
