/* decide/version.h */
#include "unit.h"

#include "chance.h"
#include "decide/version.h"

static struct version_claim judged(const char *field, const char *accept)
{
    return version_judge(str_of(field), str_of(accept), S("boundedhealth"));
}

static void assert_fault(const char *field, const char *accept, enum version_fault want)
{
    enum version_fault got = judged(field, accept).fault;

    if (got != want)
        flunk("x-api-version: %s, Accept: %s: %d, not %d", field ? field : "(none)",
              accept ? accept : "(none)", (int)got, (int)want);
}

static void the_newest_is_in_the_table(void **state)
{
    (void)state;
    assert_true(n_api_versions >= 1);
    assert_true(str_eq(api_versions[0].canonical, S("2026-02-01")));
    assert_true(str_eq(api_versions[0].alias, S("v1")));
    assert_true(str_eq(S(API_VERSION_NEWEST), api_versions[0].canonical));
}

static void the_field_takes_the_canonical_text_and_the_alias(void **state)
{
    (void)state;
    assert_true(str_eq(judged("2026-02-01", NULL).canonical, S("2026-02-01")));
    assert_true(str_eq(judged("v1", NULL).canonical, S("2026-02-01")));
    assert_fault("2026-02-01", NULL, VERSION_OK);
    assert_fault("v1", NULL, VERSION_OK);
    assert_fault(" v1 ", NULL, VERSION_OK);
}

static void nothing_asked_for_means_the_newest(void **state)
{
    struct version_claim claim = judged(NULL, NULL);

    (void)state;
    assert_int_equal(claim.fault, VERSION_MISSING);
    assert_true(str_is_none(claim.asked));
    assert_true(str_eq(claim.canonical, S(API_VERSION_NEWEST)));
    assert_fault("", NULL, VERSION_MISSING);
    assert_fault("  ", NULL, VERSION_MISSING);
}

static void an_unknown_version_is_unsupported_and_its_text_is_kept(void **state)
{
    static const char *const texts[] = {"v2",   "1",      "2026-02-02", "2026-02-01Z",
                                        "v1.0", "latest", "2026-2-1",   "v1;q=1"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_fault(texts[i], NULL, VERSION_UNSUPPORTED);
        assert_true(str_eq(judged(texts[i], NULL).asked, str_of(texts[i])));
        assert_true(str_is_none(judged(texts[i], NULL).canonical));
    }
}

static void the_same_version_twice_is_one_and_two_are_a_conflict(void **state)
{
    (void)state;
    assert_fault("v1, v1", NULL, VERSION_OK);
    assert_fault("v1,2026-02-01", NULL, VERSION_OK);
    assert_fault("v1,v2", NULL, VERSION_CONFLICT);
    assert_fault("v2,v2", NULL, VERSION_UNSUPPORTED);
    assert_fault("v1,v2", "application/vnd.boundedhealth.v1+json", VERSION_CONFLICT);
}

static void accept_takes_both_vendor_forms(void **state)
{
    static const char *const texts[] = {
        "application/vnd.boundedhealth.v1+json",
        "application/vnd.boundedhealth+json; version=2026-02-01",
        "application/vnd.boundedhealth+json;version=2026-02-01",
        "application/vnd.boundedhealth+json; version=\"2026-02-01\"",
        "application/vnd.boundedhealth+json; version=v1",
        "Application/VND.BoundedHealth.V1+JSON",
        "application/vnd.boundedhealth+json; Version=2026-02-01; q=0.3",
        "text/html, application/vnd.boundedhealth.v1+json;q=0.9, */*;q=0.1",
        "application/vnd.boundedhealth.v1+json; version=2026-02-01",
        ", ,application/vnd.boundedhealth.v1+json",
        "text/plain; a=\"x, y; \\\"\", application/vnd.boundedhealth.v1+json",
        "application/vnd.boundedhealth.v1+json;;",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_fault(NULL, texts[i], VERSION_OK);
        assert_true(str_eq(judged(NULL, texts[i]).canonical, S("2026-02-01")));
    }
}

static void accept_with_an_unknown_version_is_unsupported(void **state)
{
    (void)state;
    assert_fault(NULL, "application/vnd.boundedhealth.v2+json", VERSION_UNSUPPORTED);
    assert_fault(NULL, "application/vnd.boundedhealth+json; version=1999-01-01",
                 VERSION_UNSUPPORTED);
    assert_fault(NULL, "application/vnd.boundedhealth.v2+json, */*", VERSION_UNSUPPORTED);
    assert_true(str_eq(judged(NULL, "application/vnd.boundedhealth.v2+json").asked, S("v2")));
}

