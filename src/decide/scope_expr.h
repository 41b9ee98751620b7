/*
 * Which scopes a call needs, as an expression: "fhir:read AND (export:read OR export:create)".
 *
 *     expression = term *( "OR" term )
 *     term       = factor *( "AND" factor )
 *     factor     = scope / "(" expression ")"
 *
 * Words are separated by spaces; AND and OR are read in any case. Two scopes side by side are
 * refused, since some read that as AND and some as OR.
 */
#ifndef SALLYPORT_DECIDE_SCOPE_EXPR_H
#define SALLYPORT_DECIDE_SCOPE_EXPR_H

#include "decide/scope.h"

enum { SCOPE_EXPR_STEPS_MAX = 63, SCOPE_EXPR_DEPTH_MAX = 16, SCOPE_EXPR_MAX_BYTES = 1024 };

/* In postfix order: a step below SCOPES_MAX is that scope. No memory of its own. */
struct scope_expr {
    uint8_t steps[SCOPE_EXPR_STEPS_MAX];
    uint8_t n; /* 0: nothing is needed */
};

/* What is wrong, and from which byte of the text on. */
struct scope_expr_fault {
    size_t at;
    str reason; /* a literal, to follow the position: "must be a scope or (" */
};

/* Pure, no allocation. The empty text needs nothing. Without names: the enterprise API's. */
bool scope_expr_parse_names(const struct scope_names *names, str text, struct scope_expr *out,
                            struct scope_expr_fault *fault);
bool scope_expr_parse(str text, struct scope_expr *out, struct scope_expr_fault *fault);

/*
 * The fewest scopes that, added to those held, would satisfy it; the set is empty where they do.
 * Of several such sets the one of the earlier scopes in the text.
 */
struct scope_set scope_expr_missing(const struct scope_expr *expr, struct scope_set held);

/* All scopes that are named in it. */
struct scope_set scope_expr_scopes(const struct scope_expr *expr);

#endif
