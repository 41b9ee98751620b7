/* The statements of cohorts/: one function each. Inside cohorts/ only. */
#ifndef SALLYPORT_COHORTS_QUERIES_H
#define SALLYPORT_COHORTS_QUERIES_H

#include "cohorts/rules.h"
#include "store/store.h"

/* The holder of an address. E_ABSENT: nobody. */
struct holder {
    struct patient patient; /* filled when is_own */
    bool is_own;            /* a patient of this employer */
};

enum err cohorts_find_holder(struct cx *cx, struct tx *tx, str employer_id, str email_folded,
                             struct holder *out);
enum err cohorts_insert(struct tx *tx, str employer_id, const struct patient *patient,
                        str email_folded);
enum err cohorts_update(struct tx *tx, const struct patient *patient);

struct patient_list {
    struct patient *list;
    size_t n;
    bool has_more;
};

struct cohort_filter {
    str email_folded; /* STR_NONE: any */
    str department;   /* STR_NONE: any */
    str after;
    int64_t limit;
};

/* By id, which is by age. */
enum err cohorts_list(struct cx *cx, struct tx *tx, str employer_id,
                      const struct cohort_filter *filter, struct patient_list *out);

/* Addresses refused to this employer on that day (days since 1970). */
enum err cohorts_count_refused(struct tx *tx, str employer_id, int64_t day, int64_t *out);
enum err cohorts_add_refused(struct tx *tx, str employer_id, int64_t day, int64_t refused);

#endif
