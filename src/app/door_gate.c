/* Callers who ask the gate: programs with a token, and gateways. */
#include "app/visit.h"
#include "gate/gate.h"

static enum err missing_gate_token(struct visit *v)
{
    fail_hint(&v->cx, "Make one with 'sallyport gate-tokens create --name NAME', and send it as "
                      "'Authorization: Bearer gt_…'.");
    return fail(&v->cx, E_MISSING_CREDENTIALS, "The gate takes a gate token, and none was sent.");
}

enum http_next door_judge_gate(struct visit *v, struct http_call *call)
{
    if (!secret_is_set(&v->req->authorization))
        return visit_refuse(v, missing_gate_token(v));
    v->credential = CREDENTIAL_GATE;
    gate_take_token(v->cx.arena, &v->req->authorization, &v->session);
    switch (gate_judge(&v->cx, &v->session, &v->who)) {
    case GATE_ASK_STORE:
        return HTTP_ASK_STORE;
    case GATE_REFUSED:
        return visit_refuse(v, E_GATE_TOKEN_INVALID);
    case GATE_KNOWN:
        break;
    }
    v->cx.who = &v->who;
    return visit_let_in(v, call);
}

/* It must be known before the question is looked at; the guarded request's credential is a part of
 * that. */
enum http_next door_judge_gateway(struct visit *v, struct http_call *call)
{
    v->credential = CREDENTIAL_GATEWAY;
    switch (gate_judge_gateway(&v->cx, v->req, &v->who)) {
    case GATE_ASK_STORE:
        return HTTP_ASK_STORE;
    case GATE_REFUSED:
        return visit_refuse(v, E_GATEWAY_NOT_TRUSTED);
    case GATE_KNOWN:
        break;
    }
    v->cx.who = &v->who;
    return visit_let_in(v, call);
}

enum err door_admit_gate(struct visit *v)
{
    v->cx.who = &v->who;
    return gate_admit(&v->cx, &v->session, &v->who);
}

enum err door_admit_gateway(struct visit *v)
{
    v->cx.who = &v->who;
    return gate_admit_gateway(&v->cx, v->req, &v->who);
}
