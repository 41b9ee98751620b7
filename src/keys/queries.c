/* Each SQL statement of keys/, beside its binding and its reading. */
#include "keys/queries.h"

#include "keys/columns.h"
#include "keys/scopes.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

void keys_read_row(struct cx *cx, const struct rows *rows, struct key *out)
{
    *out = (struct key){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .employer_id = arena_dup(cx->arena, rows_text(rows, 1)),
        .name = arena_dup(cx->arena, rows_text(rows, 2)),
        .is_active = rows_int(rows, 5) != 0,
        .not_before_ms = rows_int(rows, 6),
        .expires_at_ms = rows_int(rows, 7),
        .rate = {rows_int(rows, 8), rows_int(rows, 9), (enum rate_algorithm)rows_int(rows, 10)},
        .prefix = arena_dup(cx->arena, rows_text(rows, 11)),
        .suffix = arena_dup(cx->arena, rows_text(rows, 12)),
        .created_at_ms = rows_int(rows, 13),
        .created_by = arena_dup(cx->arena, rows_text(rows, 14)),
        .updated_at_ms = rows_int(rows, 15),
        .rotated_at_ms = rows_int(rows, 16),
        .revoked_at_ms = rows_int(rows, 17),
        .last_used_at_ms = rows_int(rows, 18),
        .last_used_ip = arena_dup(cx->arena, rows_text(rows, 19)),
        .request_count = rows_int(rows, 20),
        .api_id = arena_dup(cx->arena, rows_text(rows, 21)),
        .owner_id = arena_dup(cx->arena, rows_text(rows, 22)),
        .is_instance = rows_int(rows, 23) != 0,
        .places = arena_dup(cx->arena, rows_text(rows, 24)),
        .metadata = arena_dup(cx->arena, rows_text(rows, 25)),
        .previous_ends_at_ms = rows_int(rows, 26),
    };
    key_cidrs_parse(cx->arena, rows_text(rows, 4), &out->cidrs, &out->n_cidrs);
    key_scopes_read(cx->arena, rows_text(rows, 3), out);
}

static str digest_text(const struct sha256 *digest, char out[2 * SHA256_BYTES])
{
    hex_write(digest->bytes, SHA256_BYTES, out);
    return (str){out, 2 * SHA256_BYTES};
}

enum err keys_insert(struct tx *tx, const struct key *key)
{
    static const char sql[] =
        "INSERT INTO api_key (id, employer_id, name, scopes, cidrs, is_active, not_before_ms,"
        " expires_at_ms, rate_requests, rate_window_ms, rate_algorithm, key_prefix, key_suffix,"
        " created_at_ms, created_by, updated_at_ms, rotated_at_ms, revoked_at_ms,"
        " last_used_at_ms, last_used_ip, request_count, api_id, owner_id, is_instance, places,"
        " metadata)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $14, 0, 0, 0,"
        " NULL, 0, $16, $17, $18, $19, $20)";
    DROP(arena) struct arena *scratch = arena_new();

    return tx_exec(
        tx, sql,
        BIND(TEXT(key->id), TEXT(key->employer_id), TEXT(key->name), TEXT(key->scope_words),
             TEXT(key_cidrs_write(scratch, key->cidrs, key->n_cidrs)), INT(key->is_active),
             INT(key->not_before_ms), INT(key->expires_at_ms), INT(key->rate.requests),
             INT(key->rate.window_ms), INT(key->rate.algorithm), TEXT(key->prefix),
             TEXT(key->suffix), INT(key->created_at_ms), TEXT(key->created_by), TEXT(key->api_id),
             TEXT(key->owner_id), INT(key->is_instance), TEXT(key->places), TEXT(key->metadata)),
        NULL);
}

enum err keys_insert_secret(struct tx *tx, str key_id, const struct key_secret *secret,
                            int64_t now_ms)
{
    static const char sql[] =
        "INSERT INTO api_key_secret (digest, key_id, created_at_ms, rotated_at_ms, ends_at_ms,"
        " is_imported) VALUES ($1, $2, $3, 0, 0, $4)";
    char hex[2 * SHA256_BYTES];

    return tx_exec(tx, sql,
                   BIND(TEXT(digest_text(&secret->digest, hex)), TEXT(key_id), INT(now_ms),
                        INT(secret->is_imported + secret->is_sha512)),
                   NULL);
}

enum err keys_count_secrets(struct tx *tx, int64_t *out)
{
    return tx_one_int(tx, "SELECT count(*) FROM api_key_secret", BIND(), out);
}

