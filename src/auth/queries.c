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

enum err auth_get_account(struct cx *cx, struct tx *tx, str id, struct account *out)
{
    static const char sql[] = "SELECT" ACCOUNT_COLUMNS " FROM person p"
                              " JOIN employer e ON e.id = p.employer_id"
                              " WHERE p.id = $1 AND p.role <> 'PATIENT'";
    DROP(rows) struct rows *rows = NULL;

    TRY(tx_query(tx, sql, BIND(TEXT(id)), &rows));
    return read_account(cx, rows, out);
}

enum err auth_change_password(struct tx *tx, str person_id, str before, str after, int64_t now_ms,
                              bool *changed)
{
    static const char sql[] = "UPDATE person SET password_hash = $1, updated_at_ms = $2"
                              " WHERE id = $3 AND password_hash = $4";
    int64_t n = 0;

    TRY(tx_exec(tx, sql, BIND(TEXT(after), INT(now_ms), TEXT(person_id), TEXT(before)), &n));
    *changed = n == 1;
    return E_OK;
}

enum err auth_set_password(struct tx *tx, str person_id, str hash, int64_t now_ms)
{
    static const char sql[] =
        "UPDATE person SET password_hash = $1, updated_at_ms = $2 WHERE id = $3";

    return tx_exec(tx, sql, BIND(TEXT(hash), INT(now_ms), TEXT(person_id)), NULL);
}

/* ---- sessions ---- */

enum err auth_insert_session(struct tx *tx, const struct session *session)
{
    static const char sql[] = "INSERT INTO session (id, digest, person_id, created_at_ms,"
                              " expires_at_ms, address, user_agent)"
                              " VALUES ($1, $2, $3, $4, $5, $6, $7)";
    char hex[2 * SHA256_BYTES];

    return tx_exec(tx, sql,
                   BIND(TEXT(session->id), TEXT(digest_text(&session->digest, hex)),
                        TEXT(session->person_id), INT(session->created_at_ms),
                        INT(session->expires_at_ms), TEXT(session->address),
                        TEXT(session->user_agent)),
                   NULL);
}

static void read_session(struct cx *cx, const struct rows *rows, struct session *out)
{
    *out = (struct session){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .person_id = arena_dup(cx->arena, rows_text(rows, 1)),
        .created_at_ms = rows_int(rows, 2),
        .expires_at_ms = rows_int(rows, 3),
        .address = arena_dup(cx->arena, rows_text(rows, 4)),
        .user_agent = arena_dup(cx->arena, rows_text(rows, 5)),
        .is_current = rows_int(rows, 6) != 0,
    };
}

enum err auth_list_sessions(struct cx *cx, struct tx *tx, const struct session_page *page,
                            struct session_list *out)
{
    static const char sql[] =
        "SELECT id, person_id, created_at_ms, expires_at_ms, address, user_agent,"
        " CASE WHEN digest = $3 THEN 1 ELSE 0 END"
        " FROM session WHERE person_id = $1 AND expires_at_ms > $2 AND ($4 = '' OR id < $4)"
        " ORDER BY id DESC LIMIT $5";
    DROP(rows) struct rows *rows = NULL;
    char hex[2 * SHA256_BYTES];
    enum err e = E_OK;

    *out = (struct session_list){
        .list = arena_array(cx->arena, (size_t)page->limit, sizeof *out->list)};
    TRY(tx_query(tx, sql,
                 BIND(TEXT(page->person_id), INT(cx->now_ms),
                      TEXT(page->current ? digest_text(page->current, hex) : S("")),
                      TEXT(str_is_none(page->after) ? S("") : page->after), INT(page->limit + 1)),
                 &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)page->limit) {
            out->has_more = true;
            break;
        }
        read_session(cx, rows, &out->list[out->n++]);
    }
    return e;
}

enum err auth_end_session(struct tx *tx, str person_id, str id, int64_t *ended)
{
    static const char sql[] = "DELETE FROM session WHERE person_id = $1 AND id = $2";

    return tx_exec(tx, sql, BIND(TEXT(person_id), TEXT(id)), ended);
}

enum err auth_end_other_sessions(struct tx *tx, str person_id, const struct sha256 *digest,
                                 int64_t *ended)
{
    static const char sql[] = "DELETE FROM session WHERE person_id = $1 AND digest <> $2";
    char hex[2 * SHA256_BYTES];

    return tx_exec(tx, sql, BIND(TEXT(person_id), TEXT(digest_text(digest, hex))), ended);
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

enum err auth_end_sessions(struct tx *tx, str person_id, int64_t *ended)
{
    static const char sql[] = "DELETE FROM session WHERE person_id = $1";

    return tx_exec(tx, sql, BIND(TEXT(person_id)), ended);
}

enum err auth_shut_out(struct tx *tx, str person_id, int64_t *ended)
{
    TRY(auth_delete_reset_of(tx, person_id));
    return auth_end_sessions(tx, person_id, ended);
}

/* ---- links to set a password ---- */

enum err auth_put_reset(struct tx *tx, const struct sha256 *digest, str person_id, int64_t now_ms,
                        int64_t expires_at_ms)
{
    static const char sql[] =
        "INSERT INTO password_reset (digest, person_id, created_at_ms, expires_at_ms)"
        " VALUES ($1, $2, $3, $4)";
    char hex[2 * SHA256_BYTES];

    TRY(auth_delete_reset_of(tx, person_id));
    return tx_exec(
        tx, sql,
        BIND(TEXT(digest_text(digest, hex)), TEXT(person_id), INT(now_ms), INT(expires_at_ms)),
        NULL);
}

enum err auth_find_reset(struct cx *cx, struct tx *tx, const struct sha256 *digest, str *person_id)
{
    static const char sql[] =
        "SELECT person_id FROM password_reset WHERE digest = $1 AND expires_at_ms > $2";
    DROP(rows) struct rows *rows = NULL;
    char hex[2 * SHA256_BYTES];
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(digest_text(digest, hex)), INT(cx->now_ms)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *person_id = arena_dup(cx->arena, rows_text(rows, 0));
    return E_OK;
}

enum err auth_delete_reset_of(struct tx *tx, str person_id)
{
    static const char sql[] = "DELETE FROM password_reset WHERE person_id = $1";

    return tx_exec(tx, sql, BIND(TEXT(person_id)), NULL);
}

enum err auth_delete_expired(struct tx *tx, int64_t now_ms)
{
    static const char sessions[] = "DELETE FROM session WHERE expires_at_ms <= $1";
    static const char resets[] = "DELETE FROM password_reset WHERE expires_at_ms <= $1";

    TRY(tx_exec(tx, sessions, BIND(INT(now_ms)), NULL));
    return tx_exec(tx, resets, BIND(INT(now_ms)), NULL);
}
