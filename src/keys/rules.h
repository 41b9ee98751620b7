/* What a key is, and what one may be: values in, verdict out. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_RULES_H
#define SALLYPORT_KEYS_RULES_H

#include "base/form.h"
#include "keys/keys.h"

/* No question is about it. */
#define KEY_API_GONE (DECIDE_ANY_API - 1)

struct key {
    str id;
    str api_id;
    str employer_id;
    str owner_id; /* of the person whose own key it is; '': the employer's */
    str name;
    struct scope_set scopes; /* bits of its API */
    str scope_words;         /* and as the store keeps them */
    str scope_names;         /* and as people call them: words */
    uint32_t api;            /* by its number in this process; KEY_API_GONE: it is deleted */
    const struct net_cidr *cidrs;
    size_t n_cidrs;
    bool is_active;
    int64_t not_before_ms;
    int64_t expires_at_ms;
    struct rate_policy rate;
    str prefix;
    str suffix;
    int64_t created_at_ms;
    str created_by;
    str creator_name; /* STR_NONE: it was not asked for, or is nobody's */
    int64_t updated_at_ms;
    int64_t rotated_at_ms;
    int64_t previous_ends_at_ms; /* 0: no former secret works any more */
    int64_t revoked_at_ms;
    int64_t last_used_at_ms;
    str last_used_ip;
    int64_t request_count;
    bool is_instance; /* of the management API: sees every employer */
    str places;       /* as the store has them; '': anywhere */
    str metadata;     /* a JSON object; '': none */
};

/* "active", "inactive", "revoked", "expired" or "scheduled": what is shown. */
str key_status(const struct key *key, int64_t now_ms);

/* What the members about a key's rules are called in a dialect. */
struct key_words {
    const char *cidrs;
    const char *not_before;
    const char *expires;
    const char *rate;
    const char *rate_part; /* with a dot */
    const char *window;
};

extern const struct key_words key_words_enterprise;
extern const struct key_words key_words_management;

/* A key of the enterprise API, with what a new key has where nothing is said. */
struct key key_blank(int64_t now_ms);

/* Addresses, expiry and limit, as far as they were sent. notBefore has been read. */
void key_read_rules(struct form *f, const struct key_words *words, int64_t now_ms, struct key *key);
void key_read_status(struct form *f, struct key *key);

/* Read a new key from a form; what is absent gets its default. Problems go to the form. */
void key_read_draft(struct form *f, int64_t now_ms, struct key *out);

/* What a PATCH changes; the members that were not sent keep the value of `key`. */
void key_read_patch(struct form *f, int64_t now_ms, struct key *key);

/* The members that differ, "name scopes", for the audit. */
str key_changes(struct arena *arena, const struct key *before, const struct key *after);

/* The list as the store and the list of bare texts as JSON keep it: "10.0.0.0/8 ::1/128". */
str key_cidrs_write(struct arena *arena, const struct net_cidr *cidrs, size_t n);
void key_cidrs_parse(struct arena *arena, str text, const struct net_cidr **out, size_t *n);

/* The bare object of the contract; `raw` may be NULL. */
void key_write(struct cx *cx, struct json_out *j, const struct key *key, const struct secret *raw);

void key_write_rate(struct json_out *j, const struct key_words *words,
                    const struct rate_policy *rate);

/* The first part of the text that may be shown: prefix, environment, four hex digits. */
str key_shown_prefix(struct arena *arena, str text, const struct key_form *form);
str key_shown_suffix(struct arena *arena, str text);

#endif
