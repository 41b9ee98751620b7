/*
 * libsallyport: may this API key do this, now, from here? And if not, why, and what to do?
 *
 * The decision of the sallyport server for your own process: keys are put into a table in memory,
 * and each question about one is answered there. Where the keys come from is yours.
 *
 * A question about a key that is in the table takes no allocation, no lock and no system call. The
 * raw key is never kept: the table has its SHA-256.
 *
 * Units are in the names: _ms are milliseconds, _at_ms are Unix milliseconds (UTC) and 0 means
 * never, _s are seconds. Texts are UTF-8 and end with NUL unless their length is asked for. All
 * arguments are read during the call only, and what a call returns is yours, so nothing that is
 * passed in or out has a lifetime to know; only a table is made, and dropped.
 *
 * Set a struct to zero (`= {0}`), then the members you need: zero is the default of each, and of
 * members that a later version adds in the place of `reserved`.
 *
 * Threads: any number may decide, explain, put and remove at the same time, on the same table.
 * Making and dropping a table is for one thread, while no other uses that table.
 *
 * Memory that runs out while a table is made or a key is put ends the process, with a word on
 * standard error; nothing else in the library ends it but a misuse that is named below.
 *
 * docs/library.md is the guide; libsallyport(3) has the same reference as this header.
 */
#ifndef SALLYPORT_H
#define SALLYPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define SALLYPORT_VERSION_MAJOR 0
#define SALLYPORT_VERSION_MINOR 1
#define SALLYPORT_VERSION_PATCH 0
#define SALLYPORT_VERSION_TEXT  "0.1.0"

/* The version of the library that is linked, "0.1.0"; a literal. */
const char *sallyport_version(void);

/* ---- what went wrong with a call ---- */

enum sallyport_result {
    SALLYPORT_OK = 0,
    SALLYPORT_INVALID = 1, /* an argument is not valid; the problem says which, and how */
    SALLYPORT_FULL = 2,    /* the table holds keys_max digests */
    SALLYPORT_ABSENT = 3,  /* there is no such key in the table */
};

/* Written when a call answers SALLYPORT_INVALID. May be NULL wherever it is asked for. */
struct sallyport_problem {
    char member[32]; /* "addresses" */
    size_t index;    /* which of several, from 0; or the byte of a text from which on it is wrong */
    char reason[160]; /* "has bits set beyond the prefix: 10.0.0.0/8 is the block" */
};

/* ---- tables ---- */

struct sallyport_table;

#define SALLYPORT_SCOPES_MAX      64 /* names in one table */
#define SALLYPORT_SCOPE_MAX_BYTES 64 /* of one name: letters, digits and . : _ - / */
#define SALLYPORT_KEYS_DEFAULT    1000000
#define SALLYPORT_KEYS_MAX        100000000

struct sallyport_settings {
    const char *prefix; /* of a key's text, "mt": mt_live_…; NULL: "mt"; 1 to 16 of a-z 0-9 */
    const char *environment; /* "live" or "test"; NULL: "live" */
    const char *field;       /* where clients send the key, for hints; NULL: "x-api-key" */

    /* The names of the bits of a scope set, from the lowest on. NULL and 0: the server's eleven,
     * "cohort:read" first. */
    const char *const *scopes;
    size_t n_scopes;

    size_t keys_max; /* digests that the table holds; 0: SALLYPORT_KEYS_DEFAULT */

    /* Keys of another form, which another system made, are put by their digest: look up every text
     * of at most 4096 bytes. sallyport_put_text notices by itself. */
    bool takes_any_text;
    uint64_t reserved[4];
};

/*
 * A table without keys. *out is written on SALLYPORT_OK only; drop it with sallyport_table_drop.
 *
 * settings  NULL: all defaults
 */
enum sallyport_result sallyport_table_new(const struct sallyport_settings *settings,
                                          struct sallyport_table **out,
                                          struct sallyport_problem *problem);

/* Free the table and set *table to NULL. Accepts a *table of NULL. */
void sallyport_table_drop(struct sallyport_table **table);

/* How many digests the table holds. */
size_t sallyport_table_count(const struct sallyport_table *table);

/* ---- scopes ---- */

/*
 * The bit of a scope: 1 for the first name of the table, 2 for the second, 4 for the third …
 * 0: the table has no such name.
 */
uint64_t sallyport_scope(const struct sallyport_table *table, const char *name);

/* What a call needs, beyond scopes of which it needs all. A value of no meaning to anybody but the
 * table whose scopes were named: copy it, keep it, and free nothing. */
struct sallyport_expression {
    uint8_t steps[64];
};

/*
 * Prepare "fhir:read AND (export:read OR export:create)". AND binds before OR; both in any case;
 * words are separated by spaces; brackets go 16 deep; 32 scopes and 1024 bytes are the most. Two
 * scopes side by side are refused, since some read that as AND and some as OR. The empty text
 * needs nothing.
 *
 * SALLYPORT_INVALID  problem->index is the byte from which on the text is wrong
 */
