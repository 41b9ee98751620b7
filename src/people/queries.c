/* Each SQL statement of people/, beside its binding and its reading. */
#include "people/queries.h"

static void read_employer(struct cx *cx, const struct rows *rows, struct employer *out)
{
    *out = (struct employer){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .name = arena_dup(cx->arena, rows_text(rows, 1)),
        .is_active = rows_int(rows, 2) != 0,
        .is_approved = rows_int(rows, 3) != 0,
        .created_at_ms = rows_int(rows, 4),
    };
}

static void read_user(struct cx *cx, const struct rows *rows, struct user *out)
{
    *out = (struct user){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .employer_id = arena_dup(cx->arena, rows_text(rows, 1)),
        .email = arena_dup(cx->arena, rows_text(rows, 2)),
        .role = role_find(rows_text(rows, 3)),
        .is_active = rows_int(rows, 4) != 0,
        .created_at_ms = rows_int(rows, 5),
    };
}

enum err people_insert_employer(struct tx *tx, const struct employer *employer)
{
    static const char sql[] = "INSERT INTO employer (id, name, is_active, is_approved,"
                              " created_at_ms) VALUES ($1, $2, $3, $4, $5)";

    return tx_exec(tx, sql,
                   BIND(TEXT(employer->id), TEXT(employer->name), INT(employer->is_active),
                        INT(employer->is_approved), INT(employer->created_at_ms)),
                   NULL);
}

enum err people_find_employer(struct cx *cx, struct tx *tx, str id, struct employer *out)
{
    static const char sql[] =
        "SELECT id, name, is_active, is_approved, created_at_ms FROM employer WHERE id = $1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    read_employer(cx, rows, out);
    return E_OK;
}

enum err people_list_employers(struct cx *cx, struct tx *tx, str after, int64_t limit,
                               struct employer_list *out)
{
    static const char sql[] = "SELECT id, name, is_active, is_approved, created_at_ms FROM employer"
                              " WHERE id > $1 ORDER BY id LIMIT $2";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct employer_list){
        .list = arena_array(cx->arena, (size_t)limit, sizeof(struct employer))};
    TRY(tx_query(tx, sql, BIND(TEXT(str_is_none(after) ? S("") : after), INT(limit + 1)), &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)limit) {
            out->has_more = true;
            break;
        }
        read_employer(cx, rows, &out->list[out->n++]);
    }
    return e;
}

enum err people_update_employer(struct tx *tx, const struct employer *employer)
{
    static const char sql[] =
        "UPDATE employer SET name = $2, is_active = $3, is_approved = $4 WHERE id = $1";

    return tx_exec(tx, sql,
                   BIND(TEXT(employer->id), TEXT(employer->name), INT(employer->is_active),
                        INT(employer->is_approved)),
                   NULL);
}

enum err people_insert_user(struct tx *tx, const struct user *user)
{
    static const char sql[] =
        "INSERT INTO person (id, employer_id, role, email, email_folded, password_hash, is_active,"
        " created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";

    return tx_exec(tx, sql,
                   BIND(TEXT(user->id), TEXT(user->employer_id), TEXT(role_text(user->role)),
                        TEXT(user->email), TEXT(user->email_folded), TEXT(user->password_hash),
                        INT(user->is_active), INT(user->created_at_ms)),
                   NULL);
}

enum err people_find_user(struct cx *cx, struct tx *tx, str id, struct user *out)
{
    static const char sql[] = "SELECT id, employer_id, email, role, is_active, created_at_ms"
                              " FROM person WHERE id = $1 AND role <> 'PATIENT'";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    read_user(cx, rows, out);
    return E_OK;
}

enum err people_list_users(struct cx *cx, struct tx *tx, str employer_id, str after, int64_t limit,
                           struct user_list *out)
{
    static const char sql[] = "SELECT id, employer_id, email, role, is_active, created_at_ms"
                              " FROM person WHERE role <> 'PATIENT'"
                              " AND ($1 = '' OR employer_id = $1) AND id > $2 ORDER BY id LIMIT $3";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct user_list){.list = arena_array(cx->arena, (size_t)limit, sizeof(struct user))};
    TRY(tx_query(tx, sql,
                 BIND(TEXT(str_is_none(employer_id) ? S("") : employer_id),
                      TEXT(str_is_none(after) ? S("") : after), INT(limit + 1)),
                 &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)limit) {
            out->has_more = true;
            break;
        }
        read_user(cx, rows, &out->list[out->n++]);
    }
    return e;
}

enum err people_update_user(struct tx *tx, const struct user *user, int64_t now_ms)
{
    static const char sql[] =
        "UPDATE person SET role = $2, is_active = $3, updated_at_ms = $4 WHERE id = $1";

    return tx_exec(
        tx, sql,
        BIND(TEXT(user->id), TEXT(role_text(user->role)), INT(user->is_active), INT(now_ms)), NULL);
}

enum err people_count_active_admins(struct tx *tx, int64_t *out)
{
    static const char sql[] = "SELECT count(*) FROM person WHERE role = 'ADMIN' AND is_active = 1";

    return tx_one_int(tx, sql, BIND(), out);
}

enum err people_count_admins(struct tx *tx, int64_t *out)
{
    static const char sql[] = "SELECT count(*) FROM person WHERE role = 'ADMIN'";

    return tx_one_int(tx, sql, BIND(), out);
}
