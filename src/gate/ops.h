/* What an ADMIN can ask about gate tokens. Inside gate/ only. */
#ifndef SALLYPORT_GATE_OPS_H
#define SALLYPORT_GATE_OPS_H

#include "gate/queries.h"

enum { GATE_TOKEN_NAME_MAX_CHARS = 100 };

/*
 * In force on this node when it returns, on others within a second.
 *
 * raw  the only copy; the caller declares it DROP(secret)
 *
 * E_GATE_TOKEN_LIMIT
 */
enum err gate_add_token(struct cx *cx, struct gate_token *token, struct secret *raw);
enum err gate_page_tokens(struct cx *cx, str after, int64_t limit, struct gate_token_list *out);

/* E_GATE_TOKEN_NOT_FOUND */
enum err gate_revoke_token(struct cx *cx, str id);

struct gate_rules_change {
    str api;
    struct gate_rule_list rules; /* have been checked */
};

/* All rules of an API for those it had. In force on this node when it returns, on others within a
 * second. */
enum err gate_replace_rules(struct cx *cx, struct gate_rules_change *change);
enum err gate_read_rules(struct cx *cx, str api, struct gate_rule_list *out);

#endif
