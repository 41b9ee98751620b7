/*
 * Looking at a store from outside, without opening it for use: no lock is taken, nothing is made,
 * migrated or written, and a server may run meanwhile. For `sallyport doctor`.
 */
#ifndef SALLYPORT_STORE_INSPECT_H
#define SALLYPORT_STORE_INSPECT_H

#include "base/arena.h"
#include "base/str.h"

struct store_facts {
    str fault; /* why nothing below is known; else STR_NONE */

    /* What both engines keep. */
    int64_t schema;    /* the newest that is recorded; 0: none yet */
    str schema_fault;  /* a recorded migration that is not ours; else STR_NONE */
    str key_id;        /* of the instance key it was made with; STR_NONE: none yet */
    int64_t newest_ms; /* an instant that has been, as far as the store can tell; 0: none */

    /* SQLite. */
    bool is_there; /* a file with a database in it */
    bool is_wal;
    bool is_unsettled; /* changes wait in a log that only a server may move; not looked into */
    str integrity;     /* "ok", or what quick_check found; STR_NONE: not asked */

    /* PostgreSQL. */
    int64_t version; /* 150008 */
    str fsync, full_page_writes, synchronous_commit, encoding;
    int64_t connections_max, connections_reserved, connections_used;
    int64_t clock_ms, asked_at_ms; /* its clock, and ours at that moment */
    bool is_replica;               /* or read-only by its settings */
    bool may_create;
    bool is_encrypted;
    str host; /* STR_NONE or a path: this machine */
};

/* The schema that this binary knows. */
int64_t store_schema_known(void);

/*
 * url             of a setting that has passed its check
 * checks_content  SQLite: read all of it, PRAGMA quick_check
 * out             texts live in the arena
 */
void store_inspect(struct arena *arena, str url, bool checks_content, struct store_facts *out);

#endif
