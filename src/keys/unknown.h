/*
 * Keys that do not exist, and how little they may cost: each would be a read of the store.
 * Inside keys/ only.
 *
 * A filter over all secrets says what does not exist. It is still read for, so that a key just made
 * on another node works, as long as `unknown_reads_per_s` lasts; past that the filter is believed.
 * Reads for what the filter had and the store had not are paid from the same. While there is no
 * filter, in the first seconds after a start, everything is read for.
 */
#ifndef SALLYPORT_KEYS_UNKNOWN_H
#define SALLYPORT_KEYS_UNKNOWN_H

#include "base/cx.h"
#include "crypto/digest.h"
#include "decide/limit.h"

void unknown_start(int64_t reads_per_s);
void unknown_use(int64_t reads_per_s); /* from now on */
void unknown_stop(void);

/* Might the store be asked? False: there is no such secret. No waiting. */
bool unknown_may_read(const struct sha256 *digest, struct rate_now now);

/* The same, and the read that follows is paid for. */
bool unknown_begin_read(const struct sha256 *digest, struct rate_now now);

/* The same of a secret that exists and is none of the asker's: no more, and no sooner, than if it
 * did not exist. */
bool unknown_may_read_in_vain(struct rate_now now);

/* What the store said, of a key that is the asker's. */
void unknown_was_read(const struct sha256 *digest, bool is_there, struct rate_now now);

/*
 * A secret has been committed, or may have been. After the commit, not before: a filter begun in
 * between would miss it, and so would its reading of the store.
 */
void unknown_add(const struct sha256 *digest);

/*
 * Build the filter, a part at a call; and again when it has grown too small, or where other nodes
 * make keys, after ten minutes. Each second, by one thread.
 */
enum err unknown_tick(struct cx *cx, struct rate_now now);

struct unknown_stats {
    int64_t found;        /* reads of the store that found a key */
    int64_t absent;       /* and that did not */
    int64_t believed;     /* reads saved: the filter's word was taken */
    int64_t filter_bytes; /* 0: there is none yet */
};

void unknown_count(struct unknown_stats *out);

#endif
