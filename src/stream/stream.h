/*
 * The change stream: what any process of a shared store changes is told to this one, in the order
 * of the commits, so that what it has in memory is never older than the last it has read.
 *
 * One thread reads with a connection of its own, woken by the database and each second in any case.
 * A change may be told twice, and is never told before it can be read from the store.
 */
#ifndef SALLYPORT_STREAM_STREAM_H
#define SALLYPORT_STREAM_STREAM_H

#include "base/metric.h"
#include "store/store.h"

/* Who has something in memory. Called on the stream's thread. */
struct stream_subscriber {
    /* One change, by any process; kinds that are not the subscriber's are ignored. Memory only. */
    void (*changed)(str kind, str subject);
    /* Nobody knows what was missed until now: whatever was read before must not be believed any
     * more, nor what is being read. A failure has it called again. */
    enum err (*begins)(struct cx *cx);
};

/*
 * Follow the changes of the store, which is shared and outlives it; so does the list. False: no
 * thread could be started.
 */
bool stream_start(struct store *store, const struct stream_subscriber *list, size_t n);
void stream_stop(void);

struct stream_state {
    bool is_running;
    bool is_current;    /* memory is as the store was at the last poll, which is not long ago */
    bool is_unanswered; /* the store was asked, and has not answered for a while */
    int64_t silence_ms; /* since the last poll that succeeded, or the start */
};

/* From any thread, and cheap. */
struct stream_state stream_state(void);

/* Now and then, from the clockwork: forget changes that everybody has read. */
enum err stream_sweep(struct cx *cx);

/* Nothing where no stream runs. */
void stream_write_metrics(struct metric_page *page);

#endif
