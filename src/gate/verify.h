/* Asking about one key. Inside gate/ only. */
#ifndef SALLYPORT_GATE_VERIFY_H
#define SALLYPORT_GATE_VERIFY_H

#include "base/form.h"
#include "base/json.h"
#include "decide/scope_expr.h"
#include "gate/gate.h"

struct gate_question {
    struct secret key; /* a copy: dropped with gate_question_drop */
    struct scope_expr needs;
    struct net_addr client; /* NET_NONE: not named */
    int64_t cost;
};

void gate_question_drop(struct gate_question *question);

/* Members of the form; problems go to it. */
void gate_read_question(struct form *form, struct gate_question *out);

/* Write the verdict as an object. E_ASK_WORKER: the store must be read, and cx may not wait. */
enum err gate_answer(struct cx *cx, const struct gate_question *question, struct json_out *j);

#endif
