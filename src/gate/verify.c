/* One key judged for somebody else: from the question to the decision, and the whole verdict told.
 */
#include "gate/verify.h"

#include <string.h>

#include "base/time.h"
#include "keys/keys.h"

/* ---- the decision ---- */

static struct decide_facts facts_of(const struct cx *cx, const struct gate_question *question)
{
    return (struct decide_facts){
        .now = {cx->now_ms, time_mono_ns()},
        .text = key_text_judge(secret_reveal(&question->key), &keys_settings()->form),
        .client = question->client,
        .needs = question->needs.n ? &question->needs : NULL,
        .cost = question->cost,
    };
}

static enum err judge(struct cx *cx, const struct gate_question *question,
                      const struct decide_facts *facts, struct keys_answer *out)
{
    /* Guesses are the end client's, where it is named; the gateway is nobody who guesses. */
    cx->peer = (struct net_addr){0};
    if (keys_decide(cx, &question->key, facts, out) == KEYS_DECIDED)
        return E_OK;
    return cx->must_not_wait ? E_ASK_WORKER : keys_admit(cx, &question->key, facts, out);
}

/* ---- the answer ---- */

static void write_limit(struct json_out *j, const struct rate_verdict *rate)
{
    if (rate->limit == 0) {
        json_put_null(j, S("rateLimit"));
        return;
    }
    json_open_object(j, S("rateLimit"));
    json_put_int(j, S("requests"), rate->limit);
    json_put_int(j, S("windowSeconds"), rate->window_ms / SECOND_MS);
    json_put_int(j, S("remaining"), rate->remaining);
    json_put_int(j, S("resetSeconds"), (rate->reset_ms + SECOND_MS - 1) / SECOND_MS);
    json_close_object(j);
}

static void write_key(struct json_out *j, const struct keys_answer *answer)
{
    json_put_text(j, S("keyId"), answer->is_known ? answer->who.id : STR_NONE);
    json_put_text(j, S("employerId"), answer->is_known ? answer->who.employer_id : STR_NONE);
    json_open_array(j, S("scopes"));
    for (enum scope s = 0; s < SCOPES_END; s++)
        if (answer->is_known && scope_has(answer->key.scopes, s))
            json_put_text(j, STR_NONE, scope_text(s));
    json_close_array(j);
    json_put_time(j, S("expiresAt"), answer->is_known ? answer->key.expires_at_ms : 0);
    write_limit(j, &answer->verdict.rate);
}

/* As the door would have told it. */
static void write_refusal(struct cx *cx, struct json_out *j, const struct keys_answer *answer,
                          const struct decide_facts *facts)
{
    const struct err_info *info = err_info(answer->verdict.code);
    struct cx told = *cx;

    decide_explain(&told, &answer->verdict, answer->is_known ? &answer->key : NULL, facts,
                   &keys_settings()->form, S("x-api-key"));
    json_put_int(j, S("status"), info->status);
    json_put_text(j, S("title"), info->message);
    json_put_text(j, S("detail"), told.failure.detail.n ? told.failure.detail : info->cause);
    json_put_text(j, S("hint"), told.failure.hint.n ? told.failure.hint : info->fix);
    if (told.failure.retry_after_s > 0)
        json_put_int(j, S("retryAfterSeconds"), told.failure.retry_after_s);
    json_put_members(j, told.failure.members);
}

enum err gate_answer(struct cx *cx, const struct gate_question *question, struct json_out *j)
{
    struct decide_facts facts = facts_of(cx, question);
    struct keys_answer answer;

    TRY(judge(cx, question, &facts, &answer));
    bool is_valid = answer.verdict.code == E_OK;
    json_open_object(j, STR_NONE);
    json_put_bool(j, S("valid"), is_valid);
    json_put_text(j, S("code"), is_valid ? S("VALID") : err_info(answer.verdict.code)->code);
    write_key(j, &answer);
    if (!is_valid)
        write_refusal(cx, j, &answer, &facts);
    json_close_object(j);
    return E_OK;
}
