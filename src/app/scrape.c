/* Serving /metrics: a second, small HTTP engine with one thread, in plain HTTP. */
#include "app/scrape.h"

#include <stdlib.h>

#include "app/process.h"
#include "base/banned.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "gate/gate.h"
#include "keys/keys.h"
#include "places/places.h"
#include "store/store.h"
#include "stream/stream.h"

/* Prometheus, one more beside it, and a person with curl. */
enum { SCRAPE_CONNECTIONS_MAX = 64 };

struct scrape {
    struct door *door;
    struct http_engine *engine; /* the main one, which is counted */
    struct http_engine *own;
    struct http_service service;
    int64_t started_at_ms;
    int64_t connections_max;
};

/* ---- the page ---- */

static const char *const handshake_ends[HTTP_HANDSHAKE_ENDS] = {
    [HTTP_HANDSHAKE_FULL] = "full",
    [HTTP_HANDSHAKE_RESUMED] = "resumed",
    [HTTP_HANDSHAKE_FAILED] = "failed",
};

static void put_engine(struct metric_page *page, const struct scrape *s)
{
    struct http_engine_stats now;

    http_engine_count(s->engine, &now);
    metric_put_int(page, "sallyport_connections", "Connections that are open.", METRIC_GAUGE,
                   now.connections);
    metric_put_int(page, "sallyport_connections_max", "The setting connections_max.", METRIC_GAUGE,
                   s->connections_max);
    metric_put_int(page, "sallyport_connections_turned_away_total",
                   "Connections closed at once: past connections_max or connections_per_address.",
                   METRIC_COUNTER, now.turned_away);
    metric_put_list(page, "sallyport_tls_handshakes_total", "Handshakes of TLS by how they ended.",
                    METRIC_COUNTER, "result", handshake_ends, now.handshakes, HTTP_HANDSHAKE_ENDS);
    metric_put_int(page, "sallyport_request_body_bytes", "Memory of bodies being received.",
                   METRIC_GAUGE, now.body_bytes);
    metric_put_int(page, "sallyport_worker_queue", "Requests waiting for a worker.", METRIC_GAUGE,
                   now.waiting);
}

static void put_store(struct metric_page *page, const struct scrape *s)
{
    struct store_stats stats;

    store_count(door_store(s->door), &stats);
    metric_put_int(page, "sallyport_store_requests_total", "Changes asked of the store.",
                   METRIC_COUNTER, stats.requests);
    metric_put_int(page, "sallyport_store_commits_total", "Commits that made them durable.",
                   METRIC_COUNTER, stats.commits);
    metric_put_int(page, "sallyport_store_failed_commits_total",
                   "Commits that did not become durable.", METRIC_COUNTER, stats.failed_commits);
    metric_put_int(page, "sallyport_store_checkpoints_total",
                   "SQLite: times the log was moved into the database.", METRIC_COUNTER,
                   stats.checkpoints);
}

static void put_keys(struct metric_page *page)
{
    struct keys_stats stats;

    keys_count(&stats);
    metric_put_int(page, "sallyport_key_table_keys", "API keys held in memory.", METRIC_GAUGE,
                   stats.in_memory);
    metric_put_int(page, "sallyport_key_table_bytes", "What they take.", METRIC_GAUGE, stats.bytes);
    metric_put_int(page, "sallyport_key_table_evictions_total",
                   "API keys that made room for others.", METRIC_COUNTER, stats.evictions);
    metric_put_int(page, "sallyport_key_reads_found_total",
                   "Reads of the store for a key that was not in memory.", METRIC_COUNTER,
                   stats.reads_found);
    metric_put_int(page, "sallyport_key_reads_absent_total",
                   "Reads of the store for a key that does not exist.", METRIC_COUNTER,
                   stats.reads_absent);
    metric_put_int(page, "sallyport_key_reads_saved_total",
                   "Unknown keys refused on the filter's word, without a read.", METRIC_COUNTER,
                   stats.reads_saved);
    metric_put_int(page, "sallyport_key_filter_bytes",
                   "The filter of unknown keys; 0 until it has been built.", METRIC_GAUGE,
                   stats.filter_bytes);
}

