/* Each SQL statement of issuers/, beside its binding and its reading. */
#include "issuers/queries.h"

enum err issuers_insert_revoked(struct tx *tx, str issuer, str sid, int64_t now_ms,
                                int64_t ends_at_ms)
{
    static const char sql[] =
        "INSERT INTO revoked_token_session (issuer, sid, revoked_at_ms, ends_at_ms)"
        " VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (issuer, sid) DO UPDATE SET ends_at_ms = excluded.ends_at_ms";

    return tx_exec(tx, sql, BIND(TEXT(issuer), TEXT(sid), INT(now_ms), INT(ends_at_ms)), NULL);
}

enum err issuers_is_revoked(struct tx *tx, str issuer, str sid, int64_t now_ms, bool *out)
{
    static const char sql[] = "SELECT count(*) FROM revoked_token_session"
                              " WHERE issuer = $1 AND sid = $2 AND ends_at_ms > $3";
    int64_t n = 0;

    TRY(tx_one_int(tx, sql, BIND(TEXT(issuer), TEXT(sid), INT(now_ms)), &n));
    *out = n > 0;
    return E_OK;
}

enum err issuers_delete_ended(struct tx *tx, int64_t now_ms)
{
    static const char sql[] = "DELETE FROM revoked_token_session WHERE ends_at_ms <= $1";

    return tx_exec(tx, sql, BIND(INT(now_ms)), NULL);
}
