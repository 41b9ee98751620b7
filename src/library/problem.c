/* What is not valid about an argument, in the caller's struct. */
#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"
#include "library/inside.h"

enum sallyport_result invalid(struct sallyport_problem *problem, const char *member, size_t index,
                              const char *format, ...)
{
    va_list args;

    if (!problem)
        return SALLYPORT_INVALID;
    snprintf(problem->member, sizeof problem->member, "%s", member);
    problem->index = index;
    va_start(args, format);
    vsnprintf(problem->reason, sizeof problem->reason, format, args);
    va_end(args);
    return SALLYPORT_INVALID;
}
