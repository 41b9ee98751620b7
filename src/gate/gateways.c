/*
 * Which gateways may ask. What is wrong with one is for the operator's log alone: the answer
 * reaches the gateway's client.
 */
#include "gate/gateways.h"

#include <stdatomic.h>

#include "base/log.h"
#include "gate/counts.h"
#include "gate/paths.h"
#include "gate/tokens.h"

static const struct gate_settings *_Atomic in_force;

void gate_start(str environment, const struct gate_settings *settings)
{
    gate_tokens_start(environment);
    gate_counts_start();
    gate_use(settings);
}

void gate_use(const struct gate_settings *settings)
{
    atomic_store(&in_force, settings);
}

const struct gate_settings *gate_settings(void)
{
    return atomic_load(&in_force);
}

void gate_stop(void)
{
    gate_tokens_forget();
    gate_paths_stop();
    gate_counts_stop();
}

static enum err not_trusted(struct cx *cx, const struct http_req *req, const char *reason,
                            const char *hint)
{
    log_event(cx, LOG_WARN, "gate.not_trusted", F("path", req->path),
              F("address", net_addr_write(cx->arena, &cx->peer)), F("reason", reason),
              F("hint", hint));
    cx->failure = (struct failure){0};
    return E_GATEWAY_NOT_TRUSTED;
}

static enum err bad_token(struct cx *cx, const struct http_req *req)
{
    return not_trusted(cx, req, "X-Gate-Token holds no token that is in force.",
                       "Make one with 'sallyport gate-tokens create --name NAME'.");
}

/* A token that is sent decides, also where its sender's address would do: so that revoking it has
 * an effect. */
enum gate_door gate_judge_gateway(struct cx *cx, const struct http_req *req, struct principal *out)
{
    const struct gate_settings *settings = gate_settings();
    enum gate_door door;

    if (secret_is_set(&req->gate_token)) {
        door = gate_judge(cx, &req->gate_token, out);
        if (door == GATE_REFUSED)
            IGNORE_ERR(bad_token(cx, req)); /* the door answers it */
        return door;
    }
    if (net_cidrs_have(settings->peers, settings->n_peers, &req->peer)) {
        *out = (struct principal){.kind = PRINCIPAL_GATE, .id = S("gate_peers")};
        return GATE_KNOWN;
    }
    IGNORE_ERR(not_trusted(cx, req,
                           "It sent no X-Gate-Token, and its address is not in gate_peers.",
                           "Let the gateway send a token of 'sallyport gate-tokens create', or put "
                           "its address into gate_peers."));
    return GATE_REFUSED;
}

enum err gate_admit_gateway(struct cx *cx, const struct http_req *req, struct principal *out)
{
    enum err e = gate_admit(cx, &req->gate_token, out);

    return e == E_GATE_TOKEN_INVALID ? bad_token(cx, req) : e;
}
