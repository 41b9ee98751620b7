/*
 * Following the changes. Shared state: the atomics in `stream`, written by its thread alone; the
 * rest is set before the thread starts, or is the thread's own.
 */
#include "stream/stream.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/log.h"
#include "base/time.h"
#include "http/pool.h"
#include "store/watch.h"

#define MS_NS INT64_C(1000000)

enum {
    POLL_EVERY_MS = 1000,
    /* A poll that is not answered for so long tells of a store that is away … */
    ANSWER_WITHIN_MS = 1000,
    /* … and this long after the last one that was, memory is not called current, which leaves a
     * poll its second and its answer time. */
    CURRENT_FOR_MS = 2500,
    AGAIN_AFTER_MS = 250,
    READ_MAX = 1000,
    TOLD_MAX = 64,
};

/* Longer than any node is expected to be cut off; one that was believes nothing it had read. */
static const int64_t KEPT_MS = HOUR_MS;

static const int64_t bounds_ns[] = {MS_NS,       MS_NS * 5 / 2, MS_NS * 5,    MS_NS * 10,
                                    MS_NS * 25,  MS_NS * 50,    MS_NS * 100,  MS_NS * 250,
                                    MS_NS * 500, MS_NS * 1000,  MS_NS * 2500, MS_NS * 10000};

static const struct metric_spec delay_spec = {
    .name = "sallyport_change_delay_seconds",
    .help =
        "From a change's entry in the store, at the end of its transaction, to its effect here.",
    .kind = METRIC_HISTOGRAM,
    .bounds_ns = bounds_ns,
    .n_bounds = sizeof bounds_ns / sizeof *bounds_ns,
};

static struct {
    struct store *store;
    struct store_watch *watch;
    const struct stream_subscriber *subscribers;
    size_t n_subscribers;
    struct metric *delays;
    pthread_t thread;
    int stop_fd;
    atomic_bool stops;

    bool has_place;
    struct store_place place; /* of the last change that was read */

    /* Changes whose names came with the news: those numbers took effect then. */
    struct told {
        int64_t number;
        int64_t at_ns;
    } told[TOLD_MAX];
    size_t n_told;

    atomic_bool is_running;
    atomic_bool is_lost;
    _Atomic int64_t polled_at_ms; /* monotonic: before the last poll that succeeded, or the start */
    _Atomic int64_t asked_at_ms;  /* of the first question without an answer; 0: none */
    _Atomic int64_t n_applied;
    _Atomic int64_t n_lost;   /* times the connection went away */
    _Atomic int64_t n_begins; /* times nothing of what had been read was believed any more */
} stream;

/* ---- state ---- */

struct stream_state stream_state(void)
{
    if (!atomic_load_explicit(&stream.is_running, memory_order_acquire))
        return (struct stream_state){0};
    int64_t now_ms = time_mono_ms();
    int64_t asked_at_ms = atomic_load_explicit(&stream.asked_at_ms, memory_order_relaxed);
    int64_t silence_ms = now_ms - atomic_load_explicit(&stream.polled_at_ms, memory_order_acquire);
    bool is_unanswered = asked_at_ms != 0 && now_ms - asked_at_ms >= ANSWER_WITHIN_MS;
    bool is_lost = atomic_load_explicit(&stream.is_lost, memory_order_acquire);

    return (struct stream_state){
        .is_running = true,
        .is_current = !is_lost && !is_unanswered && silence_ms < CURRENT_FOR_MS,
        .is_unanswered = is_unanswered,
        .silence_ms = silence_ms,
    };
}

/* Several questions one after the other without an answer are one silence. */
static void note_asking(void)
{
    if (atomic_load(&stream.asked_at_ms) == 0)
        atomic_store(&stream.asked_at_ms, time_mono_ms());
}

static void note_answered(void)
{
    atomic_store(&stream.asked_at_ms, 0);
}

