/* base/metric.h: what is counted comes out, once, in both formats. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/metric.h"

enum { PAGE_MAX_BYTES = 64 * 1024 };

#define MS_NS INT64_C(1000000)

static const int64_t bounds_ns[] = {MS_NS, 5 * MS_NS, 2000 * MS_NS};

static const struct metric_spec counter_spec = {
    .name = "door_opened_total",
    .help = "Times the door was opened.",
    .kind = METRIC_COUNTER,
    .labels = {"side", "by"},
};

static const struct metric_spec histogram_spec = {
    .name = "door_open_seconds",
    .help = "How long.",
    .kind = METRIC_HISTOGRAM,
    .labels = {"side"},
    .bounds_ns = bounds_ns,
    .n_bounds = 3,
};

/* What a page of one metric says. */
static str page_of(struct arena *arena, const struct metric *metric, bool is_openmetrics)
{
    struct buf out;
    struct metric_page page = {&out, is_openmetrics};

    buf_init(&out, PAGE_MAX_BYTES);
    metric_write(&page, metric);
    metric_page_end(&page);
    str text = arena_dup(arena, buf_str(&out));
    buf_drop(&out);
    return text;
}

static void a_counter_is_written_with_its_labels(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(metric) struct metric *m = metric_new(&counter_spec, 2);

    (void)state;
    metric_label(m, 0, (const str[]){S("in"), S("hand")});
    metric_label(m, 1, (const str[]){S("out"), S("a \"b\"\\\n")});
    metric_add(m, 0, 3);
    metric_add(m, 1, 1);
    metric_add(m, 0, 4);
    assert_int_equal(metric_value(m, 0), 7);
    assert_string_equal(page_of(arena, m, false).p,
                        "# HELP door_opened_total Times the door was opened.\n"
                        "# TYPE door_opened_total counter\n"
                        "door_opened_total{side=\"in\",by=\"hand\"} 7\n"
                        "door_opened_total{side=\"out\",by=\"a \\\"b\\\"\\\\\\n\"} 1\n");
}

static void openmetrics_names_a_counters_family_without_total_and_ends_the_page(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(metric) struct metric *m = metric_new(&counter_spec, 1);

    (void)state;
    metric_label(m, 0, (const str[]){S("in"), S("hand")});
    assert_string_equal(page_of(arena, m, true).p, "# HELP door_opened Times the door was opened.\n"
                                                   "# TYPE door_opened counter\n"
                                                   "door_opened_total{side=\"in\",by=\"hand\"} 0\n"
                                                   "# EOF\n");
}

static void buckets_count_what_is_below_them_as_well(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(metric) struct metric *m = metric_new(&histogram_spec, 1);

    (void)state;
    metric_label(m, 0, &S("in"));
    metric_observe(m, 0, MS_NS);     /* a bound belongs to its bucket */
    metric_observe(m, 0, MS_NS + 1); /* and what is past it does not */
    metric_observe(m, 0, 3000 * MS_NS);
    metric_observe(m, 0, -MS_NS); /* of a clock that was set back */
    assert_int_equal(metric_value(m, 0), 4);
    assert_string_equal(page_of(arena, m, false).p,
                        "# HELP door_open_seconds How long.\n"
                        "# TYPE door_open_seconds histogram\n"
                        "door_open_seconds_bucket{side=\"in\",le=\"0.001\"} 2\n"
                        "door_open_seconds_bucket{side=\"in\",le=\"0.005\"} 3\n"
                        "door_open_seconds_bucket{side=\"in\",le=\"2.0\"} 3\n"
                        "door_open_seconds_bucket{side=\"in\",le=\"+Inf\"} 4\n"
                        "door_open_seconds_sum{side=\"in\"} 3.002000001\n"
                        "door_open_seconds_count{side=\"in\"} 4\n");
}

static void a_series_that_hides_its_noughts_is_shown_once_it_has_counted(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct metric_spec spec = counter_spec;

    (void)state;
    spec.hides_zeros = true;
    DROP(metric) struct metric *m = metric_new(&spec, 2);
    metric_label(m, 0, (const str[]){S("in"), S("hand")});
    metric_label(m, 1, (const str[]){S("out"), S("hand")});
    metric_add(m, 1, 1);
    str page = page_of(arena, m, false);
    assert_null(strstr(page.p, "\"in\""));
    assert_non_null(strstr(page.p, "{side=\"out\",by=\"hand\"} 1\n"));
}

static void values_without_labels_are_whole_numbers_or_seconds(void **state)
{
    struct buf out;
    struct metric_page page = {&out, false};

    (void)state;
    buf_init(&out, PAGE_MAX_BYTES);
    metric_put_int(&page, "a", "A.", METRIC_GAUGE, INT64_MAX);
    metric_put_seconds(&page, "b", "B.", METRIC_GAUGE, 12 * 1000 * MS_NS);
    metric_put_info(&page, "c", "C.", "version", S("1.0"));
    metric_put_list(&page, "d_total", "D.", METRIC_COUNTER, "level",
                    (const char *const[]){"low", "high"}, (const int64_t[]){0, 2}, 2);
    buf_put_byte(&out, '\0');
    assert_string_equal(out.p, "# HELP a A.\n# TYPE a gauge\na 9223372036854775807\n"
                               "# HELP b B.\n# TYPE b gauge\nb 12.0\n"
                               "# HELP c C.\n# TYPE c gauge\nc{version=\"1.0\"} 1\n"
                               "# HELP d_total D.\n# TYPE d_total counter\n"
                               "d_total{level=\"low\"} 0\nd_total{level=\"high\"} 2\n");
    buf_drop(&out);
}

/* ---- threads ---- */

enum { THREADS = 12, ADDS = 20000 };

static void *count(void *metric)
{
    for (int i = 0; i < ADDS; i++)
        metric_add(metric, 1, 1);
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    DROP(metric) struct metric *m = metric_new(&counter_spec, 2);
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, m), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_value(m, 1), THREADS * ADDS);
    assert_int_equal(metric_value(m, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_written_with_its_labels),
        cmocka_unit_test(openmetrics_names_a_counters_family_without_total_and_ends_the_page),
        cmocka_unit_test(buckets_count_what_is_below_them_as_well),
        cmocka_unit_test(a_series_that_hides_its_noughts_is_shown_once_it_has_counted),
        cmocka_unit_test(values_without_labels_are_whole_numbers_or_seconds),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
