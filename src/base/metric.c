/* Metrics: sharded counters, and the two text formats of Prometheus. */
#include "base/metric.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"
#include "base/mem.h"

/* Threads that count the same thing at once would pass its cache line back and forth. */
enum { SHARDS = 8, CACHE_LINE_BYTES = 64 };

#define SECOND_NS INT64_C(1000000000)

/* A cell: a counter's number; of a histogram, one for each bucket, and the sum. */
typedef _Atomic int64_t cell;

struct metric {
    const struct metric_spec *spec;
    size_t n_series;
    size_t n_cells; /* of one series */
    char **labels;  /* of each series: `method="GET",status="200"` */
    cell *shards[SHARDS];
};

/* ---- making ---- */

static cell *new_cells(size_t n)
{
    size_t lines = (n * sizeof(cell) + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES;
    cell *cells = aligned_alloc(CACHE_LINE_BYTES, lines * CACHE_LINE_BYTES);

    if (!cells)
        abort();
    for (size_t i = 0; i < n; i++)
        atomic_init(&cells[i], 0);
    return cells;
}

struct metric *metric_new(const struct metric_spec *spec, size_t n_series)
{
    struct metric *m = mem_new(sizeof *m);

    m->spec = spec;
    m->n_series = n_series;
    /* The bucket of +Inf, and the sum. */
    m->n_cells = spec->kind == METRIC_HISTOGRAM ? spec->n_bounds + 2 : 1;
    m->labels = mem_new_array(n_series, sizeof *m->labels);
    for (int i = 0; i < SHARDS; i++)
        m->shards[i] = new_cells(n_series * m->n_cells);
    return m;
}

void metric_drop(struct metric **metric)
{
    struct metric *m = *metric;

    if (!m)
        return;
    for (size_t i = 0; i < m->n_series; i++)
        free(m->labels[i]);
    for (int i = 0; i < SHARDS; i++)
        free(m->shards[i]);
    free(m->labels);
    free(m);
    *metric = NULL;
}

/* Exposition formats, "label_value": backslash, quote and line feed are escaped. */
static void put_label(struct buf *out, const char *name, str value)
{
    buf_printf(out, "%s%s=\"", out->n ? "," : "", name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n')
            buf_put(out, S("\\n"));
        else if (c == '\\' || c == '"')
            buf_printf(out, "\\%c", c);
        else
            buf_put_byte(out, c);
    }
    buf_put_byte(out, '"');
}

enum { LABELS_MAX_BYTES = 4096 };

void metric_label(struct metric *m, size_t series, const str *values)
{
    struct buf text;

    assert(series < m->n_series && !m->labels[series]);
    buf_init(&text, LABELS_MAX_BYTES);
    for (size_t i = 0; i < METRIC_LABELS_MAX && m->spec->labels[i]; i++)
        put_label(&text, m->spec->labels[i], values[i]);
    m->labels[series] = strndup(buf_str(&text).p, text.n);
    buf_drop(&text);
}

/* ---- counting ---- */

static cell *my_cells(struct metric *m, size_t series)
{
    static atomic_uint n_threads;
    static _Thread_local unsigned me; /* 0: not known yet */

    assert(series < m->n_series);
    if (!me)
        me = 1 + atomic_fetch_add(&n_threads, 1) % SHARDS;
    return m->shards[me - 1] + series * m->n_cells;
}

static void add(cell *c, int64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

void metric_add(struct metric *m, size_t series, int64_t n)
{
    add(my_cells(m, series), n);
}

void metric_observe(struct metric *m, size_t series, int64_t ns)
{
    cell *cells = my_cells(m, series);
    size_t bucket = 0;

    ns = ns > 0 ? ns : 0;
    while (bucket < m->spec->n_bounds && ns > m->spec->bounds_ns[bucket])
        bucket++;
    add(&cells[bucket], 1);
    add(&cells[m->spec->n_bounds + 1], ns);
}

static int64_t sum_of(const struct metric *m, size_t series, size_t at)
{
    int64_t sum = 0;

    for (int i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&m->shards[i][series * m->n_cells + at], memory_order_relaxed);
    return sum;
}

int64_t metric_value(const struct metric *m, size_t series)
{
    size_t n = m->spec->kind == METRIC_HISTOGRAM ? m->n_cells - 1 : 1;
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += sum_of(m, series, i);
    return sum;
}

/* ---- writing ---- */

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

/* OpenMetrics names the family of a counter without "_total", and the sample with it. */
static void put_head(struct metric_page *page, const char *name, const char *help,
                     enum metric_kind kind)
{
    str family = str_of(name);

    if (page->is_openmetrics && kind == METRIC_COUNTER && str_ends(family, S("_total")))
        family = str_sub(family, 0, family.n - S("_total").n);
    buf_printf(page->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", STR_ARG(family), help,
               STR_ARG(family), kind_names[kind]);
}

/* Nine digits after the point, without the noughts at the end; OpenMetrics wants one at least. */
static void put_seconds(struct buf *out, int64_t ns)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRId64 ".%09" PRId64, ns / SECOND_NS, ns % SECOND_NS);

    while (text[n - 1] == '0' && text[n - 2] != '.')
        n--;
    buf_put(out, (str){text, (size_t)n});
}

