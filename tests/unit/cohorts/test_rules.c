/* cohorts/rules.h: rows, changes, duplicates. */
#include "request.h"

#include "cohorts/rules.h"

static void each_bad_member_of_a_row_is_named(void **state)
{
    struct request r;
    struct row row = {0};

    (void)state;
    request_start(&r, "{\"email\":\"nobody\",\"firstName\":\" \",\"dateOfBirth\":\"1984-02-30\","
                      "\"phone\":\"call me\",\"age\":40}");
    row_read(&r.form, r.cx.now_ms, &row);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "email", "is not an email address");
    assert_problem(&r, "firstName", "spaces");
    assert_problem(&r, "lastName", "is required");
    assert_problem(&r, "dateOfBirth", "is not a day");
    assert_problem(&r, "phone", "telephone");
    assert_problem(&r, "age", "known are: email");
    request_end(&r);
}

static void nobody_is_born_tomorrow(void **state)
{
    struct request r;
    struct row row = {0};

    (void)state;
    request_start(&r, "{\"email\":\"a@b.c\",\"firstName\":\"A\",\"lastName\":\"B\","
                      "\"dateOfBirth\":\"2999-01-01\"}");
    row_read(&r.form, r.cx.now_ms, &row);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "dateOfBirth", "future");
    request_end(&r);
}

static void absent_keeps_and_null_forgets(void **state)
{
    struct request r;
    struct row row = {0};
    struct patient patient = {0};

    (void)state;
    patient.member[PATIENT_EMAIL] = S("a@b.c");
    patient.member[PATIENT_FIRST_NAME] = S("A");
    patient.member[PATIENT_LAST_NAME] = S("B");
    patient.member[PATIENT_PHONE] = S("555 1234");
    patient.member[PATIENT_DEPARTMENT] = S("Ward 7");
    request_start(&r,
                  "{\"email\":\"a@b.c\",\"firstName\":\"A\",\"lastName\":\"B\",\"phone\":null}");
    row_read(&r.form, r.cx.now_ms, &row);
    assert_int_equal(request_close(&r), E_OK);
    assert_true(row_apply(&row, &patient));
    assert_true(str_is_none(patient.member[PATIENT_PHONE]));
    assert_true(str_eq(patient.member[PATIENT_DEPARTMENT], S("Ward 7")));
    assert_false(row_apply(&row, &patient));
    request_end(&r);
}

static void a_repeated_address_points_at_its_first_row(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct row rows[5] = {
        {.index = 0, .email_folded = S("b@x")}, {.index = 1, .email_folded = S("a@x")},
        {.index = 2, .email_folded = S("b@x")}, {.index = 3, .email_folded = S("")},
        {.index = 4, .email_folded = S("b@x")},
    };
    struct duplicate *found;

    (void)state;
    assert_int_equal(rows_find_duplicates(arena, rows, 5, &found), 2);
    assert_int_equal(found[0].index, 2);
    assert_int_equal(found[0].first, 0);
    assert_int_equal(found[1].index, 4);
    assert_int_equal(found[1].first, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bad_member_of_a_row_is_named),
        cmocka_unit_test(nobody_is_born_tomorrow),
        cmocka_unit_test(absent_keeps_and_null_forgets),
        cmocka_unit_test(a_repeated_address_points_at_its_first_row),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
