/* The libc calls we do without: each has a bounded or checked counterpart in base/. */
#ifndef SALLYPORT_BASE_BANNED_H
#define SALLYPORT_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the C library makes macros of them, the macros go first. */
#undef strcpy
#undef strncpy
#undef strcat
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef strtok_r
#undef atoi
#undef atol
#undef atoll
#undef gets

#pragma GCC poison strcpy strncpy strcat strncat sprintf vsprintf strtok strtok_r atoi atol atoll  \
    gets

#endif
