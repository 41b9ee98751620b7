/*
 * Keys in the management dialect: reading orders and changes, showing keys. Inside keys/ only.
 */
#ifndef SALLYPORT_KEYS_MANAGE_RULES_H
#define SALLYPORT_KEYS_MANAGE_RULES_H

#include "apis/apis.h"
#include "keys/rules.h"

enum { METADATA_MAX = 16, METADATA_NAME_MAX_CHARS = 64, METADATA_VALUE_MAX_CHARS = 256 };

/* A key that somebody asks for: complete but for its id, its employer and who makes it. */
struct key_order {
    struct key key;
    struct api api; /* what it is for */
    str org_code;   /* the employer whose key it is to be; STR_NONE: a person's, key.owner_id */
    bool has_rate;  /* the limit was named; else it is the plan's */
};

/*
 * Problems go to the form. Of scopes alone it closes with E_INVALID_SCOPE, or E_SCOPE_UNKNOWN where
 * the API has none of that id or name.
 */
void manage_read_order(struct form *f, struct key_order *out);

/* What a PATCH changes of a key; members that were not sent stay as they are. */
void manage_read_patch(struct form *f, const struct api *api, struct key *key);

/* What the list of keys may be narrowed to; texts are empty where nothing is asked. */
struct key_filter {
    str employer_id;
    str owner_id;
    str api_id;
    str type;   /* "organization" or "user" */
    str status; /* "active", "inactive" or "revoked" */
    int64_t created_before_ms;
    str after; /* an id */
    int64_t limit;
};

enum { MANAGE_PAGE_DEFAULT = 50, MANAGE_PAGE_MAX = 500 };

/* `api_id` by id or audience, as an id; empty: not asked. One that there is not stays as it is. */
str manage_read_api(struct form *f);

/* A whole number of a query, from 1. */
int64_t manage_read_number(struct form *f, const char *member, int64_t max, int64_t if_absent);

/* From the query of a list. */
void manage_read_filter(struct form *f, struct key_filter *out);

/* "active", "inactive" or "revoked": expired and scheduled keys read inactive in this dialect. */
str manage_status(const struct key *key, int64_t now_ms);

/* The members of an item of a list. */
void manage_write_members(struct cx *cx, struct json_out *j, const struct key *key);

/* An item of a list (name: STR_NONE), or a member; a whole one has all that is known of it. */
void manage_write_key(struct cx *cx, struct json_out *j, str name, const struct key *key,
                      bool is_whole);

#endif
