/*
 * Scopes as a set of bits. The enterprise API's are those of contracts/scopes.def, in its order;
 * another list of names may give the bits another meaning.
 */
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

enum { SCOPES_MAX = 64, SCOPE_TEXT_MAX_BYTES = 64 };

struct scope_set {
    uint64_t bits;
};

/* What the bits are called, from the lowest on: at most SCOPES_MAX texts, each one word of at most
 * SCOPE_TEXT_MAX_BYTES. */
struct scope_names {
    const str *texts;
    size_t n;
};

extern const struct scope_names scope_names_enterprise;

/* The bit of that name; false if there is none. */
bool scope_names_find(const struct scope_names *names, str text, unsigned *out_bit);

/* "cohort:read cohort:write", from the lowest bit on; a bit without a name is left out. */
str scope_names_write(const struct scope_names *names, struct arena *arena, struct scope_set set);

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
