/* base/time.h */
#include "unit.h"

#include "base/time.h"

#include "chance.h"

static str written(int64_t at_ms)
{
    static char text[TIME_TEXT_BYTES];

    time_write(at_ms, text);
    return (str){text, sizeof text};
}

static void assert_reads(const char *text, int64_t want_ms)
{
    int64_t got_ms = -1;

    assert_true(time_parse(str_of(text), &got_ms));
    assert_true(got_ms == want_ms);
}

static void assert_refuses(const char *text)
{
    int64_t got_ms = -7;

    if (time_parse(str_of(text), &got_ms))
        flunk("accepted: %s", text);
    assert_true(got_ms == -7);
}

static void the_epoch_and_the_last_instant_have_a_text(void **state)
{
    (void)state;
    assert_true(str_eq(written(0), S("1970-01-01T00:00:00.000Z")));
    assert_true(str_eq(written(TIME_MAX_MS), S("9999-12-31T23:59:59.999Z")));
    assert_true(str_eq(written(-1), S("1970-01-01T00:00:00.000Z")));
    assert_true(str_eq(written(INT64_MAX), S("9999-12-31T23:59:59.999Z")));
}

/* RFC 3339 section 5.8 */
static void the_examples_of_rfc_3339_are_read(void **state)
{
    (void)state;
    assert_reads("1985-04-12T23:20:50.52Z", 482196050520);
    assert_reads("1996-12-19T16:39:57-08:00", 851042397000);
    assert_refuses("1990-12-31T23:59:60Z"); /* leap seconds are not taken */
    assert_refuses("1937-01-01T12:00:27.87+00:20");
}

static void fractions_are_cut_to_milliseconds(void **state)
{
    (void)state;
    assert_reads("1970-01-01T00:00:00.1Z", 100);
    assert_reads("1970-01-01T00:00:00.0019Z", 1);
    assert_reads("1970-01-01T00:00:00.999999999999999999999Z", 999);
}

static void leap_years_follow_the_gregorian_rule(void **state)
{
    (void)state;
    assert_reads("2000-02-29T00:00:00Z", 951782400000);
    assert_reads("2024-02-29T00:00:00Z", 1709164800000);
    assert_refuses("2100-02-29T00:00:00Z");
    assert_refuses("2023-02-29T00:00:00Z");
    assert_refuses("2024-04-31T00:00:00Z");
}

static void what_is_not_rfc_3339_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2026-02-01",
        "2026-02-01T00:00:00",
        "2026-02-01t00:00:00Z",
        "2026-02-01T00:00:00z",
        "2026-02-01 00:00:00Z",
        "2026-02-01T24:00:00Z",
        "2026-02-01T00:60:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00Z ",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:60",
        "2026-1-1T00:00:00Z",
        "+2026-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refuses(texts[i]);
}

static void a_date_is_a_real_day_and_may_be_long_ago(void **state)
{
    int64_t at_ms = -7;

    (void)state;
    assert_true(time_parse_date(S("1950-01-01"), &at_ms));
    assert_true(at_ms == -20 * 365 * DAY_MS - 5 * DAY_MS);
    assert_true(time_parse_date(S("1970-01-02"), &at_ms));
    assert_true(at_ms == DAY_MS);
    assert_false(time_parse_date(S("1950-02-30"), &at_ms));
    assert_false(time_parse_date(S("1950-01-01T00:00:00Z"), &at_ms));
    assert_true(at_ms == DAY_MS);
}

/* RFC 9110 section 5.6.7 */
static void the_example_of_an_http_date_is_written(void **state)
{
    char text[HTTP_DATE_BYTES];

    (void)state;
    time_write_http(784111777000, text);
    assert_memory_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT", sizeof text);
}

static void every_instant_comes_back_from_its_text(void **state)
{
    struct chance c = chance_new("time round trip");

    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t at_ms = (int64_t)chance_below(&c, (uint64_t)TIME_MAX_MS + 1);
        int64_t back_ms = -1;
        assert_true(time_parse(written(at_ms), &back_ms));
        assert_true(back_ms == at_ms);
    }
}

/* The system's own calendar is the other opinion. */
static void every_instant_is_written_as_gmtime_says(void **state)
{
    struct chance c = chance_new("time against gmtime");

    (void)state;
    for (int i = 0; i < 20000; i++) {
        time_t at_s = (time_t)chance_below(&c, (uint64_t)(TIME_MAX_MS / 1000) + 1);
        char http[HTTP_DATE_BYTES], want[64];
        struct tm tm;
        gmtime_r(&at_s, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
        assert_memory_equal(written((int64_t)at_s * 1000).p, want, 19);
        strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        time_write_http((int64_t)at_s * 1000, http);
        assert_memory_equal(http, want, sizeof http);
    }
}

static void the_monotonic_clock_does_not_step_back(void **state)
{
    int64_t before_ms = time_mono_ms();

    (void)state;
    assert_true(time_mono_ms() >= before_ms);
    assert_true(time_now_ms() > INT64_C(1700000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_epoch_and_the_last_instant_have_a_text),
        cmocka_unit_test(the_examples_of_rfc_3339_are_read),
        cmocka_unit_test(fractions_are_cut_to_milliseconds),
        cmocka_unit_test(leap_years_follow_the_gregorian_rule),
        cmocka_unit_test(what_is_not_rfc_3339_is_refused),
        cmocka_unit_test(a_date_is_a_real_day_and_may_be_long_ago),
        cmocka_unit_test(the_example_of_an_http_date_is_written),
        cmocka_unit_test(every_instant_comes_back_from_its_text),
        cmocka_unit_test(every_instant_is_written_as_gmtime_says),
        cmocka_unit_test(the_monotonic_clock_does_not_step_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