static void lose(str why)
{
    if (!atomic_exchange(&stream.is_lost, true)) {
        atomic_fetch_add(&stream.n_lost, 1);
        log_event(NULL, LOG_WARN, "stream.lost", F("reason", why));
    }
}

static void note_polled(int64_t began_ms)
{
    int64_t silence_ms = began_ms - atomic_load(&stream.polled_at_ms);

    atomic_store(&stream.polled_at_ms, began_ms);
    if (atomic_exchange(&stream.is_lost, false))
        log_event(NULL, LOG_INFO, "stream.follows", F("number", stream.place.number),
                  F("silenceMs", silence_ms));
}

/* ---- following ---- */

static void tell(const struct store_change *change)
{
    for (size_t i = 0; i < stream.n_subscribers; i++)
        stream.subscribers[i].changed(change->kind, change->subject);
}

static const struct told *find_told(int64_t number)
{
    for (size_t i = 0; i < stream.n_told; i++)
        if (stream.told[i].number == number)
            return &stream.told[i];
    return NULL;
}

/* One that the news has named has had its effect: then only its place is new. */
static void take(const struct store_change *change, int64_t read_at_ns)
{
    const struct told *told = find_told(change->place.number);

    if (!told)
        tell(change);
    int64_t effect_at_ns = told ? told->at_ns : time_mono_ns();
    metric_observe(stream.delays, 0, change->age_us * 1000 + effect_at_ns - read_at_ns);
    atomic_fetch_add(&stream.n_applied, 1);
    stream.place = change->place;
}

/* The newest number first: whatever is committed after it will be told, and whatever was before it
 * is in all that is read from now on. */
static enum err begin(struct arena *arena)
{
    struct cx cx = {.arena = arena,
                    .now_ms = time_now_ms(),
                    .store = stream.store,
                    .doing = "following changes"};

    TRY(store_watch_newest(stream.watch, &stream.place));
    for (size_t i = 0; i < stream.n_subscribers; i++)
        TRY(stream.subscribers[i].begins(&cx));
    stream.has_place = true;
    atomic_fetch_add(&stream.n_begins, 1);
    return E_OK;
}

static enum err read_once(struct arena *arena, size_t *n)
{
    struct store_change *list = arena_array(arena, READ_MAX, sizeof *list);

    /* From before the store says how old they are: rather a little too long than too short. */
    int64_t read_at_ns = time_mono_ns();

    note_asking();
    TRY(store_watch_read(stream.watch, arena, &stream.place, list, READ_MAX, n));
    note_answered();
    for (size_t i = 0; i < *n; i++)
        take(&list[i], read_at_ns);
    return E_OK;
}

/* E_ABSENT: changes are missing between those that were told and those that there are. */
static enum err drain(void)
{
    size_t n = READ_MAX;
    enum err e = E_OK;

    while (e == E_OK && n == READ_MAX && !atomic_load(&stream.stops)) {
        DROP(arena) struct arena *arena = arena_new();
        e = read_once(arena, &n);
    }
    return e;
}

static enum err open_if_closed(struct arena *arena, str *why)
{
    if (store_watch_is_open(stream.watch))
        return E_OK;
    *why = S("the connection was lost");
    return store_watch_open(stream.watch, arena, why);
}

static enum err poll_in(struct arena *arena, str *why)
{
    TRY(open_if_closed(arena, why));
    *why = S("the changes could not be read");
    if (!stream.has_place)
        TRY(begin(arena));
    enum err e = drain();
    if (e == E_ABSENT) {
        log_event(NULL, LOG_WARN, "stream.gap", F("number", stream.place.number));
        stream.has_place = false;
        TRY(begin(arena));
        e = drain();
    }
    return e;
}

static enum err poll_once(void)
{
    DROP(arena) struct arena *arena = arena_new();
    int64_t began_ms = time_mono_ms();
    str why = STR_NONE;

