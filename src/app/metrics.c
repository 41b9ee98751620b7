/* Counting requests by route and status, their time by route, and refusals by code. */
#include "app/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

#define MS_NS INT64_C(1000000)

enum { STATUS_LEAST = 100, STATUS_END = 600 };

/* All that are answered; any other is counted as the last. */
static const short statuses[] = {
    200, 201, 202, 204, 206, 207, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404,
    405, 406, 408, 409, 410, 412, 413, 414, 415, 416, 417, 422, 428, 429, 431, METRICS_STATUS_GONE,
    501, 502, 503, 504, 505, 500};

enum { N_STATUSES = sizeof statuses / sizeof *statuses };

static const int64_t bounds_ns[] = {MS_NS / 10,    MS_NS / 4,    MS_NS / 2,    MS_NS,
                                    MS_NS * 5 / 2, MS_NS * 5,    MS_NS * 10,   MS_NS * 25,
                                    MS_NS * 50,    MS_NS * 100,  MS_NS * 250,  MS_NS * 500,
                                    MS_NS * 1000,  MS_NS * 2500, MS_NS * 10000};

static const struct metric_spec requests_spec = {
    .name = "sallyport_http_requests_total",
    .help = "Answered requests; status 499: the caller went away before the answer.",
    .kind = METRIC_COUNTER,
    .labels = {"method", "route", "status"},
    .hides_zeros = true,
};

static const struct metric_spec durations_spec = {
    .name = "sallyport_http_request_duration_seconds",
    .help = "From the whole head of a request to the last byte of its answer.",
    .kind = METRIC_HISTOGRAM,
    .labels = {"route"},
    .bounds_ns = bounds_ns,
    .n_bounds = sizeof bounds_ns / sizeof *bounds_ns,
    .hides_zeros = true,
};

static const struct metric_spec refusals_spec = {
    .name = "sallyport_refusals_total",
    .help = "Refused requests by the code of the error.",
    .kind = METRIC_COUNTER,
    .labels = {"code"},
};

struct metrics {
    const struct router *router;
    /* The routes of all tables in their order, each with a method of its own; after them, for
     * requests without a route, a row for each method; 0 is one that could not be read. */
    size_t first_row[ROUTER_TABLES_MAX + 1];
    unsigned char place_of_status[STATUS_END];
    struct metric *requests;
    struct metric *durations; /* the rows of requests without a route are one here */
    struct metric *refusals;
};

/* ---- making ---- */

static void label_row(struct metrics *m, size_t row, str method, str route)
{
    for (size_t i = 0; i < N_STATUSES; i++) {
        char text[4] = {(char)('0' + statuses[i] / 100), (char)('0' + statuses[i] / 10 % 10),
                        (char)('0' + statuses[i] % 10)};
        metric_label(m->requests, row * N_STATUSES + i, (const str[]){method, route, {text, 3}});
    }
}

static void label_routes(struct metrics *m)
{
    size_t rest = m->first_row[m->router->n_tables];

    for (size_t t = 0; t < m->router->n_tables; t++) {
        for (size_t i = 0; m->first_row[t] + i < m->first_row[t + 1]; i++) {
            const struct route *route = &m->router->tables[t][i];
            str pattern = str_of(route->pattern);
            label_row(m, m->first_row[t] + i, http_method_text(route->method), pattern);
            metric_label(m->durations, m->first_row[t] + i, &pattern);
        }
    }
    for (int method = 0; method < HTTP_METHODS_END; method++)
        label_row(m, rest + (size_t)method,
                  method ? http_method_text((enum http_method)method) : S("(none)"), S("(none)"));
    metric_label(m->durations, rest, &S("(none)"));
}

static size_t count_routes(struct metrics *m)
{
    size_t n = 0;

    for (size_t t = 0; t < m->router->n_tables; t++) {
        m->first_row[t] = n;
        for (const struct route *r = m->router->tables[t]; r->method; r++)
            n++;
    }
    m->first_row[m->router->n_tables] = n;
    return n;
}

struct metrics *metrics_new(const struct router *router)
{
    struct metrics *m = mem_new(sizeof *m);

    m->router = router;
    size_t n = count_routes(m);
    memset(m->place_of_status, N_STATUSES - 1, sizeof m->place_of_status);
    for (size_t i = 0; i < N_STATUSES; i++)
        m->place_of_status[statuses[i]] = (unsigned char)i;
    m->requests = metric_new(&requests_spec, (n + HTTP_METHODS_END) * N_STATUSES);
    m->durations = metric_new(&durations_spec, n + 1);
    m->refusals = metric_new(&refusals_spec, E_CATALOGUE_END - 1);
    label_routes(m);
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++)
        metric_label(m->refusals, (size_t)e - 1, &err_info((enum err)e)->code);
    return m;
}

void metrics_drop(struct metrics **metrics)
{
    if (!*metrics)
        return;
    metric_drop(&(*metrics)->requests);
    metric_drop(&(*metrics)->durations);
    metric_drop(&(*metrics)->refusals);
    free(*metrics);
    *metrics = NULL;
}

/* ---- counting ---- */

/* The row of a route: its table's first, and its place in that. */
static size_t row_of(const struct metrics *m, const struct route *route)
{
    for (size_t t = 0; t < m->router->n_tables; t++) {
        uintptr_t from = (uintptr_t)m->router->tables[t];
        size_t n = m->first_row[t + 1] - m->first_row[t];
        if ((uintptr_t)route >= from && (uintptr_t)route < from + n * sizeof *route)
            return m->first_row[t] + (size_t)(route - m->router->tables[t]);
    }
    return m->first_row[m->router->n_tables];
}

void metrics_count_request(struct metrics *m, const struct route *route, enum http_method method,
                           int status, int64_t took_ns)
{
    size_t row = row_of(m, route);
    bool is_known = status >= STATUS_LEAST && status < STATUS_END;
    size_t place = is_known ? m->place_of_status[status] : N_STATUSES - 1;

    metric_observe(m->durations, row, took_ns);
    if (!route)
        row += (size_t)method;
    metric_add(m->requests, row * N_STATUSES + place, 1);
}

void metrics_count_refusal(struct metrics *m, enum err e)
{
    metric_add(m->refusals, (size_t)err_info(e)->err - 1, 1);
}

void metrics_write(const struct metrics *m, struct metric_page *page)
{
    metric_write(page, m->requests);
    metric_write(page, m->durations);
    metric_write(page, m->refusals);
}
