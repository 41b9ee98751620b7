/* people/rules.h */
#include "request.h"

#include "people/rules.h"

static void every_bad_member_of_a_user_is_named(void **state)
{
    DROP(secret) struct secret password = {0};
    struct request r;
    bool is_active = true;

    (void)state;
    request_start(&r, "{\"email\":\"x\",\"role\":\"PATIENT\",\"password\":\"short\","
                      "\"status\":\"gone\",\"admin\":true}");
    people_read_email(&r.form);
    people_read_role(&r.form, true);
    people_read_password(&r.form, &password);
    people_read_status(&r.form, &is_active);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "email", "is not an email address");
    assert_problem(&r, "role", "ADMIN, EMPLOYER_ADMIN or MEMBER");
    assert_problem(&r, "password", "at least 12 characters");
    assert_problem(&r, "status", "active or inactive");
    assert_problem(&r, "admin", "known are: email, role, password, status");
    assert_false(secret_is_set(&password));
    request_end(&r);
}

static void what_is_absent_stays_as_it_is(void **state)
{
    DROP(secret) struct secret password = {0};
    struct request r;
    bool is_active = false;

    (void)state;
    request_start(&r, "{}");
    assert_int_equal(people_read_role(&r.form, false), ROLE_NONE);
    people_read_password(&r.form, &password);
    people_read_status(&r.form, &is_active);
    assert_int_equal(request_close(&r), E_OK);
    assert_false(is_active);
    assert_false(secret_is_set(&password));
    request_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_member_of_a_user_is_named),
        cmocka_unit_test(what_is_absent_stays_as_it_is),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
