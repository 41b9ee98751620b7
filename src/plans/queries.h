/* Plans, and the statements of plans/. Inside plans/ only. */
#ifndef SALLYPORT_PLANS_QUERIES_H
#define SALLYPORT_PLANS_QUERIES_H

#include "apis/apis.h"
#include "decide/limit.h"
#include "plans/plans.h"
#include "store/store.h"

enum { PLAN_APIS_MAX = 100, PLANS_MAX = 1000 };

struct plan_api {
    str api_id;
    str words; /* as the store has them; "*": all */
};

struct plan {
    str id, name;
    int64_t keys_max;        /* 0: no bound of its own */
    struct rate_policy rate; /* 0 requests: none of its own */
    struct plan_api apis[PLAN_APIS_MAX];
    size_t n_apis;
    int64_t created_at_ms, updated_at_ms;
};

struct plan_list {
    struct plan *list;
    size_t n;
};

/* E_STORE_CONFLICT: the name is another plan's. */
enum err plans_insert(struct tx *tx, const struct plan *plan);
enum err plans_update(struct tx *tx, const struct plan *plan);
enum err plans_set_apis(struct tx *tx, const struct plan *plan);
enum err plans_find(struct cx *cx, struct tx *tx, str id, struct plan *out); /* E_ABSENT */
enum err plans_list(struct cx *cx, struct tx *tx, struct plan_list *out);
enum err plans_count(struct tx *tx, int64_t *out);
enum err plans_count_users(struct tx *tx, str id, int64_t *out);
enum err plans_delete(struct tx *tx, str id);

#endif
