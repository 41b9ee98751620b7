/*
 * Refusals, counted in memory until they are written: bounded, and never waiting for anything but
 * a short lock. Inside audit/ only.
 */
#ifndef SALLYPORT_AUDIT_NOTES_H
#define SALLYPORT_AUDIT_NOTES_H

#include "audit/rules.h"

enum {
    NOTED_ID_BYTES = 64,
    NOTED_AGENT_BYTES = 208,
    NOTED_TEXT_BYTES = 256,
    NOTED_EVERY_MS = 60 * 1000,
    NOTED_REVOKED_EVERY_MS = 3600 * 1000,
    NOTES_REST_MAX = 64, /* employers whose rest is a kind of its own; the others share one */
};

/* One kind of refusal. */
struct noted {
    const char *action;
    const char *code;
    const char *route; /* of the last */
    const char *target_kind;
    char actor_kind[16];
    char role[16];
    char actor_id[NOTED_ID_BYTES];
    char actor_employer_id[NOTED_ID_BYTES];
    char employer_id[NOTED_ID_BYTES];
    char target_id[NOTED_ID_BYTES];
    char address[NET_TEXT_BYTES]; /* of the last, as what follows */
    char request_id[NOTED_ID_BYTES + 1];
    char user_agent[NOTED_AGENT_BYTES];
    char reason[NOTED_TEXT_BYTES];
    char hint[NOTED_TEXT_BYTES];
    bool is_rest; /* all that found the table full */
    int64_t count;
    int64_t first_ms, last_ms; /* wall clock */
    struct sha256 name;
};

struct noted_list {
    struct noted *list;
    size_t n;
};

void notes_start(void);
void notes_stop(void);

/* origin: actor, address, user agent, request id. mono_ms: the monotonic clock. */
void notes_add(const struct audit_note *note, const struct audit_record *origin, int64_t now_ms,
               int64_t mono_ms);

/* What is due, taken out; is_last: everything that has been counted. */
void notes_take(struct arena *arena, int64_t mono_ms, bool is_last, struct noted_list *out);

/* They could not be written: count them again, due at once. */
void notes_give_back(const struct noted_list *list);

/* All but the detail. The texts are loans from `noted`. */
void noted_read(const struct noted *noted, struct audit_record *out);

#endif
