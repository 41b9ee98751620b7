/* The library's codes and checks, and the errors of the catalogue that they stand for. */
#include "library/inside.h"

static const struct {
    enum err err;
    enum sallyport_check check;
} codes[] = {
    [SALLYPORT_VALID] = {E_OK, SALLYPORT_CHECK_NONE},
    [SALLYPORT_INVALID_API_KEY] = {E_INVALID_API_KEY, SALLYPORT_CHECK_KNOWN},
    [SALLYPORT_API_KEY_REVOKED] = {E_API_KEY_REVOKED, SALLYPORT_CHECK_REVOKED},
    [SALLYPORT_API_KEY_INACTIVE] = {E_API_KEY_INACTIVE, SALLYPORT_CHECK_ACTIVE},
    [SALLYPORT_API_KEY_NOT_YET_VALID] = {E_API_KEY_NOT_YET_VALID, SALLYPORT_CHECK_NOT_BEFORE},
    [SALLYPORT_API_KEY_EXPIRED] = {E_API_KEY_EXPIRED, SALLYPORT_CHECK_EXPIRY},
    [SALLYPORT_API_KEY_IP_NOT_ALLOWED] = {E_API_KEY_IP_NOT_ALLOWED, SALLYPORT_CHECK_ADDRESS},
    [SALLYPORT_INSUFFICIENT_SCOPE] = {E_INSUFFICIENT_SCOPE, SALLYPORT_CHECK_SCOPE},
    [SALLYPORT_RATE_LIMITED] = {E_RATE_LIMITED, SALLYPORT_CHECK_RATE},
};

enum { CODES_END = sizeof codes / sizeof *codes };

static bool is_code(enum sallyport_code code)
{
    return (unsigned)code < CODES_END;
}

enum err library_err(enum sallyport_code code)
{
    return is_code(code) ? codes[code].err : E_INTERNAL_ERROR;
}

const char *sallyport_code_text(enum sallyport_code code)
{
    if (code == SALLYPORT_VALID)
        return "VALID";
    return is_code(code) ? err_info(codes[code].err)->code.p : NULL;
}

/* One error may come from two checks: the second is told apart by the facts. */
static enum sallyport_check check_of(const struct verdict *verdict, const struct decide_key *key,
                                     const struct key_text_verdict *text,
                                     enum sallyport_check usual)
{
    if (usual == SALLYPORT_CHECK_KNOWN && text->fault != KEY_TEXT_OK)
        return SALLYPORT_CHECK_TEXT;
    if (usual == SALLYPORT_CHECK_REVOKED && verdict->is_rotated_out)
        return SALLYPORT_CHECK_ROTATED;
    if (usual == SALLYPORT_CHECK_RATE && verdict->rate.limit != key->rate.requests)
        return SALLYPORT_CHECK_REFUSALS;
    return usual;
}

void library_name(const struct verdict *verdict, const struct decide_key *key,
                  const struct key_text_verdict *text, struct sallyport_verdict *out)
{
    unsigned code = 0;

    while (code < CODES_END - 1 && codes[code].err != verdict->code)
        code++;
    out->code = (enum sallyport_code)code;
    out->check = check_of(verdict, key, text, codes[code].check);
    out->status = verdict->code == E_OK ? 200 : err_info(verdict->code)->status;
}
