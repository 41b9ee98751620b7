/*
 * Which gateways may ask. What is wrong with one is for the operator's log alone: the answer
 * reaches the gateway's client.
 */
#include "gate/gateways.h"

#include <inttypes.h>
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

static bool has_uid(const struct gate_settings *settings, int64_t uid)
{
    for (size_t i = 0; i < settings->n_uids; i++)
        if (settings->uids[i] == uid)
            return true;
    return false;
}

/* The setting that it is trusted by; STR_NONE: none. */
static str trusted_by(const struct gate_settings *settings, const struct http_req *req)
{
    if (net_cidrs_have(settings->peers, settings->n_peers, &req->peer))
        return S("gate_peers");
    if (req->way == HTTP_OVER_GATE && has_uid(settings, req->local_uid))
        return S("gate_uids");
    if (req->client_cert && req->client_cert->is_gateway)
        return S("gate_client_ca");
    return STR_NONE;
}

static enum err stranger(struct cx *cx, const struct http_req *req)
{
    if (req->way == HTTP_OVER_GATE)
        return not_trusted(cx, req,
                           arena_printf(cx->arena,
                                        "It sent no X-Gate-Token, and its user, number %" PRId64
                                        ", is not in gate_uids.",
                                        req->local_uid)
                               .p,
                           "Put the gateway's user into gate_uids, or let it send a token of "
                           "'sallyport gate-tokens create'.");
    return not_trusted(cx, req,
                       "It sent no X-Gate-Token, its address is not in gate_peers, and it showed "
                       "no certificate of gate_client_ca.",
                       "Let the gateway send a token of 'sallyport gate-tokens create', or put "
                       "its address into gate_peers.");
}

/* A token that is sent decides, also where its sender would do without: so that revoking it has an
 * effect. */
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
    str setting = trusted_by(settings, req);
    if (str_is_none(setting)) {
        IGNORE_ERR(stranger(cx, req)); /* the door answers it */
        return GATE_REFUSED;
    }
    *out = (struct principal){.kind = PRINCIPAL_GATE, .id = setting};
    return GATE_KNOWN;
}

enum err gate_admit_gateway(struct cx *cx, const struct http_req *req, struct principal *out)
{
    enum err e = gate_admit(cx, &req->gate_token, out);

    return e == E_GATE_TOKEN_INVALID ? bad_token(cx, req) : e;
}
