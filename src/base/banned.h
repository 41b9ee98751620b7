/* The libc calls we do without: each has a bounded or checked counterpart in base/. */
#ifndef SALLYPORT_BASE_BANNED_H
#define SALLYPORT_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strncpy strcat strncat sprintf vsprintf strtok strtok_r atoi atol atoll  \
    gets

#endif
