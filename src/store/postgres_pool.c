/* The pool of connections to PostgreSQL: taken late, given back early, first come first served. */
#include <assert.h>
#include <errno.h>
#include <time.h>

#include "store/postgres.h"

#include "base/banned.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

/* After a failed try to connect others do not try for a moment: they would all wait as long. */
enum { TAKE_WITHIN_S = 10, CONNECT_AGAIN_AFTER_MS = 250 };

/* In the queue for a connection; who gives one back hands it to the first. */
struct pg_waiter {
    struct pg_waiter *next;
    struct pg_conn *given;
    pthread_cond_t is_given;
};

/* ---- the queue ---- */

static void leave_queue_locked(struct pg_pool *p, struct pg_waiter *me)
{
    struct pg_waiter **at = &p->first;

    while (*at != me)
        at = &(*at)->next;
    *at = me->next;
    if (!*at)
        p->last = at;
}

/* NULL: none was given in time. */
static struct pg_conn *wait_for_one_locked(struct pg_pool *p)
{
    struct pg_waiter me = {0};
    struct timespec until;
    pthread_condattr_t attr;
    int rc = 0;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&me.is_given, &attr);
    pthread_condattr_destroy(&attr);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TAKE_WITHIN_S;
    *p->last = &me;
    p->last = &me.next;
    while (!me.given && rc == 0)
        rc = pthread_cond_timedwait(&me.is_given, &p->lock, &until);
    if (!me.given)
        leave_queue_locked(p, &me);
    pthread_cond_destroy(&me.is_given);
    return me.given;
}

static struct pg_conn *take_one(struct pg_pool *p, bool *may_connect)
{
    pthread_mutex_lock(&p->lock);
    struct pg_conn *c = p->idle;
    if (c)
        p->idle = c->next_idle;
    else
        c = wait_for_one_locked(p);
    *may_connect =
        p->failed_at_ms == 0 || time_mono_ms() - p->failed_at_ms >= CONNECT_AGAIN_AFTER_MS;
    pthread_mutex_unlock(&p->lock);
    return c;
}

void pg_pool_give(struct pg_pool *p, struct pg_conn *c)
{
    pthread_mutex_lock(&p->lock);
    struct pg_waiter *w = p->first;
    if (w) {
        p->first = w->next;
        if (!p->first)
            p->last = &p->first;
        w->given = c;
        pthread_cond_signal(&w->is_given);
    } else {
        c->next_idle = p->idle;
        p->idle = c;
    }
    pthread_mutex_unlock(&p->lock);
}

/* ---- connections ---- */

void pg_pool_renew(struct pg_pool *p)
{
    atomic_fetch_add(&p->generation, 1);
}

static enum err connect_anew(struct pg_pool *p, struct pg_conn *c, struct arena *arena, str *why)
{
    /* Read first: what is renewed while we connect is renewed. */
    uint64_t generation = atomic_load(&p->generation);
    enum err e = pg_conn_open(c, p->url, arena, why);

    c->generation = generation;
    pthread_mutex_lock(&p->lock);
    p->failed_at_ms = e == E_OK ? 0 : time_mono_ms();
    pthread_mutex_unlock(&p->lock);
    return e;
}

enum err pg_pool_take(struct pg_pool *p, struct cx *cx, struct pg_conn **out)
{
    bool may_connect;
    struct pg_conn *c = take_one(p, &may_connect);
    str why = STR_NONE;

    if (!c) {
        log_event(cx, LOG_ERROR, "store.down", F("reason", "all connections are in use"));
        return engine_down(cx, "the database is busy");
    }
    if (c->db && c->generation != atomic_load(&p->generation))
        pg_conn_close(c);
    if (!c->db && (!may_connect || connect_anew(p, c, cx->arena, &why) != E_OK)) {
        pg_pool_give(p, c);
        if (why.n)
            log_event(cx, LOG_ERROR, "store.down", F("reason", why));
        return engine_down(cx, "the database cannot be reached");
    }
    *out = c;
    return E_OK;
}

/* ---- life ---- */

enum err pg_pool_start(struct pg_pool *p, str url, int n, struct arena *arena, str *why)
{
    p->url = strndup(url.p, url.n);
    p->last = &p->first;
    p->n_conns = n;
    p->conns = mem_new_array((size_t)n, sizeof *p->conns);
    pthread_mutex_init(&p->lock, NULL);
    for (int i = n; i-- > 0;) {
        p->conns[i].next_idle = p->idle;
        p->idle = &p->conns[i];
    }
    enum err e = connect_anew(p, p->idle, arena, why);
    if (e != E_OK)
        pg_pool_stop(p);
    return e;
}

void pg_pool_stop(struct pg_pool *p)
{
    assert(!p->first);
    for (int i = 0; i < p->n_conns; i++)
        pg_conn_close(&p->conns[i]);
    pthread_mutex_destroy(&p->lock);
    free(p->conns);
    mem_wipe_free(p->url);
}
