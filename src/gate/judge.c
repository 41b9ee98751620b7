/* From a question to the decision. */
#include "gate/judge.h"

#include "audit/audit.h"
#include "base/time.h"
#include "gate/counts.h"
#include "gate/ops.h"

bool gate_api_exists(str id)
{
    return str_eq(id, S(GATE_API));
}

static struct key_text_verdict judge_text(const struct gate_question *question)
{
    if (question->is_key_twice)
        return (struct key_text_verdict){.fault = KEY_TEXT_TWICE};
    return key_text_judge(secret_reveal(question->key), &keys_settings()->form);
}

static struct decide_facts facts_of(const struct cx *cx, const struct gate_question *question)
{
    return (struct decide_facts){
        .now = {cx->now_ms, time_mono_ns()},
        .text = judge_text(question),
        .client = question->client,
        .needs = question->needs.n ? &question->needs : NULL,
        .cost = question->cost,
        .is_peek = question->is_peek,
    };
}

static enum err judge_request(struct cx *cx, struct gate_verdict *v)
{
    const struct gate_question *q = v->question;
    str api = q->api.n ? q->api : S(GATE_API);

    if (!gate_paths_are_known()) {
        if (cx->must_not_wait)
            return E_ASK_WORKER;
        TRY(gate_learn_rules(cx));
    }
    gate_paths_judge(cx->arena, api, q->method, q->target, &v->ruling);
    if (!v->ruling.lacks_request || !q->needs_request)
        return E_OK;
    fail_hint(cx, "Tell the operator of the gateway; docs/gateways has settings that are right.");
    return fail(cx, E_GATE_QUESTION_INVALID,
                "The gateway names no method or no target, and the API has rules about them.");
}

static enum err judge_key(struct cx *cx, struct gate_verdict *v)
{
    const struct secret *key = v->question->key;

    /* Guesses are the end client's, where it is named; the gateway is nobody who guesses. */
    cx->peer = (struct net_addr){0};
    if (keys_decide(cx, key, &v->facts, &v->answer) == KEYS_DECIDED)
        return E_OK;
    return cx->must_not_wait ? E_ASK_WORKER : keys_admit(cx, key, &v->facts, &v->answer);
}

enum err gate_decide(struct cx *cx, const struct gate_question *question, struct gate_verdict *out)
{
    *out = (struct gate_verdict){.question = question};
    if (!question->key) {
        out->answer.verdict.code = E_MISSING_CREDENTIALS;
        gate_count(question->dialect, E_MISSING_CREDENTIALS);
        return E_OK;
    }
    TRY(judge_request(cx, out));
    out->facts = facts_of(cx, question);
    out->facts.of_rules = out->ruling.code;
    out->facts.rule_needs = out->ruling.needs.n ? &out->ruling.needs : NULL;
    TRY(judge_key(cx, out));
    gate_count(question->dialect, out->answer.verdict.code);
    return E_OK;
}

static void note(const struct cx *told, const struct gate_verdict *verdict)
{
    static const char *const routes[GATE_DIALECTS_END] = {
        [GATE_JSON] = "/gate/verify",
        [GATE_NGINX] = "/gate/nginx",
        [GATE_FORWARD] = "/gate/forward",
        [GATE_ENVOY] = HTTP_GUARDED_PATH,
        [GATE_INTROSPECT] = "/oauth2/introspect",
    };

    if (verdict->answer.is_known)
        audit_note_denial(told, verdict->answer.verdict.code, routes[verdict->question->dialect],
                          &verdict->answer.who, told->failure.detail, told->failure.hint);
}

void gate_explain(const struct cx *cx, const struct gate_verdict *verdict, struct cx *told)
{
    const struct keys_answer *answer = &verdict->answer;
    enum err code = answer->verdict.code;

    *told = *cx;
    told->client = verdict->question->client;
    decide_explain(told, &answer->verdict, answer->is_known ? &answer->key : NULL, &verdict->facts,
                   &keys_settings()->form, S("x-api-key"));
    if (code != E_OK && code == verdict->ruling.code) {
        told->failure.detail = verdict->ruling.detail;
        told->failure.hint = verdict->ruling.hint;
    }
    note(told, verdict);
}
