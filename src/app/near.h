/* "Did you mean": the known name nearest to one that is misspelt. */
#ifndef SALLYPORT_APP_NEAR_H
#define SALLYPORT_APP_NEAR_H

#include "base/str.h"

/*
 * Of the names offered to near_try, the nearest to `wanted` in letters changed, left out, added or
 * swapped; `best` stays STR_NONE while none is near enough to be meant.
 */
struct near {
    str wanted;
    str best;
    size_t distance;
};

void near_init(struct near *near, str wanted);
void near_try(struct near *near, str name);

#endif
