/* Asking in JSON about one key. Inside gate/ only. */
#ifndef SALLYPORT_GATE_QUESTION_H
#define SALLYPORT_GATE_QUESTION_H

#include "base/form.h"
#include "gate/judge.h"

struct gate_asked {
    struct gate_question question;
    struct secret key; /* a copy: dropped with gate_asked_drop */
};

void gate_asked_drop(struct gate_asked *asked);

/* Members of the form; problems go to it. What it wrote may not be moved afterwards. */
void gate_read_question(struct form *form, struct gate_asked *out);

/* The same from the text of one, without a form. False: it has a problem, or is not of the simple
 * kind; gate_read_question knows. Texts are loans from the body. */
bool gate_scan_question(str body, struct gate_asked *out);

#endif