static void put_name(struct metric_page *page, const struct metric *m, const char *suffix,
                     size_t series)
{
    const char *labels = m->labels[series];

    buf_printf(page->out, "%s%s", m->spec->name, suffix);
    if (labels && *labels)
        buf_printf(page->out, "{%s}", labels);
    buf_put_byte(page->out, ' ');
}

/* Buckets hold their own number; what is written counts those below as well. */
static void put_histogram(struct metric_page *page, const struct metric *m, size_t series)
{
    const struct metric_spec *spec = m->spec;
    const char *labels = m->labels[series] ? m->labels[series] : "";
    int64_t n = 0;

    for (size_t i = 0; i <= spec->n_bounds; i++) {
        n += sum_of(m, series, i);
        buf_printf(page->out, "%s_bucket{%s%sle=\"", spec->name, labels, *labels ? "," : "");
        if (i < spec->n_bounds)
            put_seconds(page->out, spec->bounds_ns[i]);
        else
            buf_put(page->out, S("+Inf"));
        buf_printf(page->out, "\"} %" PRId64 "\n", n);
    }
    put_name(page, m, "_sum", series);
    put_seconds(page->out, sum_of(m, series, spec->n_bounds + 1));
    buf_put_byte(page->out, '\n');
    put_name(page, m, "_count", series);
    buf_printf(page->out, "%" PRId64 "\n", n);
}

void metric_write(struct metric_page *page, const struct metric *m)
{
    put_head(page, m->spec->name, m->spec->help, m->spec->kind);
    for (size_t i = 0; i < m->n_series; i++) {
        if (m->spec->hides_zeros && metric_value(m, i) == 0)
            continue;
        if (m->spec->kind == METRIC_HISTOGRAM) {
            put_histogram(page, m, i);
            continue;
        }
        put_name(page, m, "", i);
        buf_printf(page->out, "%" PRId64 "\n", metric_value(m, i));
    }
}

void metric_put_int(struct metric_page *page, const char *name, const char *help,
                    enum metric_kind kind, int64_t value)
{
    put_head(page, name, help, kind);
    buf_printf(page->out, "%s %" PRId64 "\n", name, value);
}

void metric_put_seconds(struct metric_page *page, const char *name, const char *help,
                        enum metric_kind kind, int64_t ns)
{
    put_head(page, name, help, kind);
    buf_printf(page->out, "%s ", name);
    put_seconds(page->out, ns);
    buf_put_byte(page->out, '\n');
}

void metric_put_info(struct metric_page *page, const char *name, const char *help,
                     const char *label, str value)
{
    struct buf labels;

    buf_init(&labels, LABELS_MAX_BYTES);
    put_label(&labels, label, value);
    put_head(page, name, help, METRIC_GAUGE);
    buf_printf(page->out, "%s{%.*s} 1\n", name, STR_ARG(buf_str(&labels)));
    buf_drop(&labels);
}

void metric_put_list(struct metric_page *page, const char *name, const char *help,
                     enum metric_kind kind, const char *label, const char *const *names,
                     const int64_t *values, size_t n)
{
    put_head(page, name, help, kind);
    for (size_t i = 0; i < n; i++)
        buf_printf(page->out, "%s{%s=\"%s\"} %" PRId64 "\n", name, label, names[i], values[i]);
}

void metric_page_end(struct metric_page *page)
{
    if (page->is_openmetrics)
        buf_put(page->out, S("# EOF\n"));
}

str metric_content_type(bool is_openmetrics)
{
    return is_openmetrics ? S("application/openmetrics-text; version=1.0.0; charset=utf-8")
                          : S("text/plain; version=0.0.4; charset=utf-8");
}
