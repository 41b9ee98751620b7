/* What is asked about one key. Inside gate/ only. */
#ifndef SALLYPORT_GATE_QUESTION_H
#define SALLYPORT_GATE_QUESTION_H

#include "base/form.h"
#include "base/net.h"
#include "base/secret.h"
#include "decide/scope_expr.h"

struct gate_question {
    struct secret key; /* a copy: dropped with gate_question_drop */
    struct scope_expr needs;
    struct net_addr client; /* NET_NONE: not named */
    int64_t cost;
};

void gate_question_drop(struct gate_question *question);

/* Members of the form; problems go to it. */
void gate_read_question(struct form *form, struct gate_question *out);

/* The same from the text of one, without a form. False: it has a problem, or is not of the simple
 * kind; gate_read_question knows. */
bool gate_scan_question(str body, struct gate_question *out);

#endif
