/*
 * Where a key may be used from: countries by ISO 3166-1 alpha-2.
 *
 * In the store the rules are words: "+DE +AT -RU ?". "+": allowed, and then only those are; "-":
 * not allowed; "?": an unknown place passes although some are allowed; "!": it does not, although
 * none are. No words: anywhere.
 */
#ifndef SALLYPORT_DECIDE_PLACES_H
#define SALLYPORT_DECIDE_PLACES_H

#include <stdbool.h>

#include "base/str.h"

struct country {
    char code[2]; /* ISO 3166-1 alpha-2, upper case; {0} = unknown */
};

enum { COUNTRY_BITS = 26 * 26, COUNTRY_WORDS = (COUNTRY_BITS + 63) / 64 };

struct places {
    bool is_limited; /* false: from anywhere, and the rest means nothing */
    bool unknown_passes;
    uint64_t allowed[COUNTRY_WORDS]; /* a bit for each two letters */
};

/* ISO 3166-1, and XK, which is in use for Kosovo. */
bool country_exists(str code);

/* Words that are none of the above are left out. */
struct places places_parse(str words);

/* From now on both must let a place pass. */
void places_meet(struct places *into, const struct places *with);

/* Pure, no allocation. */
bool places_have(const struct places *places, struct country here);

#endif
