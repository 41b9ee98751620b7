/* The statements of the management dialect: one function each. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_MANAGE_QUERIES_H
#define SALLYPORT_KEYS_MANAGE_QUERIES_H

#include "keys/manage_rules.h"
#include "keys/queries.h"

/* Of whose keys there are, for the caller: one employer's; STR_NONE: everybody's. */
struct key_view {
    str employer_id;
};

/* E_ABSENT: there is none in view. Texts live in cx->arena. */
enum err manage_find(struct cx *cx, struct tx *tx, const struct key_view *view, str id,
                     struct key *out);

/* The newest first; after the key `after`, which is in view. */
enum err manage_list(struct cx *cx, struct tx *tx, const struct key_view *view,
                     const struct key_filter *filter, const struct key *after,
                     struct key_list *out);

/* At most `max` keys that are not revoked, the oldest first; after the key `after`, or one without
 * id and age. */
enum err manage_scan_live(struct cx *cx, struct tx *tx, const struct key_view *view,
                          const struct key_filter *filter, const struct key *after, int64_t max,
                          struct key_list *out);

/* Ids, employers and ages of at most `max` live keys that a filter fits, the oldest first; after
 * the key `after`, or NULL. */
enum err manage_list_live(struct cx *cx, struct tx *tx, const struct key_view *view,
                          const struct key_filter *filter, const struct key *after, int64_t max,
                          struct key_list *out);
enum err manage_count_live(struct tx *tx, const struct key_view *view,
                           const struct key_filter *filter, int64_t *out);

/* Who is to have a key, and what their plan says of the API. */
struct key_owner {
    str employer_id;
    bool is_active;
    bool is_approved;
    str plan_name;           /* '': no plan, so everything */
    int64_t keys_max;        /* 0: no bound of its own */
    struct rate_policy rate; /* 0 requests: none of its own */
    str planned;             /* scopes as a key's; STR_NONE: the API is not in the plan */
};

/* E_ABSENT */
enum err manage_find_owner(struct cx *cx, struct tx *tx, str employer_id, str api_id,
                           struct key_owner *out);

/* E_ABSENT: no such person, or a patient, who has no keys. */
enum err manage_find_person(struct cx *cx, struct tx *tx, str id, str *employer_id,
                            bool *is_active);

/* The API stays until the transaction ends. E_ABSENT: it is deleted. */
enum err manage_hold_api(struct tx *tx, str api_id);

#endif
