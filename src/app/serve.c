/*
 * The server: start, serve until told to stop, stop. The main thread is the clockwork meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "apis/apis.h"
#include "app/app.h"
#include "app/notify.h"
#include "app/parts.h"
#include "app/process.h"
#include "app/reload.h"
#include "app/scrape.h"
#include "base/banned.h"
#include "base/log.h"
#include "http/reply.h"
#include "issuers/issuers.h"
#include "outbound/outbound.h"
#include "people/people.h"

static int complain(const char *what, str why)
{
    fprintf(stderr, "sallyport: %s: %.*s\n", what, STR_ARG(why));
    return 1;
}

static enum err first_start(struct parts *parts, str *why)
{
    struct cx cx = parts_cx(parts, parts->arena, "making the first ADMIN");
    enum err e =
        people_first_start(&cx, parts->config->admin_email, &parts->config->admin_password);

    *why = cx.failure.detail;
    return e;
}

/* ---- the clockwork ---- */

static sigset_t our_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

static void reload(struct parts *parts, struct config *config, struct http_engine *engine)
{
    notify_reloading();
    reload_settings(parts, config);
    reload_certificates(engine);
    http_engine_trust(engine, parts_proxies(parts));
    notify_ready();
}

/* Until a stop signal comes; they were blocked before any thread started, so only this thread sees
 * them. */
static void run_until_stopped(struct parts *parts, struct config *config,
                              struct http_engine *engine)
{
    sigset_t set = our_signals();
    struct timespec wait = {.tv_nsec = PARTS_TICK_MS * 1000000L};

    for (int64_t n = 1;; n++) {
        int signal = sigtimedwait(&set, NULL, &wait);
        if (signal == SIGHUP)
            reload(parts, config, engine);
        else if (signal > 0)
            break;
        else if (errno == EAGAIN)
            parts_tick(parts, n);
    }
}

static struct http_engine_options engine_options(const struct config *config)
{
    return (struct http_engine_options){
        .listen = config->listen.p,
        .control_socket = config->control_socket.p,
        .gate_socket = config->gate_socket.n ? config->gate_socket.p : NULL,
        .io_threads = (int)config->io_threads,
        .workers = (int)config->workers,
        .head_timeout_ms = config->head_timeout_ms,
        .body_timeout_ms = config->body_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .body_memory_max_bytes = config->body_memory_bytes,
        .connections_max = (int)config->connections_max,
        .connections_per_address = (int)config->connections_per_address,
        .tls = parts_tls(config),
        .handshake_timeout_ms = config->handshake_timeout_ms,
        .handshakes_max = (int)config->handshakes_max,
    };
}

/* The default address is a convenience, and must not keep the gate shut where it is taken. */
static enum err start_metrics(struct parts *parts, struct http_engine *engine, struct scrape **out,
                              str *why)
{
    bool is_default = parts->config->sources[SETTING_metrics_listen] == CONFIG_DEFAULT;

    if (parts->config->metrics_listen.n == 0)
        return E_OK;
    enum err e = scrape_start(parts->arena, parts->config, parts->door, engine, out, why);
    if (e == E_OK)
        log_event(NULL, LOG_INFO, "metrics.listening", F("address", scrape_address(*out)));
    else if (is_default)
        log_event(NULL, LOG_WARN, "metrics.not_listening", F("reason", *why));
    return is_default ? E_OK : e;
}

