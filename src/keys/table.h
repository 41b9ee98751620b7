/*
 * The key table: keys in memory by the digest of their secret, filled on demand. Inside keys/ only.
 *
 * A key's limits and usage live here as well, so an entry is never dropped for a change: it is
 * marked stale, read again at its next use, and its counters go on.
 */
#ifndef SALLYPORT_KEYS_TABLE_H
#define SALLYPORT_KEYS_TABLE_H

#include "keys/queries.h"

void table_start(void);
void table_stop(void);

/*
 * Decide, meter and count a key that is in the table. False: it is not there, or stale, or was read
 * before since_ns (monotonic; see keys/trust.h).
 */
bool table_decide(struct arena *arena, const struct sha256 *digest, int64_t since_ns,
                  const struct decide_facts *facts, struct keys_answer *out);

/*
 * Fill: note the epoch, read the store, put. False: something changed in between and the row may
 * be old; read it again. read_at_ns: monotonic, from before the read.
 */
uint64_t table_epoch(void);
bool table_put(uint64_t epoch, int64_t read_at_ns, const struct key_row *row);

/* A key has changed: stale from now on. */
void table_touch(str key_id);
void table_touch_all(void);

size_t table_count(void);

/* Usage since the last call, taken out of the table. */
struct usage {
    str id;
    int64_t requests;
    int64_t last_at_ms;
    str last_ip;
};

/* Up to max lines into list (texts in the arena); returns how many. */
size_t table_take_usage(struct arena *arena, struct usage *list, size_t max);

/* The lines could not be written: count them again. */
void table_give_back_usage(const struct usage *list, size_t n);

#endif
