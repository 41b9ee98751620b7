/*
 * API keys of employers: issue, list, change, rotate, revoke, import; and their use at the door.
 *
 * The raw key exists in the reply of create and rotate only; the store holds its SHA-256. A key is
 * changed in the store first, then its entry in the key table is marked stale before the answer is
 * sent, so that the next request on this node sees the change.
 */
#ifndef SALLYPORT_KEYS_KEYS_H
#define SALLYPORT_KEYS_KEYS_H

#include "base/cx.h"
#include "base/net.h"
#include "base/secret.h"
#include "decide/decide.h"
#include "decide/principal.h"
#include "http/router.h"
#include "store/store.h"

enum {
    KEY_NAME_MAX_CHARS = 100,
    KEY_CIDRS_MAX = 100,
    KEY_RATE_REQUESTS = 120, /* the default limit: this many … */
    KEY_RATE_WINDOW_S = 60,  /* … in this time */
    KEY_OVERLAP_S = 24 * 3600,
    KEY_OVERLAP_MAX_S = 30 * 24 * 3600,
};

/* The built-in API, whose keys employers have under /api/employer/api-keys. */
#define KEYS_ENTERPRISE_API "enterprise"

/* Of an API: what becomes of its keys in memory while neither the change stream nor the store says
 * whether they are still as they were. */
struct keys_silence {
    int64_t max_ms; /* so long they are believed */
    bool goes_on;   /* and after that too */
};

struct keys_settings {
    struct key_form form; /* "mt", "live" */
    bool scopes_may_widen;
    int64_t live_max;         /* keys of one employer that are not revoked */
    int64_t guesses_a_minute; /* unknown keys per client address; 0 = not counted */
    int64_t cache_max;        /* keys in memory; read at the start only */
    int64_t unknown_reads_per_s;
    bool version_is_required;
    struct keys_silence silence; /* of the built-in API */
};

/* Once, before threads start; texts outlive the process. */
void keys_start(const struct keys_settings *settings);

/* While threads run: these from now on. They outlive the process; their form is as before. */
void keys_use(const struct keys_settings *settings);
void keys_stop(void);
const struct keys_settings *keys_settings(void);

extern const struct route key_routes[];
extern const struct route key_management_routes[]; /* under /api/v1 */

/* ---- at the door ---- */

enum keys_door {
    KEYS_DECIDED,   /* the verdict is there */
    KEYS_ASK_STORE, /* not in the key table: call keys_admit, which may block */
};

/* What came of a key at the door; texts live in the arena given. */
struct keys_answer {
    struct verdict verdict;
    struct principal who; /* set when the key is known */
    bool is_known;
    str person_id;          /* when known: whose own key it is; STR_NONE: the employer's */
    int64_t n_uses;         /* when known and facts.is_counted: with this one, if it passed */
    int64_t last_at_ms;     /* likewise: the last use before this; 0: none */
    struct country country; /* where the call comes from; looked up where the key asks for it */
    struct decide_key key;  /* when known: for the explanation, without addresses and places */
};

/*
 * Decide by what is in memory: no store, no waiting; for I/O threads. Facts other than the key's
 * text are complete. A call that passes is counted; one that is refused is charged as refused; an
 * unknown key counts as a guess of the client, or where that is not known of cx->peer.
 */
enum keys_door keys_decide(struct cx *cx, const struct secret *key,
                           const struct decide_facts *facts, struct keys_answer *out);

/*
 * The same, reading the store for a key that is not in the table. For workers.
 *
 * E_STORE_DOWN, or E_KEYS_NOT_CURRENT where memory could have answered and may not
 */
enum err keys_admit(struct cx *cx, const struct secret *key, const struct decide_facts *facts,
                    struct keys_answer *out);

/* For metrics. */
struct keys_stats {
    int64_t in_memory; /* keys, and what they take */
    int64_t bytes;
    int64_t evictions;    /* keys that made room for others */
    int64_t reads_found;  /* reads of the store for a secret that was not in memory */
    int64_t reads_absent; /* and for one that does not exist */
    int64_t reads_saved;  /* what the filter calls unknown, without a read */
    int64_t filter_bytes; /* 0: there is none yet */
};

void keys_count(struct keys_stats *out);

/* Work of each second: write usage down, as much as fits into a part of it; build the filter of
 * unknown keys. */
enum err keys_tick(struct cx *cx);

/* ---- for other capabilities ---- */

/* In a transaction: revoke what a person created. Afterwards keys_forget_all(). */
enum err keys_revoke_created_by(struct cx *cx, struct tx *tx, str person_id);

/* Something that keys rely on has changed: every entry is read again at its next use. */
void keys_forget_all(void);

/*
 * Once the store is open: do others change it too, and are there imported keys, whose texts have
 * other forms than ours? Where others change it and no stream tells of it, each second, since they
 * may import some.
 */
enum err keys_learn_store(struct cx *cx);

/* As a subscriber of the change stream (stream/stream.h). */
void keys_hear(str kind, str subject);
enum err keys_begin(struct cx *cx);

/* On stop: write down all usage that there is. */
enum err keys_finish(struct cx *cx);

#endif
