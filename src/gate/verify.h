/* The verdict in JSON. Inside gate/ only. */
#ifndef SALLYPORT_GATE_VERIFY_H
#define SALLYPORT_GATE_VERIFY_H

#include "base/json.h"
#include "gate/question.h"

/* Write the verdict as an object. E_ASK_WORKER: the store must be read, and cx may not wait. */
enum err gate_answer(struct cx *cx, const struct gate_asked *asked, struct json_out *j);

#endif
