/* base/form.h */
#include "request.h"

static void all_problems_are_told_at_once(void **state)
{
    struct request r;

    (void)state;
    request_start(&r, "{\"name\":7,\"at\":\"yesterday\",\"n\":1.5,\"is\":\"no\",\"what\":1}");
    form_text(&r.form, "name", 10, true);
    form_text(&r.form, "missing", 10, true);
    form_time(&r.form, "at");
    form_int(&r.form, "n", 0, 10, 0);
    form_bool(&r.form, "is", true);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "name", "must be a text");
    assert_problem(&r, "missing", "is required");
    assert_problem(&r, "at", "RFC 3339");
    assert_problem(&r, "n", "whole number from 0 to 10");
    assert_problem(&r, "is", "true or false");
    assert_problem(&r, "what", "known are: name, missing, at, n, is");
    request_end(&r);
}

static void a_body_that_is_no_object_is_one_problem(void **state)
{
    struct request r;

    (void)state;
    request_start(&r, "[1]");
    assert_true(str_is_none(form_text(&r.form, "name", 10, true)));
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "", "must be a JSON object");
    request_end(&r);
}

static void parts_name_their_members_by_path(void **state)
{
    struct request r;
    struct form part;

    (void)state;
    request_start(&r, "{\"rate\":{\"n\":99,\"x\":1},\"other\":5}");
    form_open_part(&part, &r.form, form_value(&r.form, "rate"), "rate.");
    form_int(&part, "n", 1, 10, 1);
    form_close_part(&part);
    form_open_part(&part, &r.form, form_value(&r.form, "other"), "other.");
    form_close_part(&part);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "rate.n", "from 1 to 10");
    assert_problem(&r, "rate.x", "known are: n");
    assert_problem(&r, "other", "must be an object");
    request_end(&r);
}

static void names_must_be_fit_to_be_read(void **state)
{
    static const char *const bad[] = {"\"\"",         "\"   \"",         "\"a\\u0007b\"",
                                      "\"a\\nb\"",    "\"\\u202eevil\"", "\"12345678901\"",
                                      "\"a\\u2028b\""};
    char text[64];
    struct request r;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{\"name\":%s}", bad[i]);
        request_start(&r, text);
        form_text(&r.form, "name", 10, true);
        if (request_close(&r) != E_INVALID_REQUEST)
            flunk("accepted: %s", bad[i]);
        request_end(&r);
    }
    request_start(&r, "{\"name\":\"\\u00c5ngstr\\u00f6m \\ud83d\\ude00\"}"); /* 10 characters */
    form_text(&r.form, "name", 10, true);
    assert_int_equal(request_close(&r), E_OK);
    request_end(&r);
}

static void only_the_first_hundred_problems_are_listed(void **state)
{
    struct request r;

    (void)state;
    request_start(&r, "{}");
    for (int i = 0; i < 250; i++)
        form_problem(&r.form, "x", "number %d", i);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "x", "number 0");
    assert_null(memmem(r.cx.failure.members.p, r.cx.failure.members.n, "number 100", 10));
    assert_non_null(strstr(r.cx.failure.detail.p, "250"));
    request_end(&r);
}

static void problems_since_a_mark_can_be_forgotten(void **state)
{
    struct request r;

    (void)state;
    request_start(&r, "{}");
    form_problem(&r.form, "first", "stays");
    struct form_mark mark = form_mark(&r.form);
    str before = form_problems(&r.form);
    for (int run = 0; run < 150; run++) { /* more than are listed */
        form_rewind(&r.form, mark);
        form_problem(&r.form, "second", "of run %d", run);
    }
    assert_int_equal(r.form.n_problems, 2);
    assert_non_null(strstr(form_problems(&r.form).p, "of run 149"));
    form_rewind(&r.form, mark);
    assert_true(str_eq(form_problems(&r.form), before));
    form_rewind(&r.form, mark);
    form_problem(&r.form, "third", "is noted");
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "first", "stays");
    assert_problem(&r, "third", "is noted");
    assert_null(memmem(r.cx.failure.members.p, r.cx.failure.members.n, "second", 6));
    request_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_problems_are_told_at_once),
        cmocka_unit_test(a_body_that_is_no_object_is_one_problem),
        cmocka_unit_test(parts_name_their_members_by_path),
        cmocka_unit_test(names_must_be_fit_to_be_read),
        cmocka_unit_test(only_the_first_hundred_problems_are_listed),
        cmocka_unit_test(problems_since_a_mark_can_be_forgotten),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
