/* The error catalogue, read from contracts/errors.def. */
#include "base/err.h"

static const struct err_info catalogue[] = {
    [E_OK] = {E_OK, 200, {"OK", 2}, {"", 0}, {"", 0}, {"", 0}},
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define ERROR(code, status, message, cause, fix)                                                   \
    [E_##code] = {E_##code, status, TEXT(#code), TEXT(message), TEXT(cause), TEXT(fix)},
#include "errors.def"
#undef ERROR
#undef TEXT
};

const struct err_info *err_info(enum err e)
{
    return e < E_CATALOGUE_END ? &catalogue[e] : &catalogue[E_INTERNAL_ERROR];
}

const struct err_info *err_find(str code)
{
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++)
        if (str_ieq(catalogue[e].code, code))
            return &catalogue[e];
    return NULL;
}
