/* The rules of method and path in memory, ready to be asked. Inside gate/ only. */
#ifndef SALLYPORT_GATE_PATHS_H
#define SALLYPORT_GATE_PATHS_H

#include "apis/apis.h"
#include "decide/path_rules.h"
#include "gate/queries.h"

/*
 * Note the epoch, read the store, set.
 *
 * rules     in the order of API and position; copied
 * is_stale  something changed in between, and what was read may be old: read it again
 *
 * E_STORE_DOWN  one of them cannot be read: what is in force is not known then, see below
 */
uint64_t gate_paths_epoch(void);
enum err gate_paths_set(struct cx *cx, uint64_t epoch, const struct gate_rule_list *rules,
                        bool *is_stale);

/* What is in force is not known until the store has been read again. */
void gate_paths_forget(void);
bool gate_paths_are_known(void);
void gate_paths_stop(void);

/* What the rules of an API say of a request. Texts live in the arena. */
struct gate_ruling {
    enum err code;      /* E_OK, E_NO_RULE_MATCHES, E_AMBIGUOUS_PATH */
    bool lacks_request; /* there are rules, and method or target is not told */
    str rule;           /* "GET /orders/{id}"; STR_NONE: none decided */
    struct scope_expr needs;
    str detail, hint; /* of a refusal */
};

/* An API without rules lets everything pass; method and target of STR_NONE are not told. */
void gate_paths_judge(struct arena *arena, str api, str method, str target,
                      struct gate_ruling *out);

#endif