enum sallyport_result sallyport_expression_parse(const struct sallyport_table *table,
                                                 const char *text, struct sallyport_expression *out,
                                                 struct sallyport_problem *problem);

/* ---- keys ---- */

#define SALLYPORT_TEXT_MAX     96 /* bytes of a key's text, the NUL included */
#define SALLYPORT_RANDOM_BYTES 28

struct sallyport_digest {
    uint8_t bytes[32];
};

/* SHA-256 (FIPS 180-4) of a key's text: what to keep in place of the key. */
struct sallyport_digest sallyport_digest_of(const char *text, size_t bytes);

/*
 * The text of a new key of this table: prefix, environment, and 64 hex digits, of which the last
 * eight are a checksum. Returns its length without the NUL.
 *
 * random  from getrandom(2) or the like: who can guess it has the key
 * out     the only copy of the key; wipe it when it has been handed over
 */
size_t sallyport_key_text(const struct sallyport_table *table,
                          const uint8_t random[SALLYPORT_RANDOM_BYTES],
                          char out[SALLYPORT_TEXT_MAX]);

enum sallyport_algorithm {
    SALLYPORT_GCRA = 0,  /* a bucket that refills steadily; holds rate_requests */
    SALLYPORT_FIXED = 1, /* rate_requests in each window, counted by the wall clock */
};

#define SALLYPORT_ID_MAX_BYTES  39
#define SALLYPORT_ADDRESSES_MAX 100
#define SALLYPORT_REQUESTS_MAX  1000000
#define SALLYPORT_WINDOW_MAX_S  2592000
#define SALLYPORT_TIME_MAX_MS   INT64_C(253402300799999) /* the end of the year 9999 */

struct sallyport_key {
    const char *id;       /* names the key; 1 to SALLYPORT_ID_MAX_BYTES */
    const char *owner_id; /* of whoever it was given to; NULL: none */
    uint64_t scopes;      /* bits of sallyport_scope, joined by | */

    /* Addresses it may be used from: "203.0.113.7", "198.51.100.0/24", "2001:db8::/32". None: from
     * anywhere. */
    const char *const *addresses;
    size_t n_addresses;

    int64_t not_before_ms; /* the first millisecond at which it works */
    int64_t expires_at_ms; /* the first millisecond at which it no longer works */
    int64_t revoked_at_ms; /* for good, whatever the clock says */
    bool is_inactive;      /* switched off for now */

    /* Requests in a window; a rate_requests of 0 is no limit, and then the two others are 0. */
    int64_t rate_requests; /* 0 to SALLYPORT_REQUESTS_MAX */
    int64_t rate_window_s; /* 1 to SALLYPORT_WINDOW_MAX_S */
    enum sallyport_algorithm rate_algorithm;

    /* Of this digest alone, when the key was given a new secret: replaced then, works until then.
     */
    int64_t rotated_at_ms;
    int64_t secret_ends_at_ms;
    uint64_t reserved[4];
};

/*
 * Put a key into the table, or replace what it says of that key. In force at the next question on
 * any thread, once this returns.
 *
 * The same id under two digests is one key with two secrets: they share what is told here, except
 * the two last members, and one limit. A key's counts go on when it is replaced, and start anew
 * when its limit is another. A digest that was another key's becomes this one's.
 *
 * SALLYPORT_INVALID  a member of key
 * SALLYPORT_FULL     the digest is new and there is no room; nothing was changed
 */
enum sallyport_result sallyport_put(struct sallyport_table *table,
                                    const struct sallyport_digest *digest,
                                    const struct sallyport_key *key,
                                    struct sallyport_problem *problem);

/* The same, by the text. Any text is taken: keys that another system made may have another form. */
enum sallyport_result sallyport_put_text(struct sallyport_table *table, const char *text,
                                         size_t bytes, const struct sallyport_key *key,
                                         struct sallyport_problem *problem);

/*
 * Take a key out of the table, with all its secrets and its counts. To say "revoked" in place of
 * "not known" to whoever uses it, put it with revoked_at_ms.
 *
 * SALLYPORT_ABSENT  there is no key of that id
 */
enum sallyport_result sallyport_remove(struct sallyport_table *table, const char *id);

/* ---- the decision ---- */

struct sallyport_address {
    uint8_t family;    /* 4 or 6; 0: not known, which passes no address rule */
    uint8_t bytes[16]; /* as on the wire; IPv4 uses the first four */
};

/* "203.0.113.7" or "2001:db8::7": no port, no brackets, no zone. False leaves *out alone. */
bool sallyport_address_parse(const char *text, size_t bytes, struct sallyport_address *out);

