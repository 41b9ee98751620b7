/*
 * The gate: the decision for everything that is not this server. Gateways and programs ask it with
 * a gate token, and get the whole verdict.
 *
 * Tokens are few, and all of them are in memory as digests; the text of one is in the answer that
 * made it only.
 */
#ifndef SALLYPORT_GATE_GATE_H
#define SALLYPORT_GATE_GATE_H

#include "base/cx.h"
#include "base/secret.h"
#include "decide/key_text.h"
#include "decide/principal.h"
#include "http/router.h"

enum { GATE_TOKENS_MAX = 1000, GATE_BATCH_MAX = 1000 };

/* Once, before threads start: what the environment of tokens is, "live". */
void gate_start(str environment);
void gate_stop(void);

extern const struct route gate_routes[];

/* Read the tokens from the store: at start, and each second where other nodes change them too and
 * no stream tells of it. */
enum err gate_learn_store(struct cx *cx);

/* As a subscriber of the change stream (stream/stream.h). */
void gate_hear(str kind, str subject);
enum err gate_begin(struct cx *cx);

enum gate_door {
    GATE_KNOWN,
    GATE_REFUSED,   /* cx->failure says why */
    GATE_ASK_STORE, /* well-formed, and not known here: call gate_admit, which may block */
};

/* By memory alone; for I/O threads. */
enum gate_door gate_judge(struct cx *cx, const struct secret *token, struct principal *out);

/* The same after reading the store again. E_GATE_TOKEN_INVALID, E_STORE_DOWN */
enum err gate_admit(struct cx *cx, const struct secret *token, struct principal *out);

#endif
