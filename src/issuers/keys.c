/*
 * Keys by issuer. Shared state: `cache`, all of it guarded by cache.lock but `stops`; keys have
 * owners, so that none is used under the lock.
 */
#include "issuers/keys.h"

#include <assert.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/time.h"
#include "http/pool.h"
#include "issuers/fetch.h"

struct source {
    struct keyset keys;
    bool is_pinned;        /* of a PEM file: never read again */
    bool is_wanted;        /* a token waits for keys */
    bool is_reading;       /* now */
    bool has_failed;       /* the last time */
    int64_t read_at_ms;    /* monotonic, of the last success; 0: never */
    int64_t tried_at_ms;   /* of the last try's beginning; 0: never */
    int64_t unknown_at_ms; /* of the last unknown kid that had keys read; 0: never */
    uint64_t tries;        /* that are over */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;    /* the thread */
    pthread_cond_t changed; /* those who wait */
    pthread_t thread;
    const struct issuer *issuers;
    struct source sources[ISSUERS_MAX];
    size_t n;
    size_t n_waiting;
    bool is_serving;
    atomic_bool stops;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wait_until_locked(pthread_cond_t *cond, int64_t at_ms)
{
    struct timespec at = {.tv_sec = at_ms / SECOND_MS, .tv_nsec = at_ms % SECOND_MS * 1000000};

    pthread_cond_timedwait(cond, &cache.lock, &at);
}

/* ---- reading, on the thread ---- */

static int64_t due_at_locked(const struct source *s)
{
    if (s->is_pinned)
        return INT64_MAX;
    if (s->is_wanted || s->tried_at_ms == 0)
        return 0;
    if (s->keys.n == 0)
        return s->tried_at_ms + KEYS_RETRY_EMPTY_MS;
    return s->has_failed ? s->tried_at_ms + KEYS_RETRY_MS : s->read_at_ms + KEYS_FRESH_MS;
}

static struct source *next_due_locked(int64_t *at_ms)
{
    struct source *next = NULL;

    *at_ms = INT64_MAX;
    for (size_t i = 0; i < cache.n; i++) {
        int64_t due = due_at_locked(&cache.sources[i]);
        if (due < *at_ms) {
            *at_ms = due;
            next = &cache.sources[i];
        }
    }
    return next;
}

static void log_read(const struct issuer *issuer, bool is_read, size_t n, str why)
{
    if (is_read)
        log_event(NULL, LOG_INFO, "issuer.keys_read", F("issuer", issuer->name), F("keys", n));
    else
        log_event(NULL, LOG_WARN, "issuer.keys_not_read", F("issuer", issuer->name),
                  F("detail", why));
}

static void install_locked(struct source *s, struct keyset *keys, bool is_read)
{
    struct keyset former = s->keys;

    s->is_reading = false;
    s->has_failed = !is_read;
    s->tries++;
    if (is_read) {
        s->keys = *keys;
        s->read_at_ms = time_mono_ms();
        *keys = former;
    }
    pthread_cond_broadcast(&cache.changed);
}

static void read_keys(struct source *s)
{
    const struct issuer *issuer = &cache.issuers[s - cache.sources];
    DROP(arena) struct arena *arena = arena_new();
    struct keyset keys = {.n = 0};
    str why = STR_NONE;
    bool is_read = fetch_keys(arena, issuer, &cache.stops, &keys, &why);
    size_t n = keys.n;

    pthread_mutex_lock(&cache.lock);
    install_locked(s, &keys, is_read);
    pthread_mutex_unlock(&cache.lock);
    keyset_drop(&keys);
    if (!atomic_load(&cache.stops))
        log_read(issuer, is_read, n, why);
}

static void work_once_locked(void)
{
    int64_t now = time_mono_ms();
    int64_t at_ms;
    struct source *s = next_due_locked(&at_ms);

    if (!s || at_ms > now) {
        wait_until_locked(&cache.wake, s ? at_ms : now + MINUTE_MS);
        return;
    }
    s->is_wanted = false;
    s->is_reading = true;
    s->tried_at_ms = now;
    pthread_mutex_unlock(&cache.lock);
    read_keys(s);
    pthread_mutex_lock(&cache.lock);
}

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&cache.lock);
    while (!atomic_load(&cache.stops))
        work_once_locked();
    pthread_mutex_unlock(&cache.lock);
    return NULL;
}

/* ---- start and stop ---- */

/* The settings' check has read the same text: what it cannot use has been told. */
static void pin(struct source *s, str pem)
{
    const char *why;

    s->is_pinned = true;
    while (s->keys.n < FETCH_KEYS_MAX) {
        struct jws_key *key = jws_key_from_pem(&pem, &why);
        if (!key)
            break;
        s->keys.list[s->keys.n++] = key;
    }
}

void keys_cache_start(const struct issuer *list, size_t n)
{
    assert(n <= ISSUERS_MAX);
    cond_init(&cache.wake);
    cond_init(&cache.changed);
    cache.issuers = list;
    cache.n = n;
    atomic_store(&cache.stops, false);
    for (size_t i = 0; i < n; i++) {
        cache.sources[i] = (struct source){.is_reading = false};
        if (list[i].pem.n)
            pin(&cache.sources[i], list[i].pem);
    }
}

bool keys_cache_serve(void)
{
    if (cache.n == 0)
        return true;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    cache.is_serving = http_thread_start(&cache.thread, 0, run, NULL);
    return cache.is_serving;
}

