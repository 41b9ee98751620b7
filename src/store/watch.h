/*
 * What other processes of a shared store have changed (tx_announce), in the order of the commits.
 *
 * A watch has a connection of its own, so that it waits for nobody, and belongs to one thread. It
 * is told when there is something to read; reading is what counts, and is done now and then in any
 * case.
 */
#ifndef SALLYPORT_STORE_WATCH_H
#define SALLYPORT_STORE_WATCH_H

#include "store/store.h"

struct store_watch;

/* The place of a change among all. The number alone would not do: after a failover that lost the
 * last commits it may be given once more. */
struct store_place {
    int64_t number; /* 0: before the first */
    int64_t at_us;  /* Unix microseconds by the store's clock */
};

struct store_change {
    struct store_place place;
    int64_t age_us; /* when it was read; by the store's clock, whatever this machine's says */
    str kind, subject;
};

/* Closed at first. The store is shared, and outlives it. */
struct store_watch *store_watch_new(struct store *store);
void store_watch_drop(struct store_watch **watch);

/* Connect. E_STORE_DOWN: *why says so in one sentence, in the arena. */
enum err store_watch_open(struct store_watch *watch, struct arena *arena, str *why);
bool store_watch_is_open(const struct store_watch *watch);

/* The place of the newest change. E_STORE_DOWN: the watch is closed. */
enum err store_watch_newest(struct store_watch *watch, struct store_place *out);

/*
 * Up to max changes after that place into list; fewer than max are all there are. Texts live in the
 * arena.
 *
 * E_ABSENT      what is at that place is no more: it is not known what was missed
 * E_STORE_DOWN  the watch is closed
 */
enum err store_watch_read(struct store_watch *watch, struct arena *arena,
                          const struct store_place *after, struct store_change *list, size_t max,
                          size_t *n);

/*
 * Until there may be something to read, stop_fd is readable, or the time is over.
 *
 * told, n  up to max changes that came with the news, committed already: who forgets what they name
 *          at once is ahead of who reads first. Some may be missing, and all will be read again.
 */
void store_watch_wait(struct store_watch *watch, struct arena *arena, int stop_fd, int timeout_ms,
                      struct store_change *told, size_t max, size_t *n);

/* In a transaction: forget changes older than that, except the newest. */
enum err store_changes_sweep(struct tx *tx, int64_t older_than_ms);

#endif