static void put_process(struct metric_page *page, const struct scrape *s)
{
    struct process now;

    process_read(&now);
    metric_put_seconds(page, "process_cpu_seconds_total", "Processor time, user and system.",
                       METRIC_COUNTER, now.cpu_ns);
    metric_put_int(page, "process_resident_memory_bytes", "Resident memory.", METRIC_GAUGE,
                   now.resident_bytes);
    metric_put_int(page, "process_virtual_memory_bytes", "Virtual memory.", METRIC_GAUGE,
                   now.virtual_bytes);
    metric_put_int(page, "process_open_fds", "Open files.", METRIC_GAUGE, now.open_files);
    metric_put_int(page, "process_max_fds", "Files that may be open.", METRIC_GAUGE, now.files_max);
    metric_put_seconds(page, "process_start_time_seconds", "Unix time of the start.", METRIC_GAUGE,
                       s->started_at_ms * 1000000);
}

static void write_page(struct scrape *s, struct metric_page *page)
{
    metric_put_info(page, "sallyport_build_info", "The release that runs.", "version",
                    S(SALLYPORT_VERSION));
    metrics_write(door_metrics(s->door), page);
    gate_write_metrics(page);
    put_engine(page, s);
    put_store(page, s);
    put_keys(page);
    places_write_metrics(page);
    stream_write_metrics(page);
    log_write_metrics(page);
    put_process(page, s);
    metric_page_end(page);
}

/* ---- the service ---- */

/* The caller is a program that monitors, or a person at a terminal: plain text does. */
static enum http_next answer_plainly(struct http_call *call, int status, str text)
{
    call->reply.status = status;
    call->reply.content_type = S("text/plain; charset=utf-8");
    buf_put(&call->reply.body, text);
    buf_put_byte(&call->reply.body, '\n');
    return HTTP_ANSWERED;
}

/* Prometheus lists what it reads with the best first; a wildcard is no wish for OpenMetrics. */
static bool wants_openmetrics(const struct http_req *req)
{
    str rest = http_req_field(req, S("accept"), NULL);

    while (!str_is_none(rest)) {
        str one = str_cut(&rest, S(","));
        if (str_ieq(str_trim(str_cut(&one, S(";"))), S("application/openmetrics-text")))
            return true;
    }
    return false;
}

static enum http_next on_head(void *self, struct http_call *call)
{
    bool is_read = call->req.method == HTTP_GET || call->req.method == HTTP_HEAD;
    struct metric_page page = {&call->reply.body, wants_openmetrics(&call->req)};

    if (!str_eq(call->req.path, S("/metrics")))
        return answer_plainly(call, 404, S("There is only /metrics here."));
    if (!is_read) {
        http_reply_field(&call->reply, S("allow"), S("GET, HEAD"));
        return answer_plainly(call, 405, S("/metrics is read with GET."));
    }
    write_page(self, &page);
    call->reply.status = 200;
    call->reply.content_type = metric_content_type(page.is_openmetrics);
    return HTTP_ANSWERED;
}

/* Never asked for: every call is answered by its head. */
static enum http_next on_handle(void *self, struct http_call *call)
{
    (void)self;
    answer_plainly(call, 500, S("This listener has no such work."));
    return HTTP_ANSWERED;
}

static void on_refuse(void *self, struct http_call *call, enum err e, str detail)
{
    const struct err_info *info = err_info(e);

    (void)self;
    answer_plainly(call, info->status, detail.n ? detail : info->message);
}

/* ---- life ---- */

enum err scrape_start(struct arena *arena, const struct config *config, struct door *door,
                      struct http_engine *engine, struct scrape **out, str *why)
{
    struct scrape *s = mem_new(sizeof *s);
    struct http_engine_options options = {
        .listen = config->metrics_listen.p,
        .io_threads = 1,
        .workers = 1,
        .connections_max = SCRAPE_CONNECTIONS_MAX,
    };

    *s = (struct scrape){
        .door = door,
        .engine = engine,
        .started_at_ms = time_now_ms(),
        .connections_max = config->connections_max,
        .service = {.self = s, .head = on_head, .handle = on_handle, .refuse = on_refuse},
    };
    enum err e = http_engine_start(arena, &options, &s->service, &s->own, why);
    if (e != E_OK) {
        free(s);
        return e;
    }
    *out = s;
    return E_OK;
}

str scrape_address(const struct scrape *scrape)
{
    return http_engine_address(scrape->own);
}

void scrape_stop(struct scrape **scrape)
{
    if (!*scrape)
        return;
    http_engine_drop(&(*scrape)->own);
    free(*scrape);
    *scrape = NULL;
}
