/*
 * The server: start, serve until told to stop, stop. The main thread is the clockwork meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/parts.h"
#include "base/banned.h"
#include "base/log.h"
#include "http/reply.h"
#include "issuers/issuers.h"
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

static sigset_t stop_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/* Until a stop signal comes; it was blocked before any thread started, so only this thread sees
 * it. */
static void run_until_stopped(struct parts *parts)
{
    sigset_t set = stop_signals();
    struct timespec wait = {.tv_sec = PARTS_TICK_MS / 1000};

    for (int64_t n = 1;; n++) {
        int signal = sigtimedwait(&set, NULL, &wait);
        if (signal > 0)
            break;
        if (errno == EAGAIN)
            parts_tick(parts, n);
    }
}

static struct http_engine_options engine_options(const struct config *config)
{
    return (struct http_engine_options){
        .listen = config->listen.p,
        .control_socket = config->control_socket.p,
        .io_threads = (int)config->io_threads,
        .workers = (int)config->workers,
        .head_timeout_ms = config->head_timeout_ms,
        .body_timeout_ms = config->body_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .body_memory_max_bytes = config->body_memory_bytes,
        .connections_max = (int)config->connections_max,
    };
}

static int serve(struct parts *parts)
{
    struct http_engine_options options = engine_options(parts->config);
    struct http_service service = door_service(parts->door);
    struct http_engine *engine = NULL;
    str why = STR_NONE;

    if (!issuers_serve())
        return complain("cannot read the issuers' keys", S("no thread could be started"));
    if (http_engine_start(parts->arena, &options, &service, &engine, &why) != E_OK)
        return complain("cannot listen", why);
    str address = http_engine_address(engine);
    str url = arena_printf(parts->arena, "http://%.*s", STR_ARG(address));
    if (parts->config->sources[SETTING_public_url] == CONFIG_DEFAULT)
        http_set_public_url(&url);
    printf("sallyport: listening on http://%.*s\n", STR_ARG(address));
    fflush(stdout);
    log_event(NULL, LOG_INFO, "server.started", F("address", address),
              F("version", SALLYPORT_VERSION));

    run_until_stopped(parts);

    log_event(NULL, LOG_INFO, "server.stopping", F("within", parts->config->shutdown_timeout_ms));
    http_engine_stop(engine, parts->config->shutdown_timeout_ms);
    http_engine_drop(&engine);
    parts_tick(parts, 0);
    log_event(NULL, LOG_INFO, "server.stopped", F("pid", (int)getpid()));
    return 0;
}

int app_serve(struct config *config)
{
    sigset_t set = stop_signals();
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
        status = serve(&parts);
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
        .is_local = true,
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
