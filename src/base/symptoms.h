/*
 * What people see when something is refused, and how they find out why: contracts/symptoms.def.
 * Each error of the catalogue is at one symptom.
 */
#ifndef SALLYPORT_BASE_SYMPTOMS_H
#define SALLYPORT_BASE_SYMPTOMS_H

#include "base/err.h"

/* Lists end with NULL. */
struct symptom {
    const char *name;
    const char *seen;
    const char *const *said; /* the messages that callers read */
    const char *const *causes;
    const char *const *checks;
    const char *const *fixes;
    const char *const *codes;
};

extern const struct symptom symptoms[];
extern const size_t n_symptoms;

/* Never NULL. */
const struct symptom *symptom_of(const struct err_info *info);

/*
 * Is the message one that callers read at this symptom? Those of the catalogue and of the
 * management dialect are known too. A status before it, a full stop after it and the case of
 * letters make no difference.
 */
bool symptom_says(const struct symptom *symptom, str message);

#endif
