/*
 * The server: start every part in order, serve until told to stop, stop in reverse order. The main
 * thread is the clockwork meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/door.h"
#include "auth/auth.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "cohorts/cohorts.h"
#include "crypto/password.h"
#include "http/reply.h"
#include "instance/instance.h"
#include "keys/keys.h"
#include "people/people.h"

enum { TICK_MS = 1000, SWEEP_EVERY_TICKS = 600 };

/* What lives from start to stop; built by parts_start, taken down by parts_stop. */
struct parts {
    struct arena *arena;
    const struct config *config;
    struct store *store;
    struct door *door;
    const char *doing; /* what parts_start failed in */
};

static void start_rules(const struct config *config)
{
    json_start();
    password_start();
    http_set_public_url(&config->public_url);
    keys_start(&(struct keys_settings){
        .form = {S("mt"), config->key_environment},
        .scopes_may_widen = config->key_scopes_may_widen,
        .live_max = config->api_key_limit,
        .guesses_a_minute = config->guess_limit,
        .version_is_required = config->api_version_required,
    });
    auth_start(&(struct auth_settings){
        .session_lifetime_ms = config->session_lifetime_ms,
        .failures_per_account = config->login_failures_per_account,
        .failures_per_address = config->login_failures_per_address,
        .cookie_is_secure = config->public_url_is_https,
    });
    cohorts_start(config->foreign_email_limit);
}

static struct cx job_cx(struct parts *parts, struct arena *arena, const char *doing)
{
    return (struct cx){
        .arena = arena, .now_ms = time_now_ms(), .store = parts->store, .doing = doing};
}

static int complain(const char *what, str why)
{
    fprintf(stderr, "sallyport: %s: %.*s\n", what, STR_ARG(why));
    return 1;
}

static enum err start_instance(struct parts *parts, str *why)
{
    struct cx cx = job_cx(parts, parts->arena, "reading the instance key");
    enum err e = instance_start(
        &cx, &(struct instance_settings){parts->config->key_file.p, &parts->config->instance_key});

    *why = cx.failure.detail;
    return e;
}

/* why: one sentence, in the arena of parts, which are to be stopped either way. */
static enum err parts_start(struct parts *parts, const struct config *config, str *why)
{
    struct store_options options = {.url = config->database_url.p,
                                    .connections = (int)config->database_connections};

    *parts =
        (struct parts){.arena = arena_new(), .config = config, .doing = "cannot open the store"};
    start_rules(config);
    TRY(store_open(parts->arena, &options, &parts->store, why));
    parts->doing = "cannot use the instance key";
    TRY(start_instance(parts, why));
    parts->doing = "cannot read the store";
    struct cx cx = job_cx(parts, parts->arena, "reading the keys");
    enum err e = keys_learn_store(&cx);
    *why = cx.failure.detail;
    TRY(e);
    parts->door = door_new(&(struct door_settings){.api_vendor = config->api_vendor,
                                                   .trusted_proxies = config->proxies,
                                                   .n_trusted_proxies = config->n_proxies},
                           parts->store);
    return E_OK;
}

static void parts_stop(struct parts *parts)
{
    door_drop(&parts->door);
    store_drop(&parts->store);
    cohorts_start(0);
    auth_stop();
    keys_stop();
    instance_stop();
    arena_drop(&parts->arena);
}

static enum err first_start(struct parts *parts, str *why)
{
    struct cx cx = job_cx(parts, parts->arena, "making the first ADMIN");
    enum err e =
        people_first_start(&cx, parts->config->admin_email, &parts->config->admin_password);

    *why = cx.failure.detail;
    return e;
}

/* ---- the clockwork ---- */

static void tick(struct parts *parts, int64_t n)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = job_cx(parts, arena, "flushing usage");

    if (keys_flush_usage(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "usage.not_flushed", F("detail", cx.failure.detail));
    cx.doing = "reading the keys";
    if (store_is_shared(parts->store) && keys_learn_store(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "keys.not_learned", F("detail", cx.failure.detail));
    cx.doing = "sweeping sessions";
    if (n % SWEEP_EVERY_TICKS == 0 && auth_sweep(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "sessions.not_swept", F("detail", cx.failure.detail));
}

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
    struct timespec wait = {.tv_sec = TICK_MS / 1000};

    for (int64_t n = 1;; n++) {
        int signal = sigtimedwait(&set, NULL, &wait);
        if (signal > 0)
            break;
        if (errno == EAGAIN)
            tick(parts, n);
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
    tick(parts, 0);
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