struct sallyport_question {
    const char *key; /* as the client sent it, untouched; any bytes */
    size_t key_bytes;
    struct sallyport_address client;          /* IPv4 inside IPv6 counts as IPv4 */
    uint64_t wanted;                          /* scopes: all of these */
    const struct sallyport_expression *needs; /* and this; NULL: no more */
    int64_t cost;        /* requests of the key's limit; 0: 1; below 0 counts as 1 */
    int64_t now_ms;      /* 0: from the clock */
    int64_t now_mono_ns; /* of a clock that never steps back, for GCRA; 0: from CLOCK_MONOTONIC */
    uint64_t reserved[4];
};

enum sallyport_code {
    SALLYPORT_VALID = 0,
    SALLYPORT_INVALID_API_KEY = 1,
    SALLYPORT_API_KEY_REVOKED = 2,
    SALLYPORT_API_KEY_INACTIVE = 3,
    SALLYPORT_API_KEY_NOT_YET_VALID = 4,
    SALLYPORT_API_KEY_EXPIRED = 5,
    SALLYPORT_API_KEY_IP_NOT_ALLOWED = 6,
    SALLYPORT_INSUFFICIENT_SCOPE = 7,
    SALLYPORT_RATE_LIMITED = 8,
};

/* The check that refused, in the order in which they are made. */
enum sallyport_check {
    SALLYPORT_CHECK_NONE = 0,  /* all passed */
    SALLYPORT_CHECK_TEXT = 1,  /* what was sent is not the text of a key of this table */
    SALLYPORT_CHECK_KNOWN = 2, /* it is, but no such key is in the table */
    SALLYPORT_CHECK_REVOKED = 3,
    SALLYPORT_CHECK_ROTATED = 4, /* this secret was replaced, and its time has ended */
    SALLYPORT_CHECK_ACTIVE = 5,
    SALLYPORT_CHECK_NOT_BEFORE = 6,
    SALLYPORT_CHECK_EXPIRY = 7,
    SALLYPORT_CHECK_ADDRESS = 8,
    SALLYPORT_CHECK_SCOPE = 9,
    SALLYPORT_CHECK_RATE = 10,     /* requests of the limit are used up */
    SALLYPORT_CHECK_REFUSALS = 11, /* ten times the limit was refused already */
};

struct sallyport_verdict {
    enum sallyport_code code;
    enum sallyport_check check;
    int status;        /* of HTTP: 200, or what the server would answer */
    char key_id[40];   /* "": not known; also told of a key that is refused */
    char owner_id[40]; /* "": none, or not known */
    uint64_t scopes;   /* that the key holds */
    uint64_t missing;  /* SALLYPORT_CHECK_SCOPE: the fewest that would do */

    /* The limit that was looked at, after this call; a limit of 0: none was. */
    int64_t limit;
    int64_t window_ms;
    int64_t remaining;      /* requests that would still pass now */
    int64_t reset_ms;       /* until the full limit is there again */
    int64_t retry_after_ms; /* SALLYPORT_RATE_LIMITED: until a call of this cost passes */

    int64_t since_ms;  /* revoked, rotated, expired or valid from: the instant that decided */
    uint64_t facts[8]; /* for sallyport_explain; of no meaning to anybody else */
    uint64_t reserved[4];
};

/*
 * Decide. A call that passes is charged to the key's limit; one that is refused is not, and is
 * charged to a second count of ten times the limit, past which every call is RATE_LIMITED.
 *
 * Every question has a verdict, written whole. Only SALLYPORT_VALID is a yes.
 *
 * The first time on each thread it does what sallyport_thread_begin does.
 */
void sallyport_decide(struct sallyport_table *table, const struct sallyport_question *question,
                      struct sallyport_verdict *verdict);

/*
 * Tell the library that this thread is going to decide: takes a lock, once. It is done by the
 * first decision as well; call it ahead where even that one must not wait. Ended by the end of the
 * thread.
 */
void sallyport_thread_begin(void);

/* "API_KEY_EXPIRED"; "VALID". A literal; NULL for a number that is no code. */
const char *sallyport_code_text(enum sallyport_code code);

/* ---- why ---- */

enum sallyport_form {
    SALLYPORT_LINES =
        0,              /* "API_KEY_EXPIRED: The API key has expired.", what is wrong, what to do */
    SALLYPORT_JSON = 1, /* one object: valid, code, status, title, detail, hint, … */
};

#define SALLYPORT_EXPLANATION_MAX 24576 /* bytes: enough for every verdict; most take below 600 */

/*
 * What a verdict means, and what to do, into the caller's buffer, with a NUL at the end. Returns
 * the length without it; 0: the buffer is too small, and holds the empty text.
 *
 * The text of the key is never in it. No allocation. A valid verdict is told as well.
 *
 * table   that the verdict is of: its scopes have names there
 * buffer  of bytes; SALLYPORT_EXPLANATION_MAX are always enough
 */
size_t sallyport_explain(const struct sallyport_table *table,
                         const struct sallyport_verdict *verdict, enum sallyport_form form,
                         char *buffer, size_t bytes);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
