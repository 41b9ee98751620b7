/* Each SQL statement of gate/, beside its binding and its reading. */
#include "gate/queries.h"

#include <string.h>

enum err gate_insert_token(struct tx *tx, const struct gate_token *token)
{
    static const char sql[] =
        "INSERT INTO gate_token (id, digest, name, created_at_ms) VALUES ($1, $2, $3, $4)";

    return tx_exec(tx, sql,
                   BIND(TEXT(token->id), TEXT(((str){token->digest, sizeof token->digest})),
                        TEXT(token->name), INT(token->created_at_ms)),
                   NULL);
}

enum err gate_count_tokens(struct tx *tx, int64_t *out)
{
    return tx_one_int(tx, "SELECT count(*) FROM gate_token", BIND(), out);
}

static void read_token(struct cx *cx, const struct rows *rows, struct gate_token *out)
{
    str digest = rows_text(rows, 1);

    *out = (struct gate_token){
        .id = arena_dup(cx->arena, rows_text(rows, 0)),
        .name = arena_dup(cx->arena, rows_text(rows, 2)),
        .created_at_ms = rows_int(rows, 3),
    };
    memcpy(out->digest, digest.p, digest.n < sizeof out->digest ? digest.n : sizeof out->digest);
}

enum err gate_list_tokens(struct cx *cx, struct tx *tx, str after, int64_t limit,
                          struct gate_token_list *out)
{
    static const char sql[] = "SELECT id, digest, name, created_at_ms FROM gate_token"
                              " WHERE id > $1 ORDER BY id LIMIT $2";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct gate_token_list){
        .list = arena_array(cx->arena, (size_t)limit, sizeof(struct gate_token))};
    TRY(tx_query(tx, sql, BIND(TEXT(str_is_none(after) ? S("") : after), INT(limit + 1)), &rows));
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)limit) {
            out->has_more = true;
            break;
        }
        read_token(cx, rows, &out->list[out->n++]);
    }
    return e;
}

enum err gate_find_token(struct cx *cx, struct tx *tx, str id, struct gate_token *out)
{
    static const char sql[] =
        "SELECT id, digest, name, created_at_ms FROM gate_token WHERE id = $1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(TEXT(id)), &rows));
    if (!rows_next(rows, &e))
        return e ? e : E_ABSENT;
    read_token(cx, rows, out);
    return E_OK;
}

enum err gate_delete_token(struct tx *tx, str id)
{
    return tx_exec(tx, "DELETE FROM gate_token WHERE id = $1", BIND(TEXT(id)), NULL);
}

enum err gate_insert_rule(struct tx *tx, const struct gate_rule *rule)
{
    static const char sql[] = "INSERT INTO gate_rule (api, position, method, path, scopes)"
                              " VALUES ($1, $2, $3, $4, $5)";

    return tx_exec(tx, sql,
                   BIND(TEXT(rule->api), INT(rule->position), TEXT(rule->method), TEXT(rule->path),
                        TEXT(rule->scopes)),
                   NULL);
}

enum err gate_delete_rules(struct tx *tx, str api, int64_t *n)
{
    return tx_exec(tx, "DELETE FROM gate_rule WHERE api = $1", BIND(TEXT(api)), n);
}

enum err gate_list_rules(struct cx *cx, struct tx *tx, struct gate_rule_list *out)
{
    static const char sql[] = "SELECT api, position, method, path, scopes FROM gate_rule"
                              " ORDER BY api, position LIMIT $1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct gate_rule_list){
        .list = arena_array(cx->arena, GATE_RULES_MAX, sizeof(struct gate_rule))};
    TRY(tx_query(tx, sql, BIND(INT(GATE_RULES_MAX)), &rows));
    while (rows_next(rows, &e))
        out->list[out->n++] = (struct gate_rule){
            .api = arena_dup(cx->arena, rows_text(rows, 0)),
            .position = rows_int(rows, 1),
            .method = arena_dup(cx->arena, rows_text(rows, 2)),
            .path = arena_dup(cx->arena, rows_text(rows, 3)),
            .scopes = arena_dup(cx->arena, rows_text(rows, 4)),
        };
    return e;
}
