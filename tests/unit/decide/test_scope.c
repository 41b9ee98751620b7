/* decide/scope.h and decide/access.h */
#include "unit.h"

#include "decide/access.h"
#include "decide/scope.h"

/* The eleven of the enterprise contract, in their order. */
static const char *const eleven[] = {
    "cohort:read",  "cohort:write",       "export:read",         "export:create",
    "simulate:run", "authorization:read", "authorization:write", "webhook:manage",
    "sso:manage",   "fhir:read",          "fhir:write",
};

static void there_are_the_eleven_scopes_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(SCOPES_END, sizeof eleven / sizeof *eleven);
    for (enum scope s = 0; s < SCOPES_END; s++) {
        enum scope found = SCOPES_END;
        assert_true(str_eq(scope_text(s), str_of(eleven[s])));
        assert_true(scope_find(str_of(eleven[s]), &found));
        assert_int_equal(found, s);
        assert_true(scope_grants(s).n > 0);
    }
}

static void a_scope_is_found_by_its_exact_text(void **state)
{
    enum scope found = SCOPE_SSO_MANAGE;

    (void)state;
    assert_false(scope_find(S("Cohort:read"), &found));
    assert_false(scope_find(S("cohort:rea"), &found));
    assert_false(scope_find(S("cohort:read "), &found));
    assert_false(scope_find(S(""), &found));
    assert_int_equal(found, SCOPE_SSO_MANAGE);
}

static void a_set_has_what_was_added(void **state)
{
    struct scope_set set = {0};

    (void)state;
    scope_add(&set, SCOPE_FHIR_WRITE);
    scope_add(&set, SCOPE_FHIR_WRITE);
    for (enum scope s = 0; s < SCOPES_END; s++)
        assert_int_equal(scope_has(set, s), s == SCOPE_FHIR_WRITE);
}

static void all_of_the_wanted_are_needed(void **state)
{
    struct scope_set two = scope_parse(S("cohort:read export:read"));

    (void)state;
    assert_true(scope_has_all(two, scope_parse(S("export:read"))));
    assert_true(scope_has_all(two, two));
    assert_true(scope_has_all(two, scope_parse(S(""))));
    assert_false(scope_has_all(two, scope_parse(S("export:read export:create"))));
    assert_false(scope_has_all(scope_parse(S("")), two));
}

static void every_set_comes_back_from_its_text(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits < UINT64_C(1) << SCOPES_END; bits++) {
        DROP(arena) struct arena *arena = arena_new();
        assert_int_equal(scope_parse(scope_write(arena, (struct scope_set){bits})).bits, bits);
    }
}

static void a_set_is_written_in_the_order_of_the_table(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct scope_set set = scope_parse(S("fhir:read cohort:read"));

    (void)state;
    assert_true(str_eq(scope_write(arena, set), S("cohort:read fhir:read")));
    assert_int_equal(scope_write(arena, (struct scope_set){0}).n, 0);
}

static void unknown_words_and_spare_spaces_are_left_out(void **state)
{
    (void)state;
    assert_int_equal(scope_parse(S("  cohort:read  nonsense ")).bits, 1u << SCOPE_COHORT_READ);
    assert_int_equal(scope_parse(STR_NONE).bits, 0);
}

static void every_role_is_found_by_its_exact_text(void **state)
{
    (void)state;
    for (enum role r = ROLE_PATIENT; r <= ROLE_ADMIN; r++)
        assert_int_equal(role_find(role_text(r)), r);
    assert_int_equal(role_text(ROLE_NONE).n, 0);
    assert_int_equal(role_find(S("")), ROLE_NONE);
    assert_int_equal(role_find(S("admin")), ROLE_NONE);
    assert_int_equal(role_find(S("EMPLOYER")), ROLE_NONE);
}

static void roles_rise(void **state)
{
    (void)state;
    assert_true(ROLE_PATIENT < ROLE_MEMBER && ROLE_MEMBER < ROLE_EMPLOYER_ADMIN);
    assert_true(ROLE_EMPLOYER_ADMIN < ROLE_ADMIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_the_eleven_scopes_in_their_order),
        cmocka_unit_test(a_scope_is_found_by_its_exact_text),
        cmocka_unit_test(a_set_has_what_was_added),
        cmocka_unit_test(all_of_the_wanted_are_needed),
        cmocka_unit_test(every_set_comes_back_from_its_text),
        cmocka_unit_test(a_set_is_written_in_the_order_of_the_table),
        cmocka_unit_test(unknown_words_and_spare_spaces_are_left_out),
        cmocka_unit_test(every_role_is_found_by_its_exact_text),
        cmocka_unit_test(roles_rise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
