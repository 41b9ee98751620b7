/*
 * scope_expr_parse: a fault lies inside the text; of what is read, holding all that it names is
 * enough, holding what is missing is enough, and what is missing is named in it.
 */
#include <assert.h>

#include "decide/scope_expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    struct scope_expr_fault fault = {0};
    struct scope_expr expr;

    if (!scope_expr_parse(text, &expr, &fault)) {
        assert(fault.at <= text.n && fault.reason.n);
        return 0;
    }
    struct scope_set all = scope_expr_scopes(&expr);
    struct scope_set missing = scope_expr_missing(&expr, (struct scope_set){0});
    assert(scope_expr_missing(&expr, all).bits == 0);
    assert((missing.bits & ~all.bits) == 0);
    assert(scope_expr_missing(&expr, missing).bits == 0);
    assert((expr.n == 0) == (missing.bits == 0));
    return 0;
}
