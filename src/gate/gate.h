/*
 * The gate: the decision for everything that is not this server. Programs ask it in JSON and get
 * the whole verdict; gateways ask it, each in its own dialect, about the request they have before
 * them.
 *
 * Whoever asks shows a gate token; a gateway can be known by its address instead.
 *
 * Tokens are few, and all of them are in memory as digests; the text of one is in the answer that
 * made it only.
 */
#ifndef SALLYPORT_GATE_GATE_H
#define SALLYPORT_GATE_GATE_H

#include "base/cx.h"
#include "base/metric.h"
#include "base/secret.h"
#include "decide/key_text.h"
#include "decide/principal.h"
#include "http/router.h"

enum { GATE_TOKENS_MAX = 1000, GATE_BATCH_MAX = 1000, GATE_RULES_MAX = 1000 };

struct gate_settings {
    const struct net_cidr *peers; /* gateways that need no token */
    size_t n_peers;
    const int64_t *uids; /* users whose programs need none on the gate's Unix socket */
    size_t n_uids;
    const struct net_cidr *proxies; /* passed over in X-Forwarded-For */
    size_t n_proxies;
};

/* Once, before threads start: what the environment of tokens is, "live"; texts and settings outlive
 * the process. */
void gate_start(str environment, const struct gate_settings *settings);

/* While threads run: these from now on. */
void gate_use(const struct gate_settings *settings);
void gate_stop(void);

/* Verdicts by dialect and code. */
void gate_write_metrics(struct metric_page *page);

extern const struct route gate_routes[];

/* Read tokens and rules from the store: at start, and each second where other nodes change them too
 * and no stream tells of it. */
enum err gate_learn_store(struct cx *cx);

/* The rules alone: each second where other nodes change them, since the stream does not carry them.
 */
enum err gate_learn_rules(struct cx *cx);

/* What scopes mean has changed: they are read anew before the next question. */
void gate_forget_rules(void);

/* As a subscriber of the change stream (stream/stream.h). */
void gate_hear(str kind, str subject);
enum err gate_begin(struct cx *cx);

/* The token in Authorization: Bearer, or Basic with the token as the password, as OAuth's clients
 * send theirs. Else *out holds none. */
void gate_take_token(struct arena *arena, const struct secret *authorization, struct secret *out);

enum gate_door {
    GATE_KNOWN,
    GATE_REFUSED,   /* cx->failure says why */
    GATE_ASK_STORE, /* well-formed, and not known here: call gate_admit, which may block */
};

/* By memory alone; for I/O threads. */
enum gate_door gate_judge(struct cx *cx, const struct secret *token, struct principal *out);

/* The same after reading the store again. E_GATE_TOKEN_INVALID, E_STORE_DOWN */
enum err gate_admit(struct cx *cx, const struct secret *token, struct principal *out);

/* ---- gateways: E_GATEWAY_NOT_TRUSTED for all that is wrong with them; the log says what ---- */

enum gate_door gate_judge_gateway(struct cx *cx, const struct http_req *req, struct principal *out);

/* After GATE_ASK_STORE. E_GATEWAY_NOT_TRUSTED, E_STORE_DOWN */
enum err gate_admit_gateway(struct cx *cx, const struct http_req *req, struct principal *out);

/* Is this the path of a dialect of its own? Then its refusals are written by gate_refuse. */
bool gate_owns(str path);
void gate_refuse(const struct cx *cx, const struct http_req *req, enum err e,
                 struct http_reply *out);

#endif