static bool parse_digest(str hex, struct sha256 *out)
{
    for (size_t i = 0; i < SHA256_BYTES && hex.n == 2 * SHA256_BYTES; i++)
        out->bytes[i] = (uint8_t)(hex_value(hex.p[2 * i]) << 4 | hex_value(hex.p[2 * i + 1]));
    return hex.n == 2 * SHA256_BYTES;
}

enum err keys_page_digests(struct tx *tx, const struct sha256 *after, int64_t max,
                           struct sha256 *out, size_t *n)
{
    static const char sql[] =
        "SELECT digest FROM api_key_secret WHERE digest > $1 ORDER BY digest LIMIT $2";
    DROP(rows) struct rows *rows = NULL;
    char hex[2 * SHA256_BYTES];
    enum err e = E_OK;

    *n = 0;
    TRY(tx_query(tx, sql, BIND(TEXT(digest_text(after, hex)), INT(max)), &rows));
    while (*n < (size_t)max && rows_next(rows, &e))
        *n += parse_digest(rows_text(rows, 0), &out[*n]);
    return e;
}

enum err keys_count_live(struct tx *tx, str employer_id, int64_t *out)
{
    static const char sql[] =
        "SELECT count(*) FROM api_key WHERE employer_id = $1 AND revoked_at_ms = 0";

    return tx_one_int(tx, sql, BIND(TEXT(employer_id)), out);
}

enum err keys_find(struct cx *cx, struct tx *tx, str employer_id, str id, struct key *out)
{
    static const char sql[] =
        "SELECT" KEY_COLUMNS " FROM api_key k WHERE k.employer_id = $1 AND k.id = $2"
        " AND k.api_id = '" KEYS_ENTERPRISE_API "'";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(employer_id), TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    keys_read_row(cx, rows, out);
    return E_OK;
}

enum err keys_list(struct cx *cx, struct tx *tx, str employer_id, str after, int64_t limit,
                   struct key_list *out)
{
    static const char sql[] = "SELECT" KEY_COLUMNS " FROM api_key k"
                              " WHERE k.employer_id = $1 AND ($2 = '' OR k.id < $2)"
                              " AND k.api_id = '" KEYS_ENTERPRISE_API "'"
                              " ORDER BY k.id DESC LIMIT $3";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct key_list){.list = arena_array(cx->arena, (size_t)limit, sizeof(struct key))};
    TRY(tx_query(tx, sql,
                 BIND(TEXT(employer_id), TEXT(str_is_none(after) ? S("") : after), INT(limit + 1)),
                 &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)limit) {
            out->has_more = true;
            break;
        }
        keys_read_row(cx, rows, &out->list[out->n++]);
    }
    return e;
}

enum err keys_update(struct tx *tx, const struct key *key)
{
    static const char sql[] =
        "UPDATE api_key SET name = $2, scopes = $3, cidrs = $4, is_active = $5,"
        " expires_at_ms = $6, rate_requests = $7, rate_window_ms = $8, rate_algorithm = $9,"
        " updated_at_ms = $10, metadata = $11, places = $12 WHERE id = $1";
    DROP(arena) struct arena *scratch = arena_new();

    return tx_exec(tx, sql,
                   BIND(TEXT(key->id), TEXT(key->name), TEXT(key->scope_words),
                        TEXT(key_cidrs_write(scratch, key->cidrs, key->n_cidrs)),
                        INT(key->is_active), INT(key->expires_at_ms), INT(key->rate.requests),
                        INT(key->rate.window_ms), INT(key->rate.algorithm), INT(key->updated_at_ms),
                        TEXT(key->metadata), TEXT(key->places)),
                   NULL);
}

enum err keys_mark_revoked(struct tx *tx, str employer_id, str id, int64_t now_ms)
{
    static const char sql[] = "UPDATE api_key SET revoked_at_ms = $3, updated_at_ms = $3"
                              " WHERE employer_id = $1 AND id = $2 AND revoked_at_ms = 0";

    return tx_exec(tx, sql, BIND(TEXT(employer_id), TEXT(id), INT(now_ms)), NULL);
}

/* Room for one more, the former ones kept. */
static struct key *grow(struct cx *cx, struct key_list *keys, size_t *room)
{
    if (keys->n == *room) {
        *room = *room ? 2 * *room : 16;
        struct key *more = arena_array(cx->arena, *room, sizeof *more);
        if (keys->n)
            memcpy(more, keys->list, keys->n * sizeof *more);
        keys->list = more;
    }
    return &keys->list[keys->n++];
}

enum err keys_mark_revoked_of(struct cx *cx, struct tx *tx, str person_id, struct key_list *out)
{
    static const char sql[] = "UPDATE api_key SET revoked_at_ms = $2, updated_at_ms = $2"
                              " WHERE created_by = $1 AND revoked_at_ms = 0"
                              " RETURNING id, employer_id, name";
    DROP(rows) struct rows *rows = NULL;
    size_t room = 0;
    enum err e = E_OK;

