/*
 * The audit: who did what, to what, for which employer, from where. A line is written in the
 * transaction of its change, so neither is there without the other; it is never changed afterwards.
 *
 * Each line carries an HMAC of its own, made at once. A sealer then links the committed lines in
 * order: a number, and an HMAC over it, the previous link and the line. So a line that was altered,
 * moved, taken out or put in by somebody else shows (docs/audit.md).
 */
#ifndef SALLYPORT_AUDIT_AUDIT_H
#define SALLYPORT_AUDIT_AUDIT_H

#include "base/cx.h"
#include "base/log.h"
#include "crypto/instance_key.h"
#include "decide/key_text.h"
#include "decide/principal.h"
#include "http/router.h"
#include "store/store.h"

struct audit_settings {
    int64_t retention_ms;       /* lines older than this go to an archive; 0: they stay for ever */
    const char *archive_folder; /* outlives the process */
    struct key_form key_form;   /* what must not get into a line: texts like our keys */
};

/* Once, before threads start. */
void audit_start(const struct audit_settings *settings);
void audit_stop(void);

/*
 * In the transaction that writes the first row of a new store. One that has rows and no head of the
 * audit has lost it, and is not taken for a new one.
 */
enum err audit_allow_opening(struct tx *tx);

/*
 * Once the store is open and the instance key is in force: read the keys of the audit; on a store
 * without an audit make the first, and write the line audit.opened.
 *
 * E_STORE_DOWN  a key does not open: the detail is a sentence for the operator
 */
enum err audit_open(struct cx *cx);

extern const struct route audit_routes[];

/* ---- writing ---- */

struct audit_line {
    const char *action;            /* "api_key.created" */
    const struct principal *actor; /* NULL: cx->who; where that is NULL too, the server itself */
    const char *target_kind;       /* "api_key"; NULL: there is no target */
    str target_id;
    str employer_id; /* whose audit it is in; STR_NONE: the instance's alone */
    str detail;      /* from audit_detail, or STR_NONE */
};

/* In the transaction of the change, and part of it. */
enum err audit_write(struct cx *cx, struct tx *tx, const struct audit_line *line);

/* The members of a line's detail; texts that are absent are left out. No secrets, and of personal
 * data no more than the id that names the person:
 *
 *     .detail = audit_detail(cx, F("name", key->name), F("overlapSeconds", overlap_s))
 */
str audit_detail_of(struct cx *cx, const struct log_field *fields);
#define audit_detail(cx, ...)                                                                      \
    audit_detail_of((cx), (const struct log_field[]){__VA_ARGS__, {.name = NULL}})

/* The caller's user agent as it may be kept: cut, valid UTF-8, and without a key that somebody put
 * there. STR_NONE: none was sent. */
str audit_user_agent(const struct cx *cx);

/* ---- noting what somebody else decides the number of ---- */

/*
 * A refusal. It is counted in memory, by action, code, caller and employer, and written by the next
 * audit_tick: the first of a kind as a line of its own, those that follow as one line a minute (an
 * hour for api_key.used_after_revocation) with their count. So an attack cannot flood the audit.
 * Past AUDIT_NOTES_MAX kinds the rest of an employer is one kind.
 */
struct audit_note {
    const char *action;            /* "authorization.denied"; a literal, as are code and route */
    const char *code;              /* "INSUFFICIENT_SCOPE" */
    const char *route;             /* the pattern, or NULL */
    const struct principal *actor; /* NULL: nobody is known */
    const char *target_kind;
    str target_id;
    str employer_id;
    str reason; /* what was wrong with the last one, and what to do; cut where it is long */
    str hint;
};

enum { AUDIT_NOTES_MAX = 512 };

/* Never blocks on the store: for I/O threads too. */
void audit_note(const struct cx *cx, const struct audit_note *note);

/*
 * The same for a credential that was refused something, by code: a revoked key in use, a limit, or
 * anything else denied.
 *
 * who           NULL: nobody is known
 * reason, hint  as it was told; STR_NONE where they may hold something of a person's
 */
void audit_note_denial(const struct cx *cx, enum err e, const char *route,
                       const struct principal *who, str reason, str hint);

/* ---- the clockwork ---- */

/* Each second: write what was noted; now and then put the head into the log, and archive. */
enum err audit_tick(struct cx *cx);

/*
 * Link what is committed and not linked yet. On PostgreSQL every AUDIT_SEAL_EVERY_MS by each node,
 * one at a time; on SQLite each commit does it, and nothing is left.
 */
enum { AUDIT_SEAL_EVERY_MS = 200 };

enum err audit_seal(struct cx *cx);

/* Before the store closes: everything noted is written and linked, and the head is in the log. */
enum err audit_finish(struct cx *cx);

/* ---- a new instance key ---- */

/*
 * In the transaction that makes keys->current the instance key: wrap the keys of the audit anew,
 * and add one. Once it is committed, and keys are in force, audit_open reads them.
 */
enum err audit_rekey(struct cx *cx, struct tx *tx, const struct instance_key *keys);

#endif
