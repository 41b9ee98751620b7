/*
 * Shared state: `unknown`. Its filter is read within a read section and replaced under the lock,
 * which is held by whoever adds too: a filter being built must not miss a secret made meanwhile.
 */
#include "keys/unknown.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/time.h"
#include "keys/filter.h"
#include "keys/queries.h"

enum { ROOM_LEAST = 1024, ROOM_PERCENT = 150, PAGE = 20000, PAGES_A_TICK = 10, OLD_S = 600 };

static struct {
    _Atomic int64_t reads_per_s;
    _Atomic int64_t paid; /* the state of that limit */
    pthread_mutex_t lock;
    _Atomic(struct filter *) filter;
    struct filter *next;    /* being built */
    struct sha256 built_to; /* its last digest */
    int64_t built_at_ns;    /* the current one, monotonic */
    _Atomic int64_t found, absent, believed;
} unknown = {.lock = PTHREAD_MUTEX_INITIALIZER};

void unknown_start(int64_t reads_per_s)
{
    unknown_use(reads_per_s);
}

void unknown_use(int64_t reads_per_s)
{
    atomic_store(&unknown.reads_per_s, reads_per_s);
}

void unknown_stop(void)
{
    struct filter *filter = atomic_exchange(&unknown.filter, NULL);

    filter_drop(&filter);
    filter_drop(&unknown.next);
    atomic_store(&unknown.paid, 0);
    atomic_store(&unknown.found, 0);
    atomic_store(&unknown.absent, 0);
    atomic_store(&unknown.believed, 0);
}

/* ---- reading ---- */

static struct rate_policy reads(void)
{
    return (struct rate_policy){atomic_load(&unknown.reads_per_s), SECOND_MS, RATE_GCRA};
}

static bool could_pay(struct rate_now now)
{
    struct rate_policy policy = reads();
    struct rate_verdict verdict;

    rate_judge(&policy, atomic_load(&unknown.paid), now, 1, &verdict);
    return verdict.is_allowed;
}

static bool pay(struct rate_now now)
{
    struct rate_policy policy = reads();
    int64_t before = atomic_load(&unknown.paid);
    int64_t after;
    struct rate_verdict verdict;

    do
        after = rate_judge(&policy, before, now, 1, &verdict);
    while (!atomic_compare_exchange_weak(&unknown.paid, &before, after));
    return verdict.is_allowed;
}

static bool may_exist(const struct sha256 *digest)
{
    rcu_thread_begin();
    rcu_enter();
    const struct filter *filter = atomic_load_explicit(&unknown.filter, memory_order_acquire);
    bool may = !filter || filter_has(filter, digest);
    rcu_leave();
    return may;
}

static bool believe(bool may_read)
{
    if (!may_read)
        atomic_fetch_add_explicit(&unknown.believed, 1, memory_order_relaxed);
    return may_read;
}

bool unknown_may_read(const struct sha256 *digest, struct rate_now now)
{
    return believe(may_exist(digest) || could_pay(now));
}

bool unknown_begin_read(const struct sha256 *digest, struct rate_now now)
{
    return believe(may_exist(digest) || pay(now));
}

bool unknown_may_read_in_vain(struct rate_now now)
{
    return believe(could_pay(now));
}

void unknown_was_read(const struct sha256 *digest, bool is_there, struct rate_now now)
{
    atomic_fetch_add(is_there ? &unknown.found : &unknown.absent, 1);
    if (is_there && !may_exist(digest))
        unknown_add(digest); /* made on another node */
    if (!is_there && may_exist(digest))
        pay(now);
}

/* ---- building ---- */

void unknown_add(const struct sha256 *digest)
{
    pthread_mutex_lock(&unknown.lock);
    struct filter *filter = atomic_load(&unknown.filter);
    if (filter)
        filter_add(filter, digest);
    if (unknown.next)
        filter_add(unknown.next, digest);
    pthread_mutex_unlock(&unknown.lock);
}

static bool is_due(const struct cx *cx, struct rate_now now)
{
    const struct filter *filter = atomic_load(&unknown.filter);
    bool is_old = now.mono_ns - unknown.built_at_ns > OLD_S * SECOND_MS * 1000 * 1000;

    return !filter || filter_is_full(filter) || (is_old && store_is_shared(cx->store));
}

static enum err count(struct cx *cx, struct tx *tx, void *arg)
{
    (void)cx;
    return keys_count_secrets(tx, arg);
}

static enum err begin(struct cx *cx)
{
    int64_t n = 0;

    TRY(store_read(cx, count, &n));
    pthread_mutex_lock(&unknown.lock);
    unknown.next = filter_new((size_t)n * ROOM_PERCENT / 100 + ROOM_LEAST);
    pthread_mutex_unlock(&unknown.lock);
    unknown.built_to = (struct sha256){0};
    return E_OK;
}

struct digest_page {
    struct sha256 after;
    struct sha256 *list;
    size_t n;
};

static enum err read_page(struct cx *cx, struct tx *tx, void *arg)
{
    struct digest_page *page = arg;

    (void)cx;
    return keys_page_digests(tx, &page->after, PAGE, page->list, &page->n);
}

static void finish(struct cx *cx, struct rate_now now)
{
    pthread_mutex_lock(&unknown.lock);
    struct filter *next = unknown.next;
    unknown.next = NULL;
    struct filter *former = atomic_exchange(&unknown.filter, next);
    pthread_mutex_unlock(&unknown.lock);
    rcu_wait();
    filter_drop(&former);
    unknown.built_at_ns = now.mono_ns;
    log_event(cx, LOG_DEBUG, "keys.filter_built", F("bytes", filter_bytes(next)));
}

static enum err go_on(struct cx *cx, struct rate_now now)
{
    struct digest_page page = {.list = arena_array(cx->arena, PAGE, sizeof *page.list)};

    for (int i = 0; i < PAGES_A_TICK; i++) {
        page.after = unknown.built_to;
        TRY(store_read(cx, read_page, &page));
        for (size_t at = 0; at < page.n; at++)
            filter_add(unknown.next, &page.list[at]);
        if (page.n < PAGE) {
            finish(cx, now);
            return E_OK;
        }
        unknown.built_to = page.list[page.n - 1];
    }
    return E_OK;
}

enum err unknown_tick(struct cx *cx, struct rate_now now)
{
    cx->doing = "building the filter of keys";
    if (!unknown.next && !is_due(cx, now))
        return E_OK;
    if (!unknown.next)
        TRY(begin(cx));
    return go_on(cx, now);
}

void unknown_count(struct unknown_stats *out)
{
    rcu_thread_begin();
    rcu_enter();
    const struct filter *filter = atomic_load(&unknown.filter);
    *out = (struct unknown_stats){.found = atomic_load(&unknown.found),
                                  .absent = atomic_load(&unknown.absent),
                                  .believed = atomic_load(&unknown.believed),
                                  .filter_bytes = filter ? (int64_t)filter_bytes(filter) : 0};
    rcu_leave();
}
