/* An I/O thread: its event loop, its clock, and its end. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/mem.h"
#include "http/tls.h"

enum { BACKLOG = 1024, SWEEP_LEAST_MS = 10, SWEEP_MOST_MS = 1000, STOP_SWEEP_MS = 10 };

/* ---- deadlines ---- */

static void on_sweep(uv_timer_t *timer)
{
    struct http_loop *loop = timer->data;
    int64_t now_ms = (int64_t)uv_now(&loop->uv);
    bool is_over = loop->is_stopping && now_ms >= atomic_load(&loop->engine->stop_by_ms);

    if (!loop->conns && !loop->is_stopping)
        uv_timer_stop(&loop->sweep);
    for (struct http_conn *c = loop->conns, *next; c; c = next) {
        next = c->next;
        if (is_over)
            http_conn_close(c);
        else if (c->state != CONN_CLOSED && now_ms >= c->deadline_ms)
            http_conn_expire(c);
    }
}

/* An eighth of the shortest time that may run out: nobody waits much longer than was said. */
static int64_t sweep_ms(const struct http_engine_options *options)
{
    const int64_t times[] = {options->head_timeout_ms, options->body_timeout_ms,
                             options->idle_timeout_ms, options->write_timeout_ms,
                             options->handshake_timeout_ms};
    int64_t shortest = SWEEP_MOST_MS * 8;

    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] < shortest)
            shortest = times[i];
    return shortest / 8 < SWEEP_LEAST_MS ? SWEEP_LEAST_MS : shortest / 8;
}

static void sweep_every(struct http_loop *loop, int64_t ms)
{
    uv_timer_start(&loop->sweep, on_sweep, (uint64_t)ms, (uint64_t)ms);
}

/* ---- accepting ---- */

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_loop *loop = listener->data;

    if (status < 0)
        return;
    if (!uv_is_active((uv_handle_t *)&loop->sweep))
        sweep_every(loop, sweep_ms(&loop->engine->options));
    http_conn_open(loop, listener,
                   listener == (uv_stream_t *)&loop->control ? HTTP_OVER_CONTROL
                   : listener == (uv_stream_t *)&loop->gate  ? HTTP_OVER_GATE
                                                             : HTTP_OVER_TCP);
}

/* ---- the end ---- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void http_loop_check_end(struct http_loop *loop)
{
    if (!loop->is_stopping || loop->is_ending || loop->conns || loop->n_working)
        return;
    loop->is_ending = true;
    close_handle((uv_handle_t *)&loop->wake);
    close_handle((uv_handle_t *)&loop->sweep);
    close_handle((uv_handle_t *)&loop->turn);
}

static void begin_stop(struct http_loop *loop)
{
    loop->is_stopping = true;
    close_handle((uv_handle_t *)&loop->listener);
    close_handle((uv_handle_t *)&loop->control);
    close_handle((uv_handle_t *)&loop->gate);
    for (struct http_conn *c = loop->conns; c; c = c->next)
        if (c->state == CONN_HANDSHAKE || c->state == CONN_IDLE || c->state == CONN_DRAIN)
            http_conn_close(c);
    sweep_every(loop, STOP_SWEEP_MS);
    http_loop_check_end(loop);
}

/* ---- what comes from other threads ---- */

void http_loop_return(struct http_loop *loop, struct http_exchange *x)
{
    pthread_mutex_lock(&loop->lock);
    x->next = loop->returned;
    loop->returned = x;
    /* Within the lock: once the loop has seen x it may end, and its handles with it. */
    uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
}

