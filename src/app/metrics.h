/*
 * What is counted about requests. A route is known by its pattern, so that there are as many series
 * as the contract has routes, whatever callers send.
 */
#ifndef SALLYPORT_APP_METRICS_H
#define SALLYPORT_APP_METRICS_H

#include "base/err.h"
#include "base/metric.h"
#include "http/router.h"

/* The status of a call whose caller went away before it was answered. */
enum { METRICS_STATUS_GONE = 499 };

struct metrics;

/* The tables of the router outlive the metrics. */
struct metrics *metrics_new(const struct router *router);
void metrics_drop(struct metrics **metrics);

/* A request is over. route: NULL if none was found; method: 0 if it could not be read. */
void metrics_count_request(struct metrics *metrics, const struct route *route,
                           enum http_method method, int status, int64_t took_ns);
void metrics_count_refusal(struct metrics *metrics, enum err e);

void metrics_write(const struct metrics *metrics, struct metric_page *page);

#endif
