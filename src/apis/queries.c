/* Each SQL statement of apis/, beside its binding and its reading. */
#include "apis/queries.h"

#define API_COLUMNS                                                                                \
    " id, name, audience, key_prefix, credential, places, holds_imported, next_scope,"             \
    " created_at_ms, updated_at_ms"
#define SCOPE_COLUMNS                                                                              \
    " id, api_id, scope_key, description, number, bit, created_at_ms, updated_at_ms"

static struct api_row read_api(const struct rows *rows)
{
    return (struct api_row){
        .id = rows_text(rows, 0),
        .name = rows_text(rows, 1),
        .audience = rows_text(rows, 2),
        .key_prefix = rows_text(rows, 3),
        .credential_field = rows_text(rows, 4),
        .places = rows_text(rows, 5),
        .holds_imported = rows_int(rows, 6) != 0,
        .next_scope = rows_int(rows, 7),
        .created_at_ms = rows_int(rows, 8),
        .updated_at_ms = rows_int(rows, 9),
    };
}

static struct scope_row read_scope(const struct rows *rows)
{
    return (struct scope_row){
        .id = rows_text(rows, 0),
        .api_id = rows_text(rows, 1),
        .key = rows_text(rows, 2),
        .description = rows_text(rows, 3),
        .number = rows_int(rows, 4),
        .bit = rows_int(rows, 5),
        .created_at_ms = rows_int(rows, 6),
        .updated_at_ms = rows_int(rows, 7),
    };
}

/* With its length, so that no two lists of texts are written alike. */
static void put(struct sha256_run *digest, str text)
{
    char length[STR_INT_BYTES];

    digest_put(digest, (str){length, str_write_int((int64_t)text.n, length)});
    digest_put(digest, S(":"));
    digest_put(digest, text);
}

static void put_int(struct sha256_run *digest, int64_t value)
{
    char text[STR_INT_BYTES];

    put(digest, (str){text, str_write_int(value, text)});
}

static void put_api(struct sha256_run *digest, const struct api_row *api)
{
    put(digest, api->id);
    put(digest, api->name);
    put(digest, api->audience);
    put(digest, api->key_prefix);
    put(digest, api->credential_field);
    put(digest, api->places);
    put_int(digest, api->holds_imported);
}

static void put_scope(struct sha256_run *digest, const struct scope_row *scope)
{
    put(digest, scope->id);
    put(digest, scope->api_id);
    put(digest, scope->key);
    put(digest, scope->description);
    put_int(digest, scope->number);
    put_int(digest, scope->bit);
}

static enum err read_apis(struct tx *tx, apis_note note, void *arg, struct sha256_run *digest)
{
    static const char sql[] =
        "SELECT" API_COLUMNS " FROM api WHERE deleted_at_ms = 0 ORDER BY created_at_ms, id";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(), &rows));
    while (rows_next(rows, &e)) {
        struct api_row api = read_api(rows);
        put_api(digest, &api);
        note(&api, NULL, arg);
    }
    return e;
}

enum err apis_read_all(struct tx *tx, apis_note note, void *arg, struct sha256_run *digest)
{
    static const char sql[] = "SELECT" SCOPE_COLUMNS " FROM api_scope ORDER BY api_id, bit";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(read_apis(tx, note, arg, digest));
    TRY(tx_query(tx, sql, BIND(), &rows));
    while (rows_next(rows, &e)) {
        struct scope_row scope = read_scope(rows);
        put_scope(digest, &scope);
        note(NULL, &scope, arg);
    }
    return e;
}

enum err apis_insert(struct tx *tx, const struct api_row *api)
{
    static const char sql[] =
        "INSERT INTO api (id, name, audience, key_prefix, credential, places, holds_imported,"
        " next_scope, created_at_ms, updated_at_ms, deleted_at_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)";

    return tx_exec(tx, sql,
                   BIND(TEXT(api->id), TEXT(api->name), TEXT(api->audience), TEXT(api->key_prefix),
                        TEXT(api->credential_field), TEXT(api->places), INT(api->holds_imported),
                        INT(api->next_scope), INT(api->created_at_ms), INT(api->updated_at_ms)),
                   NULL);
}

enum err apis_count(struct tx *tx, int64_t *out)
{
    return tx_one_int(tx, "SELECT count(*) FROM api WHERE deleted_at_ms = 0", BIND(), out);
}

enum err apis_hold(struct cx *cx, struct tx *tx, str id, struct api_row *out)
{
    static const char sqlite[] =
        "SELECT" API_COLUMNS " FROM api WHERE id = $1 AND deleted_at_ms = 0";
    static const char postgres[] =
        "SELECT" API_COLUMNS " FROM api WHERE id = $1 AND deleted_at_ms = 0 FOR UPDATE";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, tx_either(tx, sqlite, postgres), BIND(TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *out = read_api(rows);
    out->id = arena_dup(cx->arena, out->id);
    out->name = arena_dup(cx->arena, out->name);
    out->audience = arena_dup(cx->arena, out->audience);
    out->key_prefix = arena_dup(cx->arena, out->key_prefix);
    out->credential_field = arena_dup(cx->arena, out->credential_field);
    out->places = arena_dup(cx->arena, out->places);
    return E_OK;
}

enum err apis_update(struct tx *tx, const struct api_row *api)
{
    static const char sql[] = "UPDATE api SET name = $2, key_prefix = $3, credential = $4,"
                              " places = $5, next_scope = $6, updated_at_ms = $7 WHERE id = $1";

