/* One question, whoever asks it in whatever words, and its verdict. Inside gate/ only. */
#ifndef SALLYPORT_GATE_JUDGE_H
#define SALLYPORT_GATE_JUDGE_H

#include "apis/apis.h"
#include "decide/scope_expr.h"
#include "gate/gate.h"
#include "gate/paths.h"
#include "keys/keys.h"

/* What is asked about where nothing else is named. */
#define GATE_API "enterprise"

enum gate_dialect {
    GATE_JSON,
    GATE_NGINX,
    GATE_FORWARD,
    GATE_ENVOY,
    GATE_INTROSPECT,
    GATE_DIALECTS_END,
};

/* Texts are loans from the request. */
struct gate_question {
    enum gate_dialect dialect;
    uint32_t api;       /* by its number; or DECIDE_ANY_API */
    str method, target; /* of the guarded request, as its client sent them; STR_NONE: not told */
    bool is_peek;       /* see struct decide_facts */
    bool needs_request; /* it is about a request: without method and target there is no answer */
    const struct secret *key; /* NULL: none was sent */
    bool is_key_twice;
    struct scope_expr needs;
    struct net_addr client; /* NET_NONE: not named */
    int64_t cost;
};

enum { GATE_COST_MAX = 1000 * 1000 };

/* The question outlives it. */
struct gate_verdict {
    const struct gate_question *question;
    struct gate_ruling ruling;
    struct decide_facts facts;
    struct keys_answer answer; /* answer.verdict.code is what it comes to */
};

/* E_ASK_WORKER: the store must be read, and cx may not wait. E_GATE_QUESTION_INVALID, E_STORE_DOWN
 */
enum err gate_decide(struct cx *cx, const struct gate_question *question, struct gate_verdict *out);

/* Of a refusal: as the door would have told it, into told->failure; noted in the audit where it is
 * of a key that is known. *told is a copy of cx, with the client of the question. Once a verdict.
 */
void gate_explain(const struct cx *cx, const struct gate_verdict *verdict, struct cx *told);

#endif
