/*
 * Errors: enum err, made from contracts/errors.def, and the catalogue behind it.
 *
 * A function returns E_OK or one of these. Those below E_CATALOGUE_END are answers the API can
 * give; those after it never leave the server as they are (the store turns them into one that may).
 */
#ifndef SALLYPORT_BASE_ERR_H
#define SALLYPORT_BASE_ERR_H

#include "base/str.h"

/* clang warns where a returned enum err is ignored; gcc has no such attribute for types. */
#if defined(__clang__)
#define ERR_MUST_USE __attribute__((warn_unused_result))
#else
#define ERR_MUST_USE
#endif

enum ERR_MUST_USE err {
    E_OK,
#define ERROR(code, status, message, cause, fix) E_##code,
#include "errors.def"
#undef ERROR
    E_CATALOGUE_END,
    E_STORE_CONFLICT, /* a unique constraint refused the row */
    E_STORE_BUSY,     /* the transaction lost a race; running it again may succeed */
    E_ABSENT,         /* an optional thing is not there */
    E_ASK_WORKER,     /* cx->must_not_wait, and the store must be read: run it again on a worker */
};

struct err_info {
    enum err err;
    int status; /* HTTP */
    str code;   /* "API_KEY_EXPIRED" */
    str message;
    str cause;
    str fix;
};

/* Never NULL: anything outside the catalogue is INTERNAL_ERROR. */
const struct err_info *err_info(enum err e);

/* By code text, in any case; NULL if there is none. */
const struct err_info *err_find(str code);

/* Pass a failure up. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum err try_err_ = (expression);                                                          \
        if (try_err_ != E_OK)                                                                      \
            return try_err_;                                                                       \
    } while (0)

/* Say aloud that a failure is of no consequence here. */
#define IGNORE_ERR(expression)                                                                     \
    do {                                                                                           \
        enum err ignored_err_ = (expression);                                                      \
        (void)ignored_err_;                                                                        \
    } while (0)

#endif
