/* Noting why something failed. */
#include "base/cx.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

PRINTF_LIKE(2, 0) static str format_in(struct arena *arena, const char *format, va_list args)
{
    char text[1024];
    int n = vsnprintf(text, sizeof text, format, args);

    if (n < 0)
        return STR_NONE;
    return arena_dup(arena, (str){text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1});
}

enum err fail(struct cx *cx, enum err e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cx->failure.detail = format_in(cx->arena, format, args);
    va_end(args);
    return e;
}

void fail_hint(struct cx *cx, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cx->failure.hint = format_in(cx->arena, format, args);
    va_end(args);
}
