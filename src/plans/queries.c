/* Each SQL statement of plans/, beside its binding and its reading. */
#include "plans/queries.h"

#define COLUMNS " id, name, keys_max, rate_requests, rate_window_ms, created_at_ms, updated_at_ms"

enum err plans_insert(struct tx *tx, const struct plan *plan)
{
    static const char sql[] =
        "INSERT INTO plan (id, name, keys_max, rate_requests, rate_window_ms, created_at_ms,"
        " updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";

    TRY(tx_exec(tx, sql,
                BIND(TEXT(plan->id), TEXT(plan->name), INT(plan->keys_max),
                     INT(plan->rate.requests), INT(plan->rate.window_ms), INT(plan->created_at_ms),
                     INT(plan->updated_at_ms)),
                NULL));
    return plans_set_apis(tx, plan);
}

enum err plans_update(struct tx *tx, const struct plan *plan)
{
    static const char sql[] = "UPDATE plan SET name = $2, keys_max = $3, rate_requests = $4,"
                              " rate_window_ms = $5, updated_at_ms = $6 WHERE id = $1";

    return tx_exec(tx, sql,
                   BIND(TEXT(plan->id), TEXT(plan->name), INT(plan->keys_max),
                        INT(plan->rate.requests), INT(plan->rate.window_ms),
                        INT(plan->updated_at_ms)),
                   NULL);
}

enum err plans_set_apis(struct tx *tx, const struct plan *plan)
{
    static const char sql[] = "INSERT INTO plan_api (plan_id, api_id, scopes) VALUES ($1, $2, $3)";

    TRY(tx_exec(tx, "DELETE FROM plan_api WHERE plan_id = $1", BIND(TEXT(plan->id)), NULL));
    for (size_t i = 0; i < plan->n_apis; i++)
        TRY(tx_exec(tx, sql,
                    BIND(TEXT(plan->id), TEXT(plan->apis[i].api_id), TEXT(plan->apis[i].words)),
                    NULL));
    return E_OK;
}

static void read_plan(struct cx *cx, const struct rows *rows, struct plan *out)
{
    *out = (struct plan){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .name = arena_dup(cx->arena, rows_text(rows, 1)),
        .keys_max = rows_int(rows, 2),
        .rate = {rows_int(rows, 3), rows_int(rows, 4), RATE_GCRA},
        .created_at_ms = rows_int(rows, 5),
        .updated_at_ms = rows_int(rows, 6),
    };
}

static enum err read_apis(struct cx *cx, struct tx *tx, struct plan *plan)
{
    static const char sql[] =
        "SELECT api_id, scopes FROM plan_api WHERE plan_id = $1 ORDER BY api_id LIMIT $2";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(plan->id), INT(PLAN_APIS_MAX)), &rows));
    while (rows_next(rows, &e))
        plan->apis[plan->n_apis++] = (struct plan_api){arena_dup(cx->arena, rows_text(rows, 0)),
                                                       arena_dup(cx->arena, rows_text(rows, 1))};
    return e;
}

static enum err find_plan(struct cx *cx, struct tx *tx, str id, struct plan *out)
{
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, "SELECT" COLUMNS " FROM plan WHERE id = $1", BIND(TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    read_plan(cx, rows, out);
    return E_OK;
}

enum err plans_find(struct cx *cx, struct tx *tx, str id, struct plan *out)
{
    TRY(find_plan(cx, tx, id, out));
    return read_apis(cx, tx, out);
}

static enum err list_plans(struct cx *cx, struct tx *tx, int64_t n, struct plan_list *out)
{
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, "SELECT" COLUMNS " FROM plan ORDER BY name LIMIT $1", BIND(INT(n)), &rows));
    while (rows_next(rows, &e))
        read_plan(cx, rows, &out->list[out->n++]);
    return e;
}

enum err plans_list(struct cx *cx, struct tx *tx, struct plan_list *out)
{
    int64_t n = 0;

    TRY(plans_count(tx, &n));
    *out = (struct plan_list){.list = arena_array(cx->arena, (size_t)n, sizeof *out->list)};
    TRY(list_plans(cx, tx, n, out));
    for (size_t i = 0; i < out->n; i++)
        TRY(read_apis(cx, tx, &out->list[i]));
    return E_OK;
}

enum err plans_count(struct tx *tx, int64_t *out)
{
    return tx_one_int(tx, "SELECT count(*) FROM plan", BIND(), out);
}

enum err plans_count_users(struct tx *tx, str id, int64_t *out)
{
    return tx_one_int(tx, "SELECT count(*) FROM employer WHERE plan_id = $1", BIND(TEXT(id)), out);
}

enum err plans_delete(struct tx *tx, str id)
{
    TRY(tx_exec(tx, "DELETE FROM plan_api WHERE plan_id = $1", BIND(TEXT(id)), NULL));
    return tx_exec(tx, "DELETE FROM plan WHERE id = $1", BIND(TEXT(id)), NULL);
}
