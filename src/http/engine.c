/* Start and stop: settings, sockets, threads. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/mem.h"
#include "http/tls.h"

static int64_t or_else(int64_t value, int64_t if_zero)
{
    return value ? value : if_zero;
}

/* docs/http.md has the same table. */
static struct http_engine_options with_defaults(const struct http_engine_options *given)
{
    struct http_engine_options o = *given;

    o.io_threads = (int)or_else(o.io_threads, uv_available_parallelism());
    o.workers = (int)or_else(o.workers, 4);
    o.head_timeout_ms = or_else(o.head_timeout_ms, 10 * SECOND_MS);
    o.body_timeout_ms = or_else(o.body_timeout_ms, 60 * SECOND_MS);
    o.idle_timeout_ms = or_else(o.idle_timeout_ms, 75 * SECOND_MS);
    o.write_timeout_ms = or_else(o.write_timeout_ms, 30 * SECOND_MS);
    o.body_memory_max_bytes = or_else(o.body_memory_max_bytes, 256 * 1024 * 1024);
    o.connections_max = (int)or_else(o.connections_max, 10000);
    o.handshake_timeout_ms = or_else(o.handshake_timeout_ms, 10 * SECOND_MS);
    o.handshakes_max = (int)or_else(o.handshakes_max, 512);
    return o;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void close_all(const struct http_fds *fds, int n)
{
    for (int i = 0; i < n; i++) {
        close_fd(fds[i].tcp);
        close_fd(fds[i].control);
        close_fd(fds[i].gate);
    }
}

static bool open_tcp(struct arena *arena, struct http_engine *engine, struct http_fds *fds,
                     str *why)
{
    int n = engine->options.io_threads;
    int *tcp = arena_array(arena, (size_t)n, sizeof *tcp);
    bool is_open = http_listen_tcp(arena, engine->options.listen, tcp, n, &engine->address, why);

    for (int i = 0; i < n; i++)
        fds[i] = (struct http_fds){is_open ? tcp[i] : -1, -1, -1};
    return is_open;
}

/* Unix has no SO_REUSEPORT: the loops share one socket, and whoever is first accepts. */
static bool open_gate(struct arena *arena, const struct http_engine_options *o,
                      struct http_fds *fds, str *why)
{
    if (!http_listen_unix(arena, "gate_socket", o->gate_socket, 0666, &fds[0].gate, why))
        return false;
    for (int i = 1; i < o->io_threads; i++)
        fds[i].gate = fcntl(fds[0].gate, F_DUPFD_CLOEXEC, 0);
    return true;
}

static bool open_sockets(struct arena *arena, struct http_engine *engine, struct http_fds *fds,
                         str *why)
{
    const struct http_engine_options *o = &engine->options;

    bool are_open =
        open_tcp(arena, engine, fds, why) &&
        (!o->control_socket || http_listen_unix(arena, "control_socket", o->control_socket, 0600,
                                                &fds[0].control, why)) &&
        (!o->gate_socket || open_gate(arena, o, fds, why));
    if (!are_open && fds[0].control >= 0)
        unlink(o->control_socket);
    if (!are_open)
        close_all(fds, o->io_threads);
    return are_open;
}

/* Every socket belongs to a loop when this returns, so that dropping the engine closes them all. */
static bool init_loops(struct http_engine *engine, const struct http_fds *fds)
{
    bool are_good = true;

    engine->n_loops = engine->options.io_threads;
    engine->loops = mem_new_array((size_t)engine->n_loops, sizeof *engine->loops);
    for (int i = 0; i < engine->n_loops; i++)
        are_good &= http_loop_init(&engine->loops[i], engine, &fds[i]);
    return are_good;
}

static bool start_threads(struct http_engine *engine)
{
    engine->pool = http_pool_new(engine->options.workers, engine->service);
    if (!engine->pool)
        return false;
    for (int i = 0; i < engine->n_loops; i++)
        if (!http_loop_start(&engine->loops[i]))
            return false;
    return true;
}

static bool load_tls(struct arena *arena, struct http_engine *engine, str *why)
{
    const struct http_tls_options *options = &engine->options.tls;

    return !options->cert || http_tls_context_new(arena, options, &engine->tls, why) == E_OK;
}

enum err http_engine_reload_tls(struct http_engine *engine, struct arena *arena, str *why)
{
    return engine->tls ? http_tls_context_reload(engine->tls, arena, why) : E_OK;
}

enum err http_engine_start(struct arena *arena, const struct http_engine_options *options,
                           const struct http_service *service, struct http_engine **out, str *why)
{
    struct http_engine *engine = mem_new(sizeof *engine);

    signal(SIGPIPE, SIG_IGN);
    engine->options = with_defaults(options);
    engine->service = service;
    engine->peers = http_peers_new();
    atomic_init(&engine->proxies, options->trusted_proxies);
    struct http_fds *fds = arena_array(arena, (size_t)engine->options.io_threads, sizeof *fds);
    if (!load_tls(arena, engine, why) || !open_sockets(arena, engine, fds, why)) {
        engine->is_stopped = true; /* the files of the sockets may be another server's */
        http_engine_drop(&engine);
        return E_INTERNAL_ERROR;
    }
    if (!init_loops(engine, fds)) {
        *why = arena_printf(arena, "port of %s is in use (PORT_IN_USE), or cannot be listened on",
                            options->listen);
        http_engine_drop(&engine);
        return E_INTERNAL_ERROR;
    }
    if (!start_threads(engine)) {
        *why = S("the threads of the server could not be started: is there a limit on processes?");
        http_engine_drop(&engine);
        return E_INTERNAL_ERROR;
    }
    *out = engine;
    return E_OK;
}

void http_engine_count(const struct http_engine *engine, struct http_engine_stats *out)
{
    *out = (struct http_engine_stats){
        .connections = atomic_load(&engine->n_conns),
        .body_bytes = atomic_load(&engine->body_bytes),
        .waiting = (int64_t)http_pool_waiting(engine->pool),
        .turned_away = atomic_load(&engine->turned_away),
    };
    for (int i = 0; i < HTTP_HANDSHAKE_ENDS; i++)
        out->handshakes[i] = atomic_load(&engine->handshakes[i]);
}

void http_engine_trust(struct http_engine *engine, const struct http_proxies *proxies)
{
    atomic_store(&engine->proxies, proxies);
}

str http_engine_address(const struct http_engine *engine)
{
    return engine->address;
}

void http_engine_stop(struct http_engine *engine, int64_t within_ms)
{
    if (engine->is_stopped)
        return;
    engine->is_stopped = true;
    atomic_store(&engine->stop_by_ms, time_mono_ms() + within_ms);
    atomic_store(&engine->is_stopping, true);
    for (int i = 0; i < engine->n_loops; i++)
        http_loop_wake(&engine->loops[i]);
    for (int i = 0; i < engine->n_loops; i++)
        http_loop_join(&engine->loops[i]);
    http_pool_drop(&engine->pool);
    for (int i = 0; i < engine->n_loops; i++)
        http_loop_done(&engine->loops[i]);
    if (engine->options.control_socket)
        unlink(engine->options.control_socket);
    if (engine->options.gate_socket)
        unlink(engine->options.gate_socket);
}

void http_engine_drop(struct http_engine **engine)
{
    if (!*engine)
        return;
    http_engine_stop(*engine, 0);
    http_tls_context_drop(&(*engine)->tls);
    http_peers_drop(&(*engine)->peers);
    free((*engine)->loops);
    free(*engine);
    *engine = NULL;
}
