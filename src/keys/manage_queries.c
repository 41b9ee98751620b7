#include "keys/manage_queries.h"

#include "keys/columns.h"

/* A column that sorts as the list does, and the name of who made the key. */
#define SHOWN_COLUMNS                                                                              \
    KEY_COLUMNS ", (SELECT coalesce(nullif(trim(coalesce(c.first_name, '') || ' '"                 \
                " || coalesce(c.last_name, '')), ''), c.email) FROM person c"                      \
                " WHERE c.id = k.created_by)"

/* $1 … $6; an empty text asks for nothing. */
#define FITS                                                                                       \
    " ($1 = '' OR k.employer_id = $1) AND ($2 = '' OR k.owner_id = $2)"                            \
    " AND ($3 = '' OR k.api_id = $3)"                                                              \
    " AND ($4 = '' OR ($4 = 'user') = (k.owner_id <> ''))"                                         \
    " AND ($5 = '' OR ($5 = 'revoked' AND k.revoked_at_ms > 0) OR"                                 \
    "  (k.revoked_at_ms = 0 AND ($5 = 'active') = (k.is_active = 1 AND k.not_before_ms <= $6"      \
    "   AND (k.expires_at_ms = 0 OR k.expires_at_ms > $6)) AND $5 <> 'revoked'))"

/* The filter's employer and the view's are one condition; two that differ fit nothing. */
static str employer_of(const struct key_view *view, const struct key_filter *filter)
{
    if (str_is_none(view->employer_id) || str_eq(filter->employer_id, view->employer_id))
        return filter->employer_id;
    return filter->employer_id.n ? S("nobody") : view->employer_id;
}

static void read_shown(struct cx *cx, const struct rows *rows, struct key *out)
{
    keys_read_row(cx, rows, out);
    out->creator_name = arena_dup(cx->arena, rows_text(rows, KEY_COLUMNS_END));
}

enum err manage_find(struct cx *cx, struct tx *tx, const struct key_view *view, str id,
                     struct key *out)
{
    static const char sql[] = "SELECT" SHOWN_COLUMNS " FROM api_key k WHERE k.id = $1"
                              " AND ($2 = '' OR k.employer_id = $2)";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql,
                 BIND(TEXT(id), TEXT(str_is_none(view->employer_id) ? S("") : view->employer_id)),
                 &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    read_shown(cx, rows, out);
    return E_OK;
}

/* An index each, which is entered where the page begins: one text for all filters would be read
 * through from the newest key on. */
#define LIST(first)                                                                                \
    "SELECT" SHOWN_COLUMNS " FROM api_key k WHERE" first FITS                                      \
    " AND (k.created_at_ms, k.id) < ($7, $8)"                                                      \
    " ORDER BY k.created_at_ms DESC, k.id DESC LIMIT $9"

static const char list_of_person[] = LIST(" k.owner_id = $2 AND");
static const char list_of_employer[] = LIST(" k.employer_id = $1 AND");
static const char list_of_api[] = LIST(" k.api_id = $3 AND");
static const char list_of_all[] = LIST("");

static const char *list_for(str employer_id, const struct key_filter *filter)
{
    if (filter->owner_id.n)
        return list_of_person;
    if (employer_id.n)
        return list_of_employer;
    return filter->api_id.n ? list_of_api : list_of_all;
}

enum err manage_list(struct cx *cx, struct tx *tx, const struct key_view *view,
                     const struct key_filter *filter, const struct key *after, struct key_list *out)
{
    DROP(rows) struct rows *rows = NULL;
    str employer_id = employer_of(view, filter);
    enum err e = E_OK;

    *out =
        (struct key_list){.list = arena_array(cx->arena, (size_t)filter->limit, sizeof *out->list)};
    TRY(tx_query(tx, list_for(employer_id, filter),
                 BIND(TEXT(employer_id), TEXT(filter->owner_id), TEXT(filter->api_id),
                      TEXT(filter->type), TEXT(filter->status), INT(cx->now_ms),
                      INT(after ? after->created_at_ms : INT64_MAX),
                      TEXT(after ? after->id : S("")), INT(filter->limit + 1)),
                 &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)filter->limit) {
            out->has_more = true;
            break;
        }
        read_shown(cx, rows, &out->list[out->n++]);
    }
    return e;
}

#define SCAN(first)                                                                                \
    "SELECT" SHOWN_COLUMNS " FROM api_key k WHERE" first FITS                                      \
    " AND k.revoked_at_ms = 0 AND (k.created_at_ms, k.id) > ($7, $8)"                              \
    " ORDER BY k.created_at_ms, k.id LIMIT $9"

