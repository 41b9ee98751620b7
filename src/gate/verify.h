/* Asking in JSON. Inside gate/ only. */
#ifndef SALLYPORT_GATE_VERIFY_H
#define SALLYPORT_GATE_VERIFY_H

#include "base/form.h"
#include "base/json.h"
#include "gate/judge.h"

struct gate_asked {
    struct gate_question question;
    struct secret key; /* a copy: dropped with gate_asked_drop */
};

void gate_asked_drop(struct gate_asked *asked);

/* Members of the form; problems go to it. It may not be moved afterwards. */
void gate_read_question(struct form *form, struct gate_asked *out);

/* Write the verdict as an object. E_ASK_WORKER: the store must be read, and cx may not wait. */
enum err gate_answer(struct cx *cx, const struct gate_asked *asked, struct json_out *j);

#endif