    return tx_exec(tx, sql,
                   BIND(TEXT(api->id), TEXT(api->name), TEXT(api->key_prefix),
                        TEXT(api->credential_field), TEXT(api->places), INT(api->next_scope),
                        INT(api->updated_at_ms)),
                   NULL);
}

enum err apis_mark_deleted(struct tx *tx, str id, int64_t now_ms)
{
    static const char sql[] = "UPDATE api SET deleted_at_ms = $2, updated_at_ms = $2 WHERE id = $1";

    return tx_exec(tx, sql, BIND(TEXT(id), INT(now_ms)), NULL);
}

enum err apis_mark_imported(struct tx *tx, str id, int64_t now_ms)
{
    static const char sql[] = "UPDATE api SET holds_imported = 1, updated_at_ms = $2"
                              " WHERE id = $1 AND holds_imported = 0";

    return tx_exec(tx, sql, BIND(TEXT(id), INT(now_ms)), NULL);
}

enum err scopes_insert(struct tx *tx, const struct scope_row *scope)
{
    static const char sql[] =
        "INSERT INTO api_scope (id, api_id, scope_key, description, number, bit, created_at_ms,"
        " updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";

    return tx_exec(tx, sql,
                   BIND(TEXT(scope->id), TEXT(scope->api_id), TEXT(scope->key),
                        TEXT(scope->description), INT(scope->number), INT(scope->bit),
                        INT(scope->created_at_ms)),
                   NULL);
}

enum err scopes_find(struct cx *cx, struct tx *tx, str api_id, str id, struct scope_row *out)
{
    static const char sql[] =
        "SELECT" SCOPE_COLUMNS " FROM api_scope WHERE api_id = $1 AND id = $2";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(api_id), TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    *out = read_scope(rows);
    out->id = arena_dup(cx->arena, out->id);
    out->api_id = arena_dup(cx->arena, out->api_id);
    out->key = arena_dup(cx->arena, out->key);
    out->description = arena_dup(cx->arena, out->description);
    return E_OK;
}

enum err scopes_find_room(struct tx *tx, str api_id, int64_t *bit)
{
    static const char sql[] = "SELECT bit FROM api_scope WHERE api_id = $1 ORDER BY bit";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *bit = 0;
    TRY(tx_query(tx, sql, BIND(TEXT(api_id)), &rows));
    while (rows_next(rows, &e) && rows_int(rows, 0) == *bit)
        ++*bit;
    return e;
}

enum err scopes_update(struct tx *tx, const struct scope_row *scope)
{
    static const char sql[] =
        "UPDATE api_scope SET description = $2, updated_at_ms = $3 WHERE id = $1";

    return tx_exec(
        tx, sql, BIND(TEXT(scope->id), TEXT(scope->description), INT(scope->updated_at_ms)), NULL);
}

enum err scopes_delete(struct tx *tx, str id)
{
    return tx_exec(tx, "DELETE FROM api_scope WHERE id = $1", BIND(TEXT(id)), NULL);
}

#define USES                                                                                       \
    " FROM api_key WHERE api_id = $1 AND revoked_at_ms = 0"                                        \
    " AND ($2 = '' OR ' ' || scopes || ' ' LIKE '% ' || $2 || ' %')"

enum err apis_find_use(struct cx *cx, struct tx *tx, str api_id, str word, struct api_use *out)
{
    static const char count[] = "SELECT count(*)" USES;
    static const char list[] = "SELECT id" USES " ORDER BY created_at_ms, id LIMIT $3";
    DROP(rows) struct rows *rows = NULL;
    str wanted = str_is_none(word) ? S("") : word;
    enum err e = E_OK;

    *out = (struct api_use){.ids = arena_array(cx->arena, API_USE_SHOWN, sizeof *out->ids)};
    TRY(tx_one_int(tx, count, BIND(TEXT(api_id), TEXT(wanted)), &out->n));
    TRY(tx_query(tx, list, BIND(TEXT(api_id), TEXT(wanted), INT(API_USE_SHOWN)), &rows));
    while (rows_next(rows, &e))
        out->ids[out->n_ids++] = arena_dup(cx->arena, rows_text(rows, 0));
    return e;
}

enum err apis_revoke_keys(struct tx *tx, str api_id, int64_t now_ms)
{
    static const char sql[] = "UPDATE api_key SET revoked_at_ms = $2, updated_at_ms = $2"
                              " WHERE api_id = $1 AND revoked_at_ms = 0";

    return tx_exec(tx, sql, BIND(TEXT(api_id), INT(now_ms)), NULL);
}