    *out = (struct key_list){0};
    TRY(tx_query(tx, sql, BIND(TEXT(person_id), INT(cx->now_ms)), &rows));
    while (rows_next(rows, &e))
        *grow(cx, out, &room) =
            (struct key){.id = arena_dup(cx->arena, rows_text(rows, 0)),
                         .employer_id = arena_dup(cx->arena, rows_text(rows, 1)),
                         .name = arena_dup(cx->arena, rows_text(rows, 2))};
    return e;
}

enum err keys_end_secrets(struct tx *tx, str key_id, int64_t now_ms, int64_t ends_at_ms)
{
    static const char sql[] =
        "UPDATE api_key_secret SET"
        " rotated_at_ms = CASE WHEN rotated_at_ms = 0 THEN $2 ELSE rotated_at_ms END,"
        " ends_at_ms = $3 WHERE key_id = $1 AND (rotated_at_ms = 0 OR ends_at_ms > $3)";

    return tx_exec(tx, sql, BIND(TEXT(key_id), INT(now_ms), INT(ends_at_ms)), NULL);
}

enum err keys_mark_rotated(struct tx *tx, const struct key *key)
{
    static const char sql[] = "UPDATE api_key SET rotated_at_ms = $2, updated_at_ms = $2,"
                              " key_prefix = $3, key_suffix = $4 WHERE id = $1";

    return tx_exec(
        tx, sql, BIND(TEXT(key->id), INT(key->rotated_at_ms), TEXT(key->prefix), TEXT(key->suffix)),
        NULL);
}

enum err keys_find_by_digest(struct cx *cx, struct tx *tx, const struct sha256 *digest,
                             struct key_row *out)
{
    static const char sql[] =
        "SELECT" KEY_COLUMNS ", e.is_active, e.is_approved, d.rotated_at_ms, d.ends_at_ms,"
        " d.is_imported, coalesce(p.is_active, 1), e.plan_id, pa.scopes, e.places FROM api_key_secret d"
        " JOIN api_key k ON k.id = d.key_id JOIN employer e ON e.id = k.employer_id"
        " LEFT JOIN person p ON p.id = k.owner_id"
        " LEFT JOIN plan_api pa ON pa.plan_id = e.plan_id AND pa.api_id = k.api_id"
        " WHERE d.digest = $1";
    DROP(rows) struct rows *rows = NULL;
    char hex[2 * SHA256_BYTES];
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(digest_text(digest, hex))), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    keys_read_row(cx, rows, &out->key);
    out->employer_is_active = rows_int(rows, KEY_COLUMNS_END) != 0;
    out->employer_is_approved = rows_int(rows, KEY_COLUMNS_END + 1) != 0;
    out->secret = (struct key_secret){.digest = *digest,
                                      .rotated_at_ms = rows_int(rows, KEY_COLUMNS_END + 2),
                                      .ends_at_ms = rows_int(rows, KEY_COLUMNS_END + 3),
                                      .is_imported = rows_int(rows, KEY_COLUMNS_END + 4) != 0};
    out->person_is_inactive = rows_int(rows, KEY_COLUMNS_END + 5) == 0;
    if (rows_text(rows, KEY_COLUMNS_END + 6).n)
        key_scopes_keep(rows_text(rows, KEY_COLUMNS_END + 7), &out->key);
    struct places of_employer = places_parse(rows_text(rows, KEY_COLUMNS_END + 8));
    out->places = key_places(&out->key);
    places_meet(&out->places, &of_employer);
    return E_OK;
}

enum err keys_count_imported(struct tx *tx, struct imported_keys *out)
{
    static const char all[] = "SELECT count(*) FROM api_key_secret WHERE is_imported <> 0";
    static const char by_sha512[] = "SELECT count(*) FROM api_key_secret WHERE is_imported = 2";

    TRY(tx_one_int(tx, all, BIND(), &out->all));
    return tx_one_int(tx, by_sha512, BIND(), &out->by_sha512);
}

enum err keys_add_usage(struct tx *tx, str id, int64_t requests, int64_t last_at_ms, str last_ip)
{
    static const char sql[] =
        "UPDATE api_key SET request_count = request_count + $2,"
        " last_used_ip = CASE WHEN last_used_at_ms <= $3 THEN $4 ELSE last_used_ip END,"
        " last_used_at_ms = CASE WHEN last_used_at_ms <= $3 THEN $3 ELSE last_used_at_ms END"
        " WHERE id = $1";

    return tx_exec(tx, sql, BIND(TEXT(id), INT(requests), INT(last_at_ms), TEXT(last_ip)), NULL);
}
