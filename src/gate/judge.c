/* From a question to the decision. */
#include "gate/judge.h"

#include "audit/audit.h"
#include "base/rcu.h"
#include "base/time.h"
#include "gate/counts.h"
#include "gate/ops.h"

static struct key_text_verdict judge_text(const struct gate_question *question)
{
    if (question->is_key_twice)
        return (struct key_text_verdict){.fault = KEY_TEXT_TWICE};
    if (question->api == API_ENTERPRISE)
        return key_text_judge(secret_reveal(question->key), &keys_settings()->form);
    return apis_judge_text(question->api, secret_reveal(question->key));
}

static struct decide_facts facts_of(const struct cx *cx, const struct gate_question *question)
{
    return (struct decide_facts){
        .now = {cx->now_ms, time_mono_ns()},
        .api = question->api,
        .text = judge_text(question),
        .client = question->client,
        .needs = question->needs.n ? &question->needs : NULL,
        .cost = question->cost,
        .is_peek = question->is_peek,
    };
}

/* Rules are kept by the id of their API. */
static void judge_path(struct cx *cx, struct gate_verdict *v)
{
    const struct gate_question *q = v->question;

    if (q->api == API_ENTERPRISE) {
        gate_paths_judge(cx->arena, S(GATE_API), q->method, q->target, &v->ruling);
        return;
    }
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(q->api);
    gate_paths_judge(cx->arena, api ? api->id : S(""), q->method, q->target, &v->ruling);
    rcu_leave();
}

static enum err judge_request(struct cx *cx, struct gate_verdict *v)
{
    const struct gate_question *q = v->question;

    if (!gate_paths_are_known()) {
        if (cx->must_not_wait)
            return E_ASK_WORKER;
        TRY(gate_learn_rules(cx));
    }
    judge_path(cx, v);
    if (!v->ruling.lacks_request || !q->needs_request)
        return E_OK;
    fail_hint(cx, "Tell the operator of the gateway; docs/gateways has settings that are right.");
    return fail(cx, E_GATE_QUESTION_INVALID,
                "The gateway names no method or no target, and the API has rules about them.");
}

/* What the scopes of a registered API are called is in the registry, which may be replaced. */
static enum keys_door decide_here(struct cx *cx, struct gate_verdict *v)
{
    const struct secret *key = v->question->key;

    if (v->facts.api == API_ENTERPRISE || v->facts.api == DECIDE_ANY_API)
        return keys_decide(cx, key, &v->facts, &v->answer);
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(v->facts.api);
    v->facts.names = api ? &api->names : NULL;
    enum keys_door door = keys_decide(cx, key, &v->facts, &v->answer);
    v->facts.names = NULL;
    rcu_leave();
    return door;
}

static enum err decide_by_store(struct cx *cx, struct gate_verdict *v)
{
    struct api *api = ARENA_NEW(cx->arena, struct api);

    if (v->facts.api != API_ENTERPRISE && apis_copy(cx->arena, v->facts.api, api))
        v->facts.names = &api->names;
    return keys_admit(cx, v->question->key, &v->facts, &v->answer);
}

static enum err judge_key(struct cx *cx, struct gate_verdict *v)
{
    /* Guesses are the end client's, where it is named; the gateway is nobody who guesses. */
    cx->peer = (struct net_addr){0};
    if (decide_here(cx, v) == KEYS_DECIDED)
        return E_OK;
    return cx->must_not_wait ? E_ASK_WORKER : decide_by_store(cx, v);
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

/* Of which API the words are: of the one that was asked about, or of the key's own. */
static void explain(struct cx *told, const struct gate_verdict *verdict)
{
    const struct keys_answer *answer = &verdict->answer;
    struct decide_facts facts = verdict->facts;
    struct api api = {.form = keys_settings()->form, .credential_field = S("x-api-key")};
    uint32_t number = facts.api == DECIDE_ANY_API && answer->is_known ? answer->key.api : facts.api;

    facts.country = answer->country;
    if (number != API_ENTERPRISE && apis_copy(told->arena, number, &api))
        facts.names = &api.names;
    decide_explain(told, &answer->verdict, answer->is_known ? &answer->key : NULL, &facts,
                   &api.form, api.credential_field);
}

void gate_explain(const struct cx *cx, const struct gate_verdict *verdict, struct cx *told)
{
    enum err code = verdict->answer.verdict.code;

    *told = *cx;
    told->client = verdict->question->client;
    explain(told, verdict);
    if (code != E_OK && code == verdict->ruling.code) {
        told->failure.detail = verdict->ruling.detail;
        told->failure.hint = verdict->ruling.hint;
    }
    note(told, verdict);
}
