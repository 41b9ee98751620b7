/* Scopes as a set of bits, in the order of contracts/scopes.def. */
#ifndef SALLYPORT_DECIDE_SCOPE_H
#define SALLYPORT_DECIDE_SCOPE_H

#include "base/arena.h"
#include "base/str.h"

enum scope {
#define SCOPE(name, text, grants) SCOPE_##name,
#include "scopes.def"
#undef SCOPE
    SCOPES_END,
};

struct scope_set {
    uint64_t bits;
};

str scope_text(enum scope scope);   /* "cohort:read" */
str scope_grants(enum scope scope); /* a sentence for people */

/* All of them, for people: "cohort:read, cohort:write, …". */
str scope_list_all(struct arena *arena);

/* False if there is no scope of that text. */
bool scope_find(str text, enum scope *out);

void scope_add(struct scope_set *set, enum scope scope);
bool scope_has(struct scope_set set, enum scope scope);
bool scope_has_all(struct scope_set set, struct scope_set wanted);

/* "cohort:read cohort:write", in the order of the table; and back (unknown words are left out). */
str scope_write(struct arena *arena, struct scope_set set);
struct scope_set scope_parse(str text);

#endif