void keys_cache_stop(void)
{
    if (cache.is_serving) {
        atomic_store(&cache.stops, true);
        pthread_mutex_lock(&cache.lock);
        pthread_cond_signal(&cache.wake);
        pthread_mutex_unlock(&cache.lock);
        pthread_join(cache.thread, NULL);
        curl_global_cleanup();
        cache.is_serving = false;
    }
    for (size_t i = 0; i < cache.n; i++)
        keyset_drop(&cache.sources[i].keys);
    cache.n = 0;
}

/* ---- looking up, on workers ---- */

static bool is_believed_locked(const struct source *s, int64_t now)
{
    return s->is_pinned || (s->keys.n > 0 && now - s->read_at_ms < KEYS_STALE_MAX_MS);
}

/* A pinned key is a candidate whatever its name; others are found by theirs. */
static void find_locked(const struct source *s, const struct jws *jws, struct keyset *out)
{
    out->n = 0;
    if (!is_believed_locked(s, time_mono_ms()))
        return;
    for (size_t i = 0; i < s->keys.n; i++)
        if (s->is_pinned || str_eq(jws_key_kid(s->keys.list[i]), jws->kid))
            out->list[out->n++] = jws_key_share(s->keys.list[i]);
}

/* Ask for the keys, if they may be read now. False: nothing will come of waiting. */
static bool ask_locked(struct source *s, int64_t now)
{
    bool may_ask = s->unknown_at_ms == 0 || now - s->unknown_at_ms >= KEYS_UNKNOWN_GAP_MS;

    if (s->is_pinned || !cache.is_serving)
        return false;
    if (s->is_reading || s->is_wanted || s->tried_at_ms == 0)
        return true;
    if (s->keys.n == 0 || !may_ask)
        return false;
    s->unknown_at_ms = now;
    s->is_wanted = true;
    pthread_cond_signal(&cache.wake);
    return true;
}

static enum err unreachable(struct cx *cx, int64_t retry_after_ms, const char *detail)
{
    cx->failure.retry_after_s = (retry_after_ms + SECOND_MS - 1) / SECOND_MS;
    if (cx->failure.retry_after_s < 1)
        cx->failure.retry_after_s = 1;
    return fail(cx, E_ISSUER_UNREACHABLE, "%s", detail);
}

/* Until a try that has not begun, or is not over, ends. */
static enum err wait_locked(struct cx *cx, const struct source *s)
{
    int64_t deadline = time_mono_ms() + KEYS_WAIT_MS;
    uint64_t awaited = s->tries + (s->is_reading && s->is_wanted ? 2 : 1);

    if (cache.n_waiting == KEYS_WAITING_MAX)
        return unreachable(cx, SECOND_MS, "The issuer's keys are being read, and many wait.");
    cache.n_waiting++;
    while (s->tries < awaited && !atomic_load(&cache.stops) && time_mono_ms() < deadline)
        wait_until_locked(&cache.changed, deadline);
    cache.n_waiting--;
    return E_OK;
}

static enum err unknown_key_locked(struct cx *cx, const struct source *s)
{
    int64_t now = time_mono_ms();

    if (!is_believed_locked(s, now))
        return unreachable(cx, due_at_locked(s) - now, "The issuer's keys could not be read.");
    fail_hint(cx,
              "The issuer's keys were read %" PRId64 " s ago%s; after a change of keys, new ones "
              "are known within 30 s. Check that the token is this issuer's.",
              (now - s->read_at_ms) / SECOND_MS,
              s->has_failed ? ", and could not be read since" : "");
    return fail(cx, E_TOKEN_INVALID, "The token's kid names no key of its issuer.");
}

static enum err candidates_locked(struct cx *cx, struct source *s, const struct jws *jws,
                                  struct keyset *out)
{
    find_locked(s, jws, out);
    if (out->n == 0 && ask_locked(s, time_mono_ms())) {
        TRY(wait_locked(cx, s));
        find_locked(s, jws, out);
    }
    return out->n ? E_OK : unknown_key_locked(cx, s);
}

/* RFC 7517 section 4.5: several keys of one name differ in their type. Two that fit are none. */
static enum err verify(struct cx *cx, const struct jws *jws, const struct keyset *keys,
                       bool is_pinned)
{
    const struct jws_key *fitting = NULL;
    size_t n_fitting = 0;

    for (size_t i = 0; i < keys->n; i++) {
        if (!jws_key_fits(keys->list[i], jws->alg))
            continue;
        fitting = keys->list[i];
        n_fitting++;
        if (is_pinned && jws_verify(jws, fitting))
            return E_OK;
    }
    if (n_fitting == 0)
        return fail(cx, E_TOKEN_INVALID, "The token's key does not fit its alg.");
    if (n_fitting > 1 && !is_pinned)
        return fail(cx, E_TOKEN_INVALID, "The token's kid names several keys of its issuer.");
    if (!is_pinned && jws_verify(jws, fitting))
        return E_OK;
    return fail(cx, E_TOKEN_INVALID, "The token's signature is not its issuer's.");
}

enum err keys_cache_verify(struct cx *cx, size_t i, const struct jws *jws)
{
    struct source *s = &cache.sources[i];
    struct keyset keys = {.n = 0};

    if (!s->is_pinned && str_is_none(jws->kid))
        return fail(cx, E_TOKEN_INVALID, "The token's header has no kid.");
    pthread_mutex_lock(&cache.lock);
    enum err e = candidates_locked(cx, s, jws, &keys);
    pthread_mutex_unlock(&cache.lock);
    if (e == E_OK)
        e = verify(cx, jws, &keys, s->is_pinned);
    keyset_drop(&keys);
    return e;
}