static void accept_that_names_no_version_asks_for_none(void **state)
{
    static const char *const texts[] = {
        "",
        "*/*",
        "application/json",
        "application/json; version=1999-01-01",
        "application/fhir+json",
        "application/vnd.boundedhealth+json",
        "application/vnd.other.v9+json",
        "application/vnd.boundedhealthy.v9+json",
        "application/vnd.boundedhealth.v9+xml",
        "application/vnd.boundedhealth.v9",
        "text/vnd.boundedhealth.v9+json",
        "application/vnd.boundedhealth.v9+json;q=0",
        "application/vnd.boundedhealth.v9+json;q=0.000",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fault(NULL, texts[i], VERSION_MISSING);
}

static void accept_that_is_malformed_asks_for_none(void **state)
{
    static const char *const texts[] = {
        "application/vnd.boundedhealth.v9+json;q=2",
        "application/vnd.boundedhealth.v9+json;q=1.001",
        "application/vnd.boundedhealth.v9+json;q=0.1234",
        "application/vnd.boundedhealth.v9+json;q=",
        "application/vnd.boundedhealth.v9+json;q",
        "application/vnd.boundedhealth.v9+json;a=\"open",
        "application/vnd.boundedhealth.v9+json x",
        "application/ vnd.boundedhealth.v9+json",
        "application/vnd.boundedhealth.v9+json; =x",
        "application/vnd.boundedhealth+json; version=v9; version=v9",
        "vnd.boundedhealth.v9+json",
        "/;;\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fault(NULL, texts[i], VERSION_MISSING);
}

static void a_malformed_range_does_not_hide_the_next(void **state)
{
    (void)state;
    assert_fault(NULL, "a b/c d;;=, application/vnd.boundedhealth.v1+json", VERSION_OK);
    assert_fault(NULL, "x \"y, z\" w, application/vnd.boundedhealth.v9+json", VERSION_UNSUPPORTED);
}

static void among_several_a_version_that_exists_is_taken(void **state)
{
    (void)state;
    assert_fault(NULL,
                 "application/vnd.boundedhealth.v9+json, "
                 "application/vnd.boundedhealth.v1+json;q=0.1",
                 VERSION_OK);
    assert_true(str_eq(judged(NULL, "application/vnd.boundedhealth.v8+json;q=0.5, "
                                    "application/vnd.boundedhealth.v9+json")
                           .asked,
                       S("v9")));
}

static void name_and_parameter_that_differ_are_a_conflict(void **state)
{
    (void)state;
    assert_fault(NULL, "application/vnd.boundedhealth.v1+json; version=1999-01-01",
                 VERSION_CONFLICT);
}

static void field_and_accept_must_agree(void **state)
{
    (void)state;
    assert_fault("v1", "application/vnd.boundedhealth+json; version=2026-02-01", VERSION_OK);
    assert_fault("v1", "application/vnd.boundedhealth.v2+json", VERSION_CONFLICT);
    assert_fault("v2", "application/vnd.boundedhealth.v1+json", VERSION_CONFLICT);
    assert_fault("v2", "application/vnd.boundedhealth.V2+json", VERSION_UNSUPPORTED);
    assert_fault("v1", "application/json", VERSION_OK);
    assert_fault("v1", "application/vnd.boundedhealth.v1+json; version=v7", VERSION_CONFLICT);
}

static void another_vendor_token_may_be_set(void **state)
{
    (void)state;
    assert_int_equal(version_judge(STR_NONE, S("application/vnd.acme.v1+json"), S("acme")).fault,
                     VERSION_OK);
    assert_int_equal(
        version_judge(STR_NONE, S("application/vnd.boundedhealth.v1+json"), S("acme")).fault,
        VERSION_MISSING);
}

static void a_range_of_another_type_changes_nothing(void **state)
{
    static const char *const ours[] = {
        "application/vnd.boundedhealth.v1+json",
        "application/vnd.boundedhealth.v9+json;q=0.4",
        "application/vnd.boundedhealth+json",
        "application/vnd.boundedhealth.v1+json;version=v2",
    };
    static const char *const others[] = {"*/*", "a/b;c=\",\\\"\"", "", "text/html;q=0.2;x=y"};
    struct chance c = chance_new("other ranges");

    (void)state;
    for (int i = 0; i < 20000; i++) {
        const char *mine = ours[chance_below(&c, 4)];
        char text[400] = {0};
        size_t n = 0;
        uint64_t before = chance_below(&c, 4), after = chance_below(&c, 4);
        for (uint64_t k = 0; k < before + 1 + after; k++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", k ? " , " : "",
                                  k == before ? mine : others[chance_below(&c, 4)]);
        assert_fault(NULL, text, judged(NULL, mine).fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_in_the_table),
        cmocka_unit_test(the_field_takes_the_canonical_text_and_the_alias),
        cmocka_unit_test(nothing_asked_for_means_the_newest),
        cmocka_unit_test(an_unknown_version_is_unsupported_and_its_text_is_kept),
        cmocka_unit_test(the_same_version_twice_is_one_and_two_are_a_conflict),
        cmocka_unit_test(accept_takes_both_vendor_forms),
        cmocka_unit_test(accept_with_an_unknown_version_is_unsupported),
        cmocka_unit_test(accept_that_names_no_version_asks_for_none),
        cmocka_unit_test(accept_that_is_malformed_asks_for_none),
        cmocka_unit_test(a_malformed_range_does_not_hide_the_next),
        cmocka_unit_test(among_several_a_version_that_exists_is_taken),
        cmocka_unit_test(name_and_parameter_that_differ_are_a_conflict),
        cmocka_unit_test(field_and_accept_must_agree),
        cmocka_unit_test(another_vendor_token_may_be_set),
        cmocka_unit_test(a_range_of_another_type_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
