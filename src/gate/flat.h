/*
 * Flat JSON, read in place: an object of texts and whole numbers, as nearly every question is.
 * Inside gate/ only.
 *
 * It is no second opinion on what JSON is: what it takes, the JSON library takes with the same
 * meaning, and all else is left to that (fuzz/fuzz_flat.c). Reading a question with the library
 * costs more than deciding it.
 */
#ifndef SALLYPORT_GATE_FLAT_H
#define SALLYPORT_GATE_FLAT_H

#include "base/str.h"

struct flat_member {
    str name; /* a loan from the text, like the value */
    bool is_text;
    str text;
    int64_t number; /* 0 … 999,999,999 */
};

/*
 * At most `max` members with names that differ; printable ASCII, no escapes. False: some other
 * JSON, or none; *n means nothing then. Pure, no allocation.
 */
bool flat_read(str text, struct flat_member *out, size_t max, size_t *n);

#endif