    if (!store_watch_is_open(stream.watch) && stream.has_place)
        lose(S("the connection was lost"));
    note_asking();
    enum err e = poll_in(arena, &why);
    /* A refusal is an answer as well: it comes at once, or not at all. */
    if (e == E_OK || time_mono_ms() - began_ms < ANSWER_WITHIN_MS)
        note_answered();
    if (e == E_OK)
        note_polled(began_ms);
    else
        lose(why);
    return e;
}

/*
 * A poll is a question to a database whose machine may be busy; what the news itself names takes
 * effect before it. That alone would miss what comes while there is no connection, and is no place
 * to go on from: the poll that follows reads it.
 */
static void wait_for_news(int timeout_ms)
{
    DROP(arena) struct arena *arena = arena_new();
    struct store_change list[TOLD_MAX];

    store_watch_wait(stream.watch, arena, stream.stop_fd, timeout_ms, list, TOLD_MAX,
                     &stream.n_told);
    for (size_t i = 0; i < stream.n_told; i++) {
        tell(&list[i]);
        stream.told[i] = (struct told){list[i].place.number, time_mono_ns()};
    }
}

static void *run(void *arg)
{
    (void)arg;
    while (!atomic_load(&stream.stops)) {
        enum err e = poll_once();
        wait_for_news(e == E_OK ? POLL_EVERY_MS : AGAIN_AFTER_MS);
    }
    return NULL;
}

/* ---- life ---- */

bool stream_start(struct store *store, const struct stream_subscriber *list, size_t n)
{
    stream.store = store;
    stream.watch = store_watch_new(store);
    stream.subscribers = list;
    stream.n_subscribers = n;
    stream.delays = metric_new(&delay_spec, 1);
    stream.stop_fd = eventfd(0, EFD_CLOEXEC);
    stream.has_place = false;
    atomic_store(&stream.stops, false);
    atomic_store(&stream.is_lost, true);
    atomic_store(&stream.polled_at_ms, time_mono_ms());
    atomic_store(&stream.asked_at_ms, 0);
    bool is_started = stream.stop_fd >= 0 && http_thread_start(&stream.thread, 0, run, NULL);
    atomic_store(&stream.is_running, is_started);
    return is_started;
}

void stream_stop(void)
{
    uint64_t one = 1;

    if (!atomic_load(&stream.is_running))
        return;
    atomic_store(&stream.stops, true);
    if (write(stream.stop_fd, &one, sizeof one) < 0)
        log_event(NULL, LOG_WARN, "stream.stops_late"); /* at its next poll */
    pthread_join(stream.thread, NULL);
    atomic_store(&stream.is_running, false);
    close(stream.stop_fd);
    store_watch_drop(&stream.watch);
    metric_drop(&stream.delays);
}

static enum err sweep_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    (void)cx;
    (void)arg;
    return store_changes_sweep(tx, KEPT_MS);
}

enum err stream_sweep(struct cx *cx)
{
    return store_run(cx, sweep_in_tx, NULL);
}

void stream_write_metrics(struct metric_page *page)
{
    struct stream_state state = stream_state();

    if (!state.is_running)
        return;
    metric_write(page, stream.delays);
    metric_put_int(page, "sallyport_changes_applied_total",
                   "Changes of any node that this one has taken over.", METRIC_COUNTER,
                   atomic_load(&stream.n_applied));
    metric_put_int(page, "sallyport_stream_lost_total",
                   "Times the change stream's connection went away.", METRIC_COUNTER,
                   atomic_load(&stream.n_lost));
    metric_put_int(page, "sallyport_stream_begins_total",
                   "Times the stream began anew, and memory with it: once at the start.",
                   METRIC_COUNTER, atomic_load(&stream.n_begins));
    metric_put_int(page, "sallyport_stream_current",
                   "1: changes are followed; 0: the stream is lost.", METRIC_GAUGE,
                   state.is_current);
    metric_put_seconds(page, "sallyport_stream_silence_seconds",
                       "Since the last time the changes were read.", METRIC_GAUGE,
                       state.silence_ms * MS_NS);
}
