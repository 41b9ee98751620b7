/* The one row that is about the instance as a whole. */
#include "instance/queries.h"

enum err instance_find_key_id(struct cx *cx, struct tx *tx, str *out)
{
    static const char sql[] = "SELECT key_id FROM instance WHERE id = 1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(), &rows));
    if (!rows_next(rows, &e))
        return e == E_OK ? E_ABSENT : e;
    *out = arena_dup(cx->arena, rows_text(rows, 0));
    return E_OK;
}

enum err instance_insert_key_id(struct tx *tx, str id, int64_t now_ms, bool *is_first)
{
    static const char sql[] = "INSERT INTO instance (id, key_id, key_since_ms) VALUES (1, $1, $2)"
                              " ON CONFLICT (id) DO NOTHING";
    int64_t changed = 0;

    TRY(tx_exec(tx, sql, BIND(TEXT(id), INT(now_ms)), &changed));
    *is_first = changed > 0;
    return E_OK;
}

enum err instance_update_key_id(struct tx *tx, str id, int64_t now_ms)
{
    static const char sql[] = "UPDATE instance SET key_id = $1, key_since_ms = $2 WHERE id = 1";

    return tx_exec(tx, sql, BIND(TEXT(id), INT(now_ms)), NULL);
}
