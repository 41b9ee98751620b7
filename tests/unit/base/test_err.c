/* base/err.h and contracts/errors.def */
#include "unit.h"

#include "base/cx.h"
#include "base/err.h"

static void every_code_finds_itself_in_any_case(void **state)
{
    (void)state;
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++) {
        const struct err_info *info = err_info((enum err)e);
        char lower[64] = {0};
        assert_int_equal(info->err, e);
        assert_ptr_equal(err_find(info->code), info);
        assert_true(info->code.n < sizeof lower);
        for (size_t i = 0; i < info->code.n; i++)
            lower[i] = info->code.p[i] == '_' ? '_' : (char)(info->code.p[i] | 0x20);
        assert_ptr_equal(err_find(str_of(lower)), info);
    }
}

static void an_unknown_code_is_not_found(void **state)
{
    (void)state;
    assert_null(err_find(S("NO_SUCH_CODE")));
    assert_null(err_find(S("")));
    assert_null(err_find(S("OK")));
}

static void every_status_is_one_of_an_error(void **state)
{
    (void)state;
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++)
        assert_in_range(err_info((enum err)e)->status, 400, 599);
    assert_int_equal(err_info(E_OK)->status, 200);
}

static void assert_sentence(str code, str text)
{
    if (text.n < 10 || !str_ends(text, S(".")) ||
        (text.p[0] >= 'a' && text.p[0] <= 'z' && !str_starts(text, S("x-api-version"))))
        flunk("%.*s: not a sentence: \"%.*s\"", STR_ARG(code), STR_ARG(text));
    assert_false(str_ends(text, S("..")));
}

static void every_code_has_message_cause_and_fix_as_sentences(void **state)
{
    (void)state;
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++) {
        const struct err_info *info = err_info((enum err)e);
        assert_sentence(info->code, info->message);
        assert_sentence(info->code, info->cause);
        assert_sentence(info->code, info->fix);
    }
}

static void what_is_outside_the_catalogue_is_an_internal_error(void **state)
{
    (void)state;
    assert_int_equal(err_info(E_STORE_CONFLICT)->err, E_INTERNAL_ERROR);
    assert_int_equal(err_info(E_ABSENT)->err, E_INTERNAL_ERROR);
    assert_int_equal(err_info(E_CATALOGUE_END)->err, E_INTERNAL_ERROR);
    assert_int_equal(err_info((enum err)9999)->err, E_INTERNAL_ERROR);
}

static void failing_notes_the_detail_and_gives_the_code_back(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};

    (void)state;
    assert_int_equal(fail(&cx, E_NOT_FOUND, "no %s", "luck"), E_NOT_FOUND);
    fail_hint(&cx, "try %d", 7);
    assert_true(str_eq(cx.failure.detail, S("no luck")));
    assert_true(str_eq(cx.failure.hint, S("try 7")));
}

static void an_endless_detail_is_cut(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};

    (void)state;
    assert_int_equal(fail(&cx, E_NOT_FOUND, "%5000d", 1), E_NOT_FOUND);
    assert_in_range(cx.failure.detail.n, 500, 4999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_finds_itself_in_any_case),
        cmocka_unit_test(an_unknown_code_is_not_found),
        cmocka_unit_test(every_status_is_one_of_an_error),
        cmocka_unit_test(every_code_has_message_cause_and_fix_as_sentences),
        cmocka_unit_test(what_is_outside_the_catalogue_is_an_internal_error),
        cmocka_unit_test(failing_notes_the_detail_and_gives_the_code_back),
        cmocka_unit_test(an_endless_detail_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
