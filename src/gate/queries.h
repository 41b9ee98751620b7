/* The statements of gate/: one function each. Inside gate/ only. */
#ifndef SALLYPORT_GATE_QUERIES_H
#define SALLYPORT_GATE_QUERIES_H

#include "crypto/digest.h"
#include "gate/gate.h"
#include "store/store.h"

struct gate_token {
    str id;
    str name;
    char digest[2 * SHA256_BYTES]; /* hex */
    int64_t created_at_ms;
};

struct gate_token_list {
    struct gate_token *list;
    size_t n;
    bool has_more;
};

/* scopes is an expression, empty for none. */
struct gate_rule {
    str api;
    int64_t position; /* from 1 */
    str method;
    str path;
    str scopes;
};

struct gate_rule_list {
    struct gate_rule *list;
    size_t n;
};

enum err gate_insert_token(struct tx *tx, const struct gate_token *token);
enum err gate_count_tokens(struct tx *tx, int64_t *out);

/* In the order of their ids, which is that of their making. Texts live in cx->arena. */
enum err gate_list_tokens(struct cx *cx, struct tx *tx, str after, int64_t limit,
                          struct gate_token_list *out);

/* E_ABSENT */
enum err gate_find_token(struct cx *cx, struct tx *tx, str id, struct gate_token *out);
enum err gate_delete_token(struct tx *tx, str id);

enum err gate_insert_rule(struct tx *tx, const struct gate_rule *rule);
enum err gate_delete_rules(struct tx *tx, str api, int64_t *n);

/* Of all APIs, in the order of API and position. Texts live in cx->arena. */
enum err gate_list_rules(struct cx *cx, struct tx *tx, struct gate_rule_list *out);

#endif