enum err manage_scan_live(struct cx *cx, struct tx *tx, const struct key_view *view,
                          const struct key_filter *filter, const struct key *after, int64_t max,
                          struct key_list *out)
{
    static const char scan_of_employer[] = SCAN(" k.employer_id = $1 AND");
    static const char scan_of_api[] = SCAN(" k.api_id = $3 AND");
    static const char scan_of_all[] = SCAN("");
    str employer_id = employer_of(view, filter);
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct key_list){.list = arena_array(cx->arena, (size_t)max, sizeof *out->list)};
    TRY(tx_query(tx,
                 employer_id.n      ? scan_of_employer
                 : filter->api_id.n ? scan_of_api
                                    : scan_of_all,
                 BIND(TEXT(employer_id), TEXT(filter->owner_id), TEXT(filter->api_id),
                      TEXT(filter->type), TEXT(filter->status), INT(cx->now_ms),
                      INT(after->created_at_ms), TEXT(after->id), INT(max)),
                 &rows));
    while (rows_next(rows, &e))
        read_shown(cx, rows, &out->list[out->n++]);
    return e;
}

#define LIVE_FITS                                                                                  \
    " k.revoked_at_ms = 0 AND ($1 = '' OR k.employer_id = $1) AND ($2 = '' OR k.api_id = $2)"      \
    " AND k.created_at_ms < $3"

#define LIVE(first)                                                                                \
    "SELECT k.id, k.employer_id, k.name, k.created_at_ms FROM api_key k WHERE" first LIVE_FITS     \
    " AND (k.created_at_ms, k.id) > ($4, $5) ORDER BY k.created_at_ms, k.id LIMIT $6"

static const char live_of_employer[] = LIVE(" k.employer_id = $1 AND");
static const char live_of_api[] = LIVE(" k.api_id = $2 AND");
static const char live_of_all[] = LIVE("");

static int64_t before_ms(const struct key_filter *filter)
{
    return filter->created_before_ms ? filter->created_before_ms : INT64_MAX;
}

enum err manage_list_live(struct cx *cx, struct tx *tx, const struct key_view *view,
                          const struct key_filter *filter, const struct key *after, int64_t max,
                          struct key_list *out)
{
    str employer_id = employer_of(view, filter);
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct key_list){.list = arena_array(cx->arena, (size_t)max, sizeof *out->list)};
    TRY(tx_query(tx,
                 employer_id.n      ? live_of_employer
                 : filter->api_id.n ? live_of_api
                                    : live_of_all,
                 BIND(TEXT(employer_id), TEXT(filter->api_id), INT(before_ms(filter)),
                      INT(after ? after->created_at_ms : 0), TEXT(after ? after->id : S("")),
                      INT(max)),
                 &rows));
    while (rows_next(rows, &e))
        out->list[out->n++] = (struct key){.id = arena_dup(cx->arena, rows_text(rows, 0)),
                                           .employer_id = arena_dup(cx->arena, rows_text(rows, 1)),
                                           .name = arena_dup(cx->arena, rows_text(rows, 2)),
                                           .created_at_ms = rows_int(rows, 3)};
    return e;
}

enum err manage_count_live(struct tx *tx, const struct key_view *view,
                           const struct key_filter *filter, int64_t *out)
{
    static const char sql[] = "SELECT count(*) FROM api_key k WHERE" LIVE_FITS;

    return tx_one_int(
        tx, sql,
        BIND(TEXT(employer_of(view, filter)), TEXT(filter->api_id), INT(before_ms(filter))), out);
}

enum err manage_find_owner(struct cx *cx, struct tx *tx, str employer_id, str api_id,
                           struct key_owner *out)
{
    static const char sql[] =
        "SELECT e.is_active, e.is_approved, coalesce(pl.name, ''), coalesce(pl.keys_max, 0),"
        " coalesce(pl.rate_requests, 0), coalesce(pl.rate_window_ms, 0),"
        " CASE WHEN e.plan_id = '' THEN '*' ELSE pa.scopes END FROM employer e"
        " LEFT JOIN plan pl ON pl.id = e.plan_id"
        " LEFT JOIN plan_api pa ON pa.plan_id = e.plan_id AND pa.api_id = $2 WHERE e.id = $1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(employer_id), TEXT(api_id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *out = (struct key_owner){
        .employer_id = employer_id,
        .is_active = rows_int(rows, 0) != 0,
        .is_approved = rows_int(rows, 1) != 0,
        .plan_name = arena_dup(cx->arena, rows_text(rows, 2)),
        .keys_max = rows_int(rows, 3),
        .rate = {rows_int(rows, 4), rows_int(rows, 5), RATE_GCRA},
        .planned = arena_dup(cx->arena, rows_text(rows, 6)),
    };
    return E_OK;
}

enum err manage_find_person(struct cx *cx, struct tx *tx, str id, str *employer_id, bool *is_active)
{
    static const char sql[] =
        "SELECT employer_id, is_active FROM person WHERE id = $1 AND role <> 'PATIENT'";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *employer_id = arena_dup(cx->arena, rows_text(rows, 0));
    *is_active = rows_int(rows, 1) != 0;
    return E_OK;
}

enum err manage_hold_api(struct tx *tx, str api_id)
{
    static const char sqlite[] = "SELECT next_scope FROM api WHERE id = $1 AND deleted_at_ms = 0";
    static const char postgres[] =
        "SELECT next_scope FROM api WHERE id = $1 AND deleted_at_ms = 0 FOR SHARE";
    int64_t ignored;

    return tx_one_int(tx, tx_either(tx, sqlite, postgres), BIND(TEXT(api_id)), &ignored);
}
