/*
 * Numbers for Prometheus: counters, gauges and histograms, and how they are written.
 *
 * A metric is made before threads start and has a fixed number of series, one for each combination
 * of its labels' values: what a caller sends never makes a new one. Counting is one addition to a
 * number that few threads share, from any thread.
 *
 * Text format 0.0.4, and OpenMetrics 1.0 where it is asked for; the two differ in the names of
 * counters and in the last line.
 */
#ifndef SALLYPORT_BASE_METRIC_H
#define SALLYPORT_BASE_METRIC_H

#include "base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum { METRIC_LABELS_MAX = 3 };

struct metric_spec {
    const char *name; /* of a counter: ends with _total */
    const char *help; /* one line */
    enum metric_kind kind;
    const char *labels[METRIC_LABELS_MAX]; /* their names; the rest NULL */
    const int64_t *bounds_ns;              /* histogram: the buckets' upper bounds, rising */
    size_t n_bounds;
    bool hides_zeros; /* a series is shown once it has counted: for those with many */
};

struct metric;

/* The spec outlives the metric. */
struct metric *metric_new(const struct metric_spec *spec, size_t n_series);
void metric_drop(struct metric **metric);

/* The values of one series' labels, in the order of the spec; copied. Before threads start. */
void metric_label(struct metric *metric, size_t series, const str *values);

void metric_add(struct metric *metric, size_t series, int64_t n);

/* For histograms: a duration; below 0, where a clock was set back, it counts as 0. */
void metric_observe(struct metric *metric, size_t series, int64_t ns);

/* A counter's or gauge's sum over all threads; a histogram's number of observations. */
int64_t metric_value(const struct metric *metric, size_t series);

/* ---- writing ---- */

struct metric_page {
    struct buf *out;
    bool is_openmetrics;
};

void metric_write(struct metric_page *page, const struct metric *metric);

/* One that is asked for when the page is written, without labels. */
void metric_put_int(struct metric_page *page, const char *name, const char *help,
                    enum metric_kind kind, int64_t value);
void metric_put_seconds(struct metric_page *page, const char *name, const char *help,
                        enum metric_kind kind, int64_t ns);

/* A gauge of 1 that says something in its one label. */
void metric_put_info(struct metric_page *page, const char *name, const char *help,
                     const char *label, str value);

/* Series of one label whose values are `names`. */
void metric_put_list(struct metric_page *page, const char *name, const char *help,
                     enum metric_kind kind, const char *label, const char *const *names,
                     const int64_t *values, size_t n);

void metric_page_end(struct metric_page *page);

/* What Content-Type says of the page. */
str metric_content_type(bool is_openmetrics);

#endif
