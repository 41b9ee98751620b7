/* A question in JSON, and the whole verdict told. */
#include "gate/verify.h"

#include "base/time.h"

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

static void write_key(struct cx *cx, struct json_out *j, const struct keys_answer *answer)
{
    str scopes = answer->is_known
                     ? apis_write_scopes(cx->arena, answer->key.api, answer->key.scopes)
                     : STR_NONE;

    json_put_text(j, S("keyId"), answer->is_known ? answer->who.id : STR_NONE);
    json_put_text(j, S("employerId"), answer->is_known ? answer->who.employer_id : STR_NONE);
    json_put_text(j, S("userId"),
                  answer->is_known && answer->person_id.n ? answer->person_id : STR_NONE);
    json_open_array(j, S("scopes"));
    while (scopes.n)
        json_put_text(j, STR_NONE, str_cut(&scopes, S(" ")));
    json_close_array(j);
    json_put_time(j, S("expiresAt"), answer->is_known ? answer->key.expires_at_ms : 0);
    write_limit(j, &answer->verdict.rate);
}

static void write_refusal(const struct cx *cx, struct json_out *j,
                          const struct gate_verdict *verdict)
{
    const struct err_info *info = err_info(verdict->answer.verdict.code);
    struct cx told;

    gate_explain(cx, verdict, &told);
    json_put_int(j, S("status"), info->status);
    json_put_text(j, S("title"), info->message);
    json_put_text(j, S("detail"), told.failure.detail.n ? told.failure.detail : info->cause);
    json_put_text(j, S("hint"), told.failure.hint.n ? told.failure.hint : info->fix);
    if (told.failure.retry_after_s > 0)
        json_put_int(j, S("retryAfterSeconds"), told.failure.retry_after_s);
    json_put_members(j, told.failure.members);
}

enum err gate_answer(struct cx *cx, const struct gate_asked *asked, struct json_out *j)
{
    struct gate_verdict verdict;

    TRY(gate_decide(cx, &asked->question, &verdict));
    enum err code = verdict.answer.verdict.code;
    json_open_object(j, STR_NONE);
    json_put_bool(j, S("valid"), code == E_OK);
    json_put_text(j, S("code"), code == E_OK ? S("VALID") : err_info(code)->code);
    write_key(cx, j, &verdict.answer);
    json_put_text(j, S("rule"), verdict.ruling.rule);
    if (code != E_OK)
        write_refusal(cx, j, &verdict);
    json_close_object(j);
    return E_OK;
}
