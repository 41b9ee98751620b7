/*
 * The key table: keys in memory by the digest of their secret, filled on demand, bounded, and read
 * without locks. Inside keys/ only.
 *
 * A key's limits and usage live here as well, so an entry is never dropped for a change: it is
 * marked stale, read again at its next use, and its counters go on. When the table is full, a key
 * makes room that was not used lately, and of those one whose limit is whole again, so that coming
 * back gives it nothing.
 */
#ifndef SALLYPORT_KEYS_TABLE_H
#define SALLYPORT_KEYS_TABLE_H

#include "keys/keys.h"
#include "keys/usage.h"

void table_start(int64_t keys_max); /* 0: 1,000 */
void table_stop(void);

enum table_found {
    TABLE_DECIDED,
    TABLE_ABSENT,  /* or stale, or read before since_ns */
    TABLE_FOREIGN, /* it is there, and is none of the asker's: nothing was written or counted */
};

/*
 * Decide, meter and count a key that is in the table.
 *
 * since_ns  monotonic; see keys/trust.h
 */
enum table_found table_decide(struct arena *arena, const struct sha256 *digest, int64_t since_ns,
                              const struct decide_facts *facts, struct keys_answer *out);

/*
 * Fill: note the epoch, read the store, put. False: something changed in between and the row may
 * be old; read it again. read_at: from before the read.
 */
uint64_t table_epoch(void);
bool table_put(uint64_t epoch, struct rate_now read_at, const struct key_row *row);

/* A key has changed: whoever decides by it from now on has read it again. */
void table_touch(str key_id);
void table_touch_all(void);

struct table_stats {
    int64_t keys;
    int64_t bytes;
    int64_t evictions; /* since the start */
};

void table_count(struct table_stats *out);

/* Usage since the last call, taken out of the table: up to max lines into list (texts in the
 * arena); returns how many. */
size_t table_take_usage(struct arena *arena, struct usage *list, size_t max);

/* Of which keys in memory no longer are. */
size_t table_count_homeless(void);

/* The lines could not be written: count them again. */
void table_give_back_usage(const struct usage *list, size_t n);

#endif
