/* Claims and kept answers: one row each. */
#include "idempotency/queries.h"

/* On PostgreSQL a second claim waits here until the first one's transaction has ended. */
enum err idempotency_claim(struct tx *tx, const struct claim *claim, int64_t now_ms,
                           int64_t expires_at_ms, bool *is_ours)
{
    static const char sql[] =
        "INSERT INTO idempotency (id, key_id, payload, status, answer, has_secret, expires_at_ms)"
        " VALUES ($1, $2, $3, 0, NULL, 0, $4)"
        " ON CONFLICT (id) DO UPDATE SET key_id = excluded.key_id, payload = excluded.payload,"
        " status = 0, answer = NULL, has_secret = 0, expires_at_ms = excluded.expires_at_ms"
        " WHERE idempotency.expires_at_ms <= $5";
    int64_t changed = 0;

    TRY(tx_exec(tx, sql,
                BIND(TEXT(claim->id), TEXT(claim->key_id), TEXT(claim->payload), INT(expires_at_ms),
                     INT(now_ms)),
                &changed));
    *is_ours = changed > 0;
    return E_OK;
}

enum err idempotency_keep(struct tx *tx, str id, const struct kept *kept)
{
    static const char sql[] =
        "UPDATE idempotency SET status = $2, answer = $3, has_secret = $4 WHERE id = $1";

    return tx_exec(tx, sql,
                   BIND(TEXT(id), INT(kept->status), TEXT(kept->answer), INT(kept->has_secret)),
                   NULL);
}

enum err idempotency_find(struct cx *cx, struct tx *tx, str id, struct kept *out)
{
    static const char sql[] = "SELECT key_id, payload, status, answer, has_secret FROM idempotency"
                              " WHERE id = $1 AND expires_at_ms > $2";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(id), INT(cx->now_ms)), &rows));
    if (!rows_next(rows, &e))
        return e == E_OK ? E_ABSENT : e;
    *out = (struct kept){.key_id = arena_dup(cx->arena, rows_text(rows, 0)),
                         .payload = arena_dup(cx->arena, rows_text(rows, 1)),
                         .status = (int)rows_int(rows, 2),
                         .answer = arena_dup(cx->arena, rows_text(rows, 3)),
                         .has_secret = rows_int(rows, 4) != 0};
    return E_OK;
}

enum err idempotency_any_expired(struct tx *tx, int64_t now_ms, bool *out)
{
    static const char sql[] = "SELECT 1 FROM idempotency WHERE expires_at_ms <= $1 LIMIT 1";
    int64_t one = 0;
    enum err e = tx_one_int(tx, sql, BIND(INT(now_ms)), &one);

    *out = e == E_OK;
    return e == E_ABSENT ? E_OK : e;
}

/* The second look at the time is for PostgreSQL, where a claim may have taken an expired row over
 * while this waits for it: the rows to delete were chosen before. */
enum err idempotency_delete_expired(struct tx *tx, int64_t now_ms, int64_t most, int64_t *deleted)
{
    static const char sql[] = "DELETE FROM idempotency WHERE expires_at_ms <= $1 AND id IN"
                              " (SELECT id FROM idempotency WHERE expires_at_ms <= $1"
                              " ORDER BY expires_at_ms LIMIT $2)";

    return tx_exec(tx, sql, BIND(INT(now_ms), INT(most)), deleted);
}