/* The port was the system's to choose: what holds the address is made again. */
static void use_address(struct parts *parts, str url)
{
    struct cx cx = parts_cx(parts, parts->arena, "reading the APIs");
    str *kept = ARENA_NEW(parts->arena, str); /* it is read until all threads have ended */

    *kept = url;
    http_set_public_url(kept);
    apis_distrust();
    if (apis_refresh(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "apis.not_learned", F("detail", cx.failure.detail));
}

/* What listens must not be called by us. A port that the system chooses is known once it has. */
static void own_listeners(const struct config *config)
{
    outbound_own(config->listen);
    outbound_own(config->metrics_listen);
}

static int serve(struct parts *parts, struct config *config)
{
    struct http_engine_options options = engine_options(parts->config);
    struct http_service service = door_service(parts->door);
    struct http_engine *engine = NULL;
    struct scrape *scrape = NULL;
    str why = STR_NONE;

    options.trusted_proxies = parts_proxies(parts);
    process_raise_file_limit();
    own_listeners(parts->config);
    if (!parts_follow(parts))
        return complain("cannot follow changes", S("no thread could be started"));
    if (!issuers_serve())
        return complain("cannot read the issuers' keys", S("no thread could be started"));
    if (http_engine_start(parts->arena, &options, &service, &engine, &why) != E_OK)
        return complain("cannot listen", why);
    if (start_metrics(parts, engine, &scrape, &why) != E_OK) {
        http_engine_drop(&engine);
        return complain("cannot listen on metrics_listen", why);
    }
    str address = http_engine_address(engine);
    if (parts->config->listen_port == 0)
        outbound_own(address);
    str url = arena_printf(parts->arena, "%s://%.*s", options.tls.cert ? "https" : "http",
                           STR_ARG(address));
    if (parts->config->sources[SETTING_public_url] == CONFIG_DEFAULT)
        use_address(parts, url);
    printf("sallyport: listening on %.*s\n", STR_ARG(url));
    fflush(stdout);
    log_event(NULL, LOG_INFO, "server.started", F("address", address),
              F("version", SALLYPORT_VERSION));

    notify_ready();

    run_until_stopped(parts, config, engine);

    notify_stopping();
    log_event(NULL, LOG_INFO, "server.stopping", F("within", parts->config->shutdown_timeout_ms));
    scrape_stop(&scrape); /* it asks the engine */
    http_engine_stop(engine, parts->config->shutdown_timeout_ms);
    http_engine_drop(&engine);
    parts_tick(parts, 0);
    log_event(NULL, LOG_INFO, "server.stopped", F("pid", (int)getpid()));
    return 0;
}

int app_serve(struct config *config)
{
    sigset_t set = our_signals();
    struct parts parts;
    str why = STR_NONE;
    int status;

    pthread_sigmask(SIG_BLOCK, &set, NULL);
    log_start(config->log_least, config->log_is_json);
    if (parts_start(&parts, config, &why) != E_OK)
        status = complain(parts.doing, why);
    else if (first_start(&parts, &why) != E_OK)
        status = complain("cannot make the first ADMIN", why);
    else {
        secret_drop(&config->admin_password);
        secret_drop(&config->instance_key);
        status = serve(&parts, config);
    }
    parts_stop(&parts);
    return status;
}

int app_migrate(const struct config *config)
{
    struct parts parts;
    str why = STR_NONE;
    int status = 0;

    log_start(config->log_least, config->log_is_json);
    if (parts_start(&parts, config, &why) != E_OK)
        status = complain(parts.doing, why);
    else
        printf("The store's schema is up to date.\n");
    parts_stop(&parts);
    return status;
}

/* ---- the command line, when no server runs ---- */

enum err app_call_local(const struct config *config, enum http_method method, str target,
                        str employer, str body, struct buf *reply_body, int *status)
{
    struct http_field fields[2] = {
        {.name = S("content-type"), .value = S("application/json")},
        {.name = S("x-employer-id"), .value = employer},
    };
    str rest = target;
    struct http_req req = {
        .method = method,
        .target = target,
        .path = str_cut(&rest, S("?")),
        .query = rest,
        .fields = fields,
        .n_fields = employer.n ? 2 : 1,
        .body = body,
        .way = HTTP_OVER_CONTROL,
        .local_uid = geteuid(),
    };
    struct http_reply reply;
    struct parts parts;
    str why = STR_NONE;
    enum err e = parts_start(&parts, config, &why);

    if (e == E_OK) {
        door_run_local(parts.door, parts.arena, &req, &reply);
        *status = reply.status;
        buf_put(reply_body, buf_str(&reply.body));
        http_reply_drop(&reply);
    } else {
        buf_put(reply_body, why);
    }
    parts_stop(&parts);
    return e;
}
