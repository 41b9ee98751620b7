/* Each SQL statement of auth/, beside its binding and its reading. */
#include "auth/queries.h"

#define ACCOUNT_COLUMNS                                                                            \
    " p.id, p.employer_id, p.email, p.role, p.password_hash, p.is_active, e.is_active"

static enum err read_account(struct cx *cx, struct rows *rows, struct account *out)
{
    enum err e = E_OK;

    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *out = (struct account){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .employer_id = arena_dup(cx->arena, rows_text(rows, 1)),
        .email = arena_dup(cx->arena, rows_text(rows, 2)),
        .role = role_find(rows_text(rows, 3)),
        .password_hash = arena_dup(cx->arena, rows_text(rows, 4)),
        .is_active = rows_int(rows, 5) != 0,
        .employer_is_active = rows_int(rows, 6) != 0,
    };
    return E_OK;
}

static str digest_text(const struct sha256 *digest, char out[2 * SHA256_BYTES])
{
    hex_write(digest->bytes, SHA256_BYTES, out);
    return (str){out, 2 * SHA256_BYTES};
}

enum err auth_find_account(struct cx *cx, struct tx *tx, str email_folded, struct account *out)
{
    static const char sql[] = "SELECT" ACCOUNT_COLUMNS " FROM person p"
                              " JOIN employer e ON e.id = p.employer_id WHERE p.email_folded = $1";
    DROP(rows) struct rows *rows = NULL;

    TRY(tx_query(tx, sql, BIND(TEXT(email_folded)), &rows));
    return read_account(cx, rows, out);
}

enum err auth_insert_session(struct tx *tx, const struct sha256 *digest, str person_id,
                             int64_t now_ms, int64_t expires_at_ms)
{
    static const char sql[] =
        "INSERT INTO session (digest, person_id, created_at_ms, expires_at_ms)"
        " VALUES ($1, $2, $3, $4)";
    char hex[2 * SHA256_BYTES];

    return tx_exec(
        tx, sql,
        BIND(TEXT(digest_text(digest, hex)), TEXT(person_id), INT(now_ms), INT(expires_at_ms)),
        NULL);
}

enum err auth_find_by_session(struct cx *cx, struct tx *tx, const struct sha256 *digest,
                              struct account *out)
{
    static const char sql[] =
        "SELECT" ACCOUNT_COLUMNS " FROM session s JOIN person p ON p.id = s.person_id"
        " JOIN employer e ON e.id = p.employer_id WHERE s.digest = $1 AND s.expires_at_ms > $2";
    DROP(rows) struct rows *rows = NULL;
    char hex[2 * SHA256_BYTES];

    TRY(tx_query(tx, sql, BIND(TEXT(digest_text(digest, hex)), INT(cx->now_ms)), &rows));
    return read_account(cx, rows, out);
}

enum err auth_delete_session(struct tx *tx, const struct sha256 *digest)
{
    static const char sql[] = "DELETE FROM session WHERE digest = $1";
    char hex[2 * SHA256_BYTES];

    return tx_exec(tx, sql, BIND(TEXT(digest_text(digest, hex))), NULL);
}

enum err auth_end_sessions_of(struct tx *tx, str person_id, int64_t *ended)
{
    static const char sql[] = "DELETE FROM session WHERE person_id = $1";

    return tx_exec(tx, sql, BIND(TEXT(person_id)), ended);
}

enum err auth_delete_expired(struct tx *tx, int64_t now_ms)
{
    static const char sql[] = "DELETE FROM session WHERE expires_at_ms <= $1";

    return tx_exec(tx, sql, BIND(INT(now_ms)), NULL);
}
