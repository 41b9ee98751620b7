/* Each SQL statement of people/, beside its binding and its reading. */
#include "people/queries.h"

#define EMPLOYER_COLUMNS " id, name, is_active, is_approved, created_at_ms, plan_id, places"

static void read_employer(struct cx *cx, const struct rows *rows, struct employer *out)
{
    *out = (struct employer){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .name = arena_dup(cx->arena, rows_text(rows, 1)),
        .is_active = rows_int(rows, 2) != 0,
        .is_approved = rows_int(rows, 3) != 0,
        .created_at_ms = rows_int(rows, 4),
        .plan_id = arena_dup(cx->arena, rows_text(rows, 5)),
        .places = arena_dup(cx->arena, rows_text(rows, 6)),
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
    static const char sql[] = "SELECT" EMPLOYER_COLUMNS " FROM employer WHERE id = $1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    read_employer(cx, rows, out);
    return people_list_identities(cx, tx, IDENTITY_OF_EMPLOYER, id, &out->identities);
}

enum err people_list_employers(struct cx *cx, struct tx *tx, str only, str after, int64_t limit,
                               struct employer_list *out)
{
    static const char sql[] = "SELECT" EMPLOYER_COLUMNS " FROM employer"
                              " WHERE id > $1 AND ($3 = '' OR id = $3) ORDER BY id LIMIT $2";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct employer_list){
        .list = arena_array(cx->arena, (size_t)limit, sizeof(struct employer))};
    TRY(tx_query(tx, sql,
                 BIND(TEXT(str_is_none(after) ? S("") : after), INT(limit + 1),
                      TEXT(str_is_none(only) ? S("") : only)),
                 &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)limit) {
            out->has_more = true;
            break;
        }
        read_employer(cx, rows, &out->list[out->n++]);
    }
    TRY(e);
    for (size_t i = 0; i < out->n; i++)
        TRY(people_list_identities(cx, tx, IDENTITY_OF_EMPLOYER, out->list[i].id,
                                   &out->list[i].identities));
    return E_OK;
}

enum err people_update_employer(struct tx *tx, const struct employer *employer)
{
    static const char sql[] =
        "UPDATE employer SET name = $2, is_active = $3, is_approved = $4, plan_id = $5,"
        " places = $6 WHERE id = $1";

    return tx_exec(tx, sql,
                   BIND(TEXT(employer->id), TEXT(employer->name), INT(employer->is_active),
                        INT(employer->is_approved), TEXT(employer->plan_id),
                        TEXT(employer->places)),
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
    return people_list_identities(cx, tx, IDENTITY_OF_USER, id, &out->identities);
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
    TRY(e);
    for (size_t i = 0; i < out->n; i++)
        TRY(people_list_identities(cx, tx, IDENTITY_OF_USER, out->list[i].id,
                                   &out->list[i].identities));
    return E_OK;
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

/* ---- identities ---- */

static struct identity read_identity(struct cx *cx, const struct rows *rows)
{
    return (struct identity){.issuer = arena_dup(cx->arena, rows_text(rows, 0)),
                             .id = arena_dup(cx->arena, rows_text(rows, 1))};
}

enum err people_list_identities(struct cx *cx, struct tx *tx, enum identity_kind kind, str owner_id,
                                struct identities *out)
{
    static const char of_user[] = "SELECT issuer, external_id FROM user_identity"
                                  " WHERE person_id = $1 ORDER BY issuer, external_id LIMIT $2";
    static const char of_employer[] = "SELECT issuer, external_id FROM employer_identity"
                                      " WHERE employer_id = $1 ORDER BY issuer, external_id"
                                      " LIMIT $2";
    DROP(rows) struct rows *rows = NULL;
    struct identity list[IDENTITIES_MAX];
    size_t n = 0;
    enum err e = E_OK;

    TRY(tx_query(tx, kind == IDENTITY_OF_USER ? of_user : of_employer,
                 BIND(TEXT(owner_id), INT(IDENTITIES_MAX)), &rows));
    while (n < IDENTITIES_MAX && rows_next(rows, &e))
        list[n++] = read_identity(cx, rows);
    TRY(e);
    out->n = n;
    out->list = arena_array(cx->arena, n, sizeof *list);
    for (size_t i = 0; i < n; i++)
        out->list[i] = list[i];
    return E_OK;
}

enum err people_delete_identities(struct tx *tx, enum identity_kind kind, str owner_id)
{
    static const char of_user[] = "DELETE FROM user_identity WHERE person_id = $1";
    static const char of_employer[] = "DELETE FROM employer_identity WHERE employer_id = $1";

    return tx_exec(tx, kind == IDENTITY_OF_USER ? of_user : of_employer, BIND(TEXT(owner_id)),
                   NULL);
}

enum err people_insert_identity(struct tx *tx, enum identity_kind kind,
                                const struct identity *identity, str owner_id, int64_t now_ms,
                                bool *is_new)
{
    static const char of_user[] =
        "INSERT INTO user_identity (issuer, external_id, person_id, created_at_ms)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    static const char of_employer[] =
        "INSERT INTO employer_identity (issuer, external_id, employer_id, created_at_ms)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    int64_t changed = 0;

    TRY(tx_exec(tx, kind == IDENTITY_OF_USER ? of_user : of_employer,
                BIND(TEXT(identity->issuer), TEXT(identity->id), TEXT(owner_id), INT(now_ms)),
                &changed));
    *is_new = changed > 0;
    return E_OK;
}

static enum err read_known_user(struct cx *cx, struct rows *rows, struct known_user *out)
{
    enum err e = E_OK;

    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *out = (struct known_user){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .email = arena_dup(cx->arena, rows_text(rows, 1)),
        .employer_id = arena_dup(cx->arena, rows_text(rows, 2)),
        .role = role_find(rows_text(rows, 3)),
        .is_active = rows_int(rows, 4) != 0,
        .employer_is_active = rows_int(rows, 5) != 0,
    };
    return E_OK;
}

enum err people_find_by_identity(struct cx *cx, struct tx *tx, const struct identity *identity,
                                 struct known_user *out)
{
    static const char sql[] =
        "SELECT p.id, p.email, p.employer_id, p.role, p.is_active, e.is_active"
        " FROM user_identity i JOIN person p ON p.id = i.person_id"
        " JOIN employer e ON e.id = p.employer_id WHERE i.issuer = $1 AND i.external_id = $2";
    DROP(rows) struct rows *rows = NULL;

    TRY(tx_query(tx, sql, BIND(TEXT(identity->issuer), TEXT(identity->id)), &rows));
    return read_known_user(cx, rows, out);
}

enum err people_find_by_email(struct cx *cx, struct tx *tx, str email_folded,
                              struct known_user *out)
{
    static const char sql[] =
        "SELECT p.id, p.email, p.employer_id, p.role, p.is_active, e.is_active FROM person p"
        " JOIN employer e ON e.id = p.employer_id WHERE p.email_folded = $1";
    DROP(rows) struct rows *rows = NULL;

    TRY(tx_query(tx, sql, BIND(TEXT(email_folded)), &rows));
    return read_known_user(cx, rows, out);
}

enum err people_find_employer_by_identity(struct cx *cx, struct tx *tx,
                                          const struct identity *identity, str *employer_id)
{
    static const char sql[] =
        "SELECT employer_id FROM employer_identity WHERE issuer = $1 AND external_id = $2";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(identity->issuer), TEXT(identity->id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *employer_id = arena_dup(cx->arena, rows_text(rows, 0));
    return E_OK;
}
