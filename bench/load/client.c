/*
 * Paced, requests are due at times fixed beforehand, and their time counts from then: a server that
 * stalls is charged for all that would have come in the meantime ("coordinated omission" is what it
 * is called where that is left out). As fast as possible, each connection sends again at once.
 */
#include "bench/load/client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/answer.h"

enum { READ_MAX_BYTES = 16 * 1024, REQUEST_MAX_BYTES = 4096, EVENTS = 256 };

/* What is on its way when the time is over is waited for this long. */
#define DRAIN_NS INT64_C(2000000000)

struct conn {
    int fd;
    bool is_busy;
    char class;
    int64_t due_ns;
    size_t n;
    char text[READ_MAX_BYTES + 1];
};

struct run {
    struct client *client;
    const struct plan *plan;
    struct counts *counts;
    int epoll;
    struct conn *conns;
    int *idle; /* a stack */
    int n_idle;
    uint64_t dice;
    size_t next_key; /* once: the line that this thread sends next */
    int64_t next_due_ns;
    int64_t until_ns;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void open_conn(struct run *run, struct conn *conn)
{
    int on = 1;

    conn->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (conn->fd < 0 || connect(conn->fd, (const void *)&run->plan->to, sizeof run->plan->to) != 0)
        give_up("connecting");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(run->epoll, EPOLL_CTL_ADD, conn->fd, &event);
    conn->n = 0;
    conn->is_busy = false;
}

/* xorshift64* (Vigna 2014): good enough to choose a key, and costs nothing. */
static size_t choose(struct run *run)
{
    run->dice ^= run->dice >> 12;
    run->dice ^= run->dice << 25;
    run->dice ^= run->dice >> 27;
    return (run->dice * UINT64_C(2685821657736338717) >> 32) % run->plan->n_keys;
}

static const struct key_line *next_key(struct run *run)
{
    if (!run->plan->is_once)
        return &run->plan->keys[choose(run)];
    const struct key_line *key = &run->plan->keys[run->next_key];
    run->next_key += (size_t)run->plan->threads;
    return key;
}

static bool is_over(const struct run *run, int64_t now)
{
    return run->plan->is_once ? run->next_key >= run->plan->n_keys : now >= run->until_ns;
}

static void send_request(struct run *run, struct conn *conn, int64_t due_ns)
{
    const struct plan *plan = run->plan;
    const struct key_line *key = next_key(run);
    char text[REQUEST_MAX_BYTES];
    size_t n = plan->before_bytes + KEY_BYTES + plan->after_bytes;

    memcpy(text, plan->before, plan->before_bytes);
    memcpy(text + plan->before_bytes, key->key, KEY_BYTES);
    memcpy(text + plan->before_bytes + KEY_BYTES, plan->after, plan->after_bytes);
    conn->is_busy = true;
    conn->class = key->class;
    conn->due_ns = due_ns;
    /* One that the server has closed is noticed by reading. */
    if (send(conn->fd, text, n, MSG_NOSIGNAL) >= 0)
        return;
    if (errno != EPIPE && errno != ECONNRESET)
        give_up("sending");
}

static void set_idle(struct run *run, struct conn *conn)
{
    conn->is_busy = false;
    run->idle[run->n_idle++] = (int)(conn - run->conns);
}

static void count_answer(struct run *run, struct conn *conn, const struct answer *answer)
{
    struct counts *counts = run->counts;
    const char *passes = run->plan->passes;
    int class = conn->class - 'a';
    bool is_2xx = answer->status >= 200 && answer->status < 300;

    if (answer->status > 0 && answer->status < STATUSES)
        counts->statuses[class][answer->status]++;
    if (is_2xx && (!passes || memmem(conn->text + answer->head, answer->length - answer->head,
                                     passes, strlen(passes))))
        counts->passed[class]++;
    times_add(&counts->times, now_ns() - conn->due_ns);
}

static void reopen(struct run *run, struct conn *conn)
{
    close(conn->fd);
    open_conn(run, conn);
}

static void fail(struct run *run, struct conn *conn)
{
    run->counts->errors += conn->is_busy;
    bool was_busy = conn->is_busy;
    reopen(run, conn);
    if (was_busy)
        set_idle(run, conn);
}

static void hear(struct run *run, struct conn *conn)
{
    struct answer answer;
    ssize_t got = recv(conn->fd, conn->text + conn->n, READ_MAX_BYTES - conn->n, 0);

    if (got <= 0 || !conn->is_busy) {
        fail(run, conn);
        return;
    }
    conn->n += (size_t)got;
    conn->text[conn->n] = '\0';
    enum answer_state state = answer_read(conn->text, conn->n, &answer);
    if (state == ANSWER_PARTIAL && conn->n < READ_MAX_BYTES)
        return;
    if (state != ANSWER_WHOLE) {
        fail(run, conn);
        return;
    }
    count_answer(run, conn, &answer);
    conn->n = 0;
    if (answer.closes) {
        run->counts->reconnects++;
        reopen(run, conn);
    }
    set_idle(run, conn);
}

/* Send what is due; without a rate that is one request for each connection that has none. */
static void send_due(struct run *run, int64_t now)
{
    double rate = run->plan->rate;

    while (run->n_idle > 0 && !is_over(run, now)) {
        if (rate > 0 && run->next_due_ns > now)
            return;
        send_request(run, &run->conns[run->idle[--run->n_idle]], rate > 0 ? run->next_due_ns : now);
        if (rate > 0)
            run->next_due_ns += (int64_t)(1e9 / rate);
    }
}

static void wait_and_hear(struct run *run, int64_t until_ns)
{
    struct epoll_event events[EVENTS];
    int64_t left = until_ns - now_ns();
    struct timespec wait = {left / 1000000000, left % 1000000000};

    if (left < 0)
        wait = (struct timespec){0};
    int n = epoll_pwait2(run->epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < n; i++)
        hear(run, events[i].data.ptr);
}

static void count_unsent(struct run *run)
{
    if (run->plan->rate > 0 && run->next_due_ns < run->until_ns)
        run->counts->unsent =
            (uint64_t)((double)(run->until_ns - run->next_due_ns) * run->plan->rate / 1e9);
}

static void begin(struct run *run)
{
    int share = run->plan->connections / run->plan->threads;

    run->epoll = epoll_create1(0);
    run->conns = calloc((size_t)share, sizeof *run->conns);
    run->idle = calloc((size_t)share, sizeof *run->idle);
    if (run->epoll < 0 || !run->conns || !run->idle)
        give_up("starting");
    for (int i = 0; i < share; i++) {
        open_conn(run, &run->conns[i]);
        set_idle(run, &run->conns[i]);
    }
}

static void end(struct run *run)
{
    for (int i = 0; i < run->plan->connections / run->plan->threads; i++)
        close(run->conns[i].fd);
    close(run->epoll);
    free(run->conns);
    free(run->idle);
}

void *client_run(void *arg)
{
    struct client *client = arg;
    const struct plan *plan = client->plan;
    struct run run = {.client = client, .plan = plan, .counts = &client->counts};
    int share = plan->connections / plan->threads;

    begin(&run);
    int64_t began = now_ns();
    run.dice = (uint64_t)began * 2654435761u + (uint64_t)client->number + 1;
    run.next_key = (size_t)client->number;
    run.next_due_ns = began;
    run.until_ns = began + (int64_t)(plan->seconds * 1e9);
    while (!is_over(&run, now_ns())) {
        send_due(&run, now_ns());
        bool is_paced = plan->rate > 0 && run.n_idle > 0;
        wait_and_hear(&run, is_paced        ? run.next_due_ns
                            : plan->is_once ? now_ns() + DRAIN_NS
                                            : run.until_ns);
    }
    count_unsent(&run);
    client->took_s = (double)(now_ns() - began) / 1e9;
    for (int64_t until = now_ns() + DRAIN_NS; run.n_idle < share && now_ns() < until;)
        wait_and_hear(&run, until);
    client->counts.errors += (uint64_t)(share - run.n_idle);
    end(&run);
    return NULL;
}