static void take_back(struct http_loop *loop, struct http_exchange *x)
{
    struct http_conn *c = x->conn;

    x->is_working = false;
    loop->n_working--;
    if (!c) {
        http_exchange_give(loop, x);
    } else if (c->state != CONN_CLOSED) {
        http_exchange_returned(c);
        http_conn_run(c);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct http_loop *loop = wake->data;
    struct http_exchange *x;

    pthread_mutex_lock(&loop->lock);
    x = loop->returned;
    loop->returned = NULL;
    pthread_mutex_unlock(&loop->lock);
    for (struct http_exchange *next; x; x = next) {
        next = x->next;
        take_back(loop, x);
    }
    if (atomic_load(&loop->engine->is_stopping) && !loop->is_stopping)
        begin_stop(loop);
    http_loop_check_end(loop);
}

void http_loop_wake(struct http_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    if (loop->is_running)
        uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
}

/* ---- handshakes ---- */

static void on_turn(uv_idle_t *turn)
{
    http_tls_turn(turn->data);
}

void http_loop_turn(struct http_loop *loop)
{
    uv_idle_start(&loop->turn, on_turn);
}

void http_loop_turned(struct http_loop *loop)
{
    uv_idle_stop(&loop->turn);
}

/* ---- chance ---- */

const uint8_t *http_loop_random(struct http_loop *loop)
{
    if (loop->n_random < 16) {
        loop->n_random = sizeof loop->random;
        if (getrandom(loop->random, loop->n_random, 0) != (ssize_t)loop->n_random)
            abort();
    }
    loop->n_random -= 16;
    return (const uint8_t *)loop->random + loop->n_random;
}

/* ---- the thread ---- */

static bool open_pipe(uv_pipe_t *pipe, int *fd)
{
    if (*fd < 0)
        return true;
    if (uv_pipe_open(pipe, *fd) != 0)
        return false;
    *fd = -1;
    return uv_listen((uv_stream_t *)pipe, BACKLOG, on_connection) == 0;
}

static bool open_listeners(struct http_loop *loop)
{
    loop->listener.data = loop->control.data = loop->gate.data = loop;
    if (uv_tcp_open(&loop->listener, loop->fds.tcp) != 0)
        return false;
    loop->fds.tcp = -1;
    return uv_listen((uv_stream_t *)&loop->listener, BACKLOG, on_connection) == 0 &&
           open_pipe(&loop->control, &loop->fds.control) && open_pipe(&loop->gate, &loop->fds.gate);
}

bool http_loop_init(struct http_loop *loop, struct http_engine *engine, const struct http_fds *fds)
{
    loop->engine = engine;
    loop->fds = *fds;
    loop->date_s = -1;
    pthread_mutex_init(&loop->lock, NULL);
    if (uv_loop_init(&loop->uv) != 0)
        abort();
    uv_tcp_init(&loop->uv, &loop->listener);
    uv_pipe_init(&loop->uv, &loop->control, 0);
    uv_pipe_init(&loop->uv, &loop->gate, 0);
    uv_timer_init(&loop->uv, &loop->sweep);
    uv_async_init(&loop->uv, &loop->wake, on_wake);
    uv_idle_init(&loop->uv, &loop->turn);
    loop->sweep.data = loop->wake.data = loop->turn.data = loop;
    return open_listeners(loop);
}

static void *io_thread(void *arg)
{
    struct http_loop *loop = arg;
    const struct http_service *service = loop->engine->service;

    if (service->thread_starts)
        service->thread_starts(service->self);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    if (service->thread_ends)
        service->thread_ends(service->self);
    return NULL;
}

bool http_loop_start(struct http_loop *loop)
{
    loop->is_running = true;
    if (!http_thread_start(&loop->thread, 0, io_thread, loop))
        loop->is_running = false;
    return loop->is_running;
}

void http_loop_join(struct http_loop *loop)
{
    if (loop->is_running)
        pthread_join(loop->thread, NULL);
    loop->is_running = false;
}

static void close_any(uv_handle_t *handle, void *arg)
{
    (void)arg;
    close_handle(handle);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void http_loop_done(struct http_loop *loop)
{
    struct http_exchange *x;

    if (!loop->engine)
        return;
    uv_walk(&loop->uv, close_any, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    close_fd(loop->fds.tcp);
    close_fd(loop->fds.control);
    close_fd(loop->fds.gate);
    while ((x = loop->spares)) {
        loop->spares = x->next;
        http_exchange_free(x);
    }
    pthread_mutex_destroy(&loop->lock);
}
