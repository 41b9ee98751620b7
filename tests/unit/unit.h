/*
 * cmocka, without its macro fail(), whose name is ours in base/cx.h; flunk() takes its place.
 * Included before anything of ours.
 */
#ifndef SALLYPORT_TESTS_UNIT_UNIT_H
#define SALLYPORT_TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#undef fail
#undef fail_msg

#define flunk(...)                                                                                 \
    do {                                                                                           \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
    } while (0)

#endif
