/* decide/scope_expr.h */
#include "unit.h"

#include <stdio.h>

#include "decide/scope_expr.h"

static struct scope_expr parsed(const char *text)
{
    struct scope_expr_fault fault;
    struct scope_expr expr;

    assert_true(scope_expr_parse(str_of(text), &expr, &fault));
    return expr;
}

/* What is missing of `text` to those who hold `held`. */
static void assert_missing(const char *text, const char *held, const char *missing)
{
    struct scope_expr expr = parsed(text);
    struct scope_set got = scope_expr_missing(&expr, scope_parse(str_of(held)));

    assert_int_equal(got.bits, scope_parse(str_of(missing)).bits);
}

static void assert_fault(const char *text, size_t at, const char *reason)
{
    struct scope_expr_fault fault;
    struct scope_expr expr;

    assert_false(scope_expr_parse(str_of(text), &expr, &fault));
    assert_int_equal(fault.at, at);
    assert_true(str_eq(fault.reason, str_of(reason)));
}

static void nothing_needs_nothing(void **state)
{
    (void)state;
    assert_missing("", "", "");
    assert_missing("  ", "", "");
}

static void scopes_are_joined_by_and_and_or(void **state)
{
    (void)state;
    assert_missing("fhir:read", "fhir:read", "");
    assert_missing("fhir:read", "fhir:write", "fhir:read");
    assert_missing("fhir:read AND export:read", "fhir:read", "export:read");
    assert_missing("fhir:read OR export:read", "export:read", "");
    assert_missing("fhir:read and(export:read oR export:create)", "fhir:read export:create", "");
    assert_missing("fhir:read AND (export:read OR export:create)", "fhir:read", "export:read");
}

static void and_binds_before_or(void **state)
{
    (void)state;
    assert_missing("cohort:read OR fhir:read AND export:read", "cohort:read", "");
    assert_missing("cohort:read AND fhir:read OR export:read", "export:read", "");
    assert_missing("cohort:read AND (fhir:read OR export:read)", "export:read", "cohort:read");
}

static void the_fewest_that_are_missing_are_named(void **state)
{
    (void)state;
    assert_missing("cohort:read AND cohort:write OR fhir:read", "", "fhir:read");
    assert_missing("cohort:read AND cohort:write OR fhir:read AND fhir:write", "fhir:write",
                   "fhir:read");
    assert_missing("cohort:read OR fhir:read", "", "cohort:read");
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    (void)state;
    assert_fault("fhir:raed", 0, "must be a scope or (");
    assert_fault("fhir:read export:read", 10, "must be AND or OR, or the end");
    assert_fault("fhir:read AND", 13, "must be a scope or (, and the text ends");
    assert_fault("AND fhir:read", 0, "must be a scope or (");
    assert_fault("(fhir:read", 10, "lacks a )");
    assert_fault("(fhir:read export:read)", 11, "must be AND, OR or )");
    assert_fault("fhir:read)", 9, "closes a bracket that is not open");
    assert_fault("()", 1, "must be a scope or (");
    assert_fault("fhir:read\nOR export:read", 0, "must be a scope or (");
    assert_fault("((((((((((((((((( fhir:read", 16, "has more than 16 brackets inside each other");
}

static void the_longest_is_bounded(void **state)
{
    char text[1200] = "fhir:read";

    (void)state;
    for (int i = 1; i < 32; i++)
        strcat(text, " OR fhir:read");
    assert_int_equal(parsed(text).n, SCOPE_EXPR_STEPS_MAX);
    strcat(text, " OR fhir:read");
    struct scope_expr_fault fault;
    struct scope_expr expr;
    assert_false(scope_expr_parse(str_of(text), &expr, &fault));
    assert_true(str_eq(fault.reason, S("is too long: 32 scopes are the most")));
    memset(text, ' ', sizeof text);
    assert_false(scope_expr_parse((str){text, 1025}, &expr, &fault));
}

static void another_api_has_its_own_names(void **state)
{
    static const str texts[] = {{"read:orders", 11}, {"write:orders", 12}};
    static const struct scope_names names = {texts, 2};
    struct scope_expr_fault fault;
    struct scope_expr expr;

    (void)state;
    assert_true(scope_expr_parse_names(&names, S("read:orders AND write:orders"), &expr, &fault));
    assert_int_equal(scope_expr_missing(&expr, (struct scope_set){1}).bits, 2);
    assert_int_equal(scope_expr_missing(&expr, (struct scope_set){3}).bits, 0);
    assert_false(scope_expr_parse_names(&names, S("cohort:read"), &expr, &fault));
    assert_int_equal(fault.at, 0);
}

static void the_sixty_fourth_scope_is_a_scope(void **state)
{
    char room[SCOPES_MAX][4];
    str texts[SCOPES_MAX];
    const struct scope_names names = {texts, SCOPES_MAX};
    struct scope_expr_fault fault;
    struct scope_expr expr;

    (void)state;
    for (int i = 0; i < SCOPES_MAX; i++)
        texts[i] = (str){room[i], (size_t)snprintf(room[i], sizeof room[i], "s%d", i)};
    assert_true(scope_expr_parse_names(&names, S("s63 AND s0"), &expr, &fault));
    assert_int_equal(scope_expr_scopes(&expr).bits, UINT64_C(1) << 63 | 1);
    assert_int_equal(scope_expr_missing(&expr, (struct scope_set){1}).bits, UINT64_C(1) << 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_needs_nothing),
        cmocka_unit_test(scopes_are_joined_by_and_and_or),
        cmocka_unit_test(and_binds_before_or),
        cmocka_unit_test(the_fewest_that_are_missing_are_named),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(the_longest_is_bounded),
        cmocka_unit_test(another_api_has_its_own_names),
        cmocka_unit_test(the_sixty_fourth_scope_is_a_scope),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
