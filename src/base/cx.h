/*
 * The context of one request or job: its memory, its time, its caller, and what went wrong.
 *
 * A cx belongs to one thread at a time. Time comes from it, so that tests can set it.
 */
#ifndef SALLYPORT_BASE_CX_H
#define SALLYPORT_BASE_CX_H

#include "base/arena.h"
#include "base/drop.h"
#include "base/err.h"
#include "base/net.h"

struct store;
struct store_guard;
struct principal;

/* Why a request failed, beyond its code; every text lives in the arena. */
struct failure {
    str detail;            /* what was wrong with this one */
    str hint;              /* what to do about this one */
    str members;           /* more members of the error body: JSON, `"a":1,"b":[]`, or none */
    int64_t retry_after_s; /* > 0 adds Retry-After */
};

struct cx {
    struct arena *arena;
    int64_t now_ms; /* wall clock, Unix milliseconds */
    struct store *store;
    struct store_guard *guard;   /* of the next change, see store/store.h; NULL: none */
    const struct principal *who; /* NULL: nobody */
    struct net_addr client;      /* the caller's address; NET_NONE: not known */
    struct net_addr peer;        /* the other end of the connection: the caller, or a proxy */
    str user_agent;              /* as sent; anything may be in it */
    str request_id;
    bool must_not_wait; /* on an I/O thread: no store, see E_ASK_WORKER */
    const char *doing;  /* a few words for the log: "reading the body" */
    struct failure failure;
};

/* Note the detail for the reply and the log; returns the code, so that it ends a function. */
enum err fail(struct cx *cx, enum err e, const char *format, ...) PRINTF_LIKE(3, 4);

/* Add a hint to a failure already noted, or about to be. */
void fail_hint(struct cx *cx, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
