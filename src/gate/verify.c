/* A question in JSON, and the whole verdict told. */
#include "gate/verify.h"

#include "base/time.h"

void gate_asked_drop(struct gate_asked *asked)
{
    secret_drop(&asked->key);
}

/* ---- the question ---- */

static void read_scopes(struct form *form, struct scope_expr *out)
{
    str text = form_text(form, "scopes", SCOPE_EXPR_MAX_BYTES, false);
    struct scope_expr_fault fault;

    if (text.n && !scope_expr_parse(text, out, &fault))
        form_problem(form, "scopes", "at character %zu %.*s", fault.at + 1, STR_ARG(fault.reason));
}

/* The question outlives the JSON it was in. */
static str kept_text(struct form *form, const char *member, size_t max_chars)
{
    return arena_dup(form->cx->arena, form_text(form, member, max_chars, false));
}

static void read_api(struct form *form, str *out)
{
    *out = kept_text(form, "api", 64);
    if (out->n && !gate_api_exists(*out))
        form_problem(form, "api", "must be one that exists: " GATE_API);
}

/* Method and path are one thing: a rule is about both. */
static void read_request(struct form *form, struct gate_question *out)
{
    out->method = kept_text(form, "method", PATH_METHOD_MAX_BYTES);
    out->target = kept_text(form, "path", PATH_MAX_BYTES);
    if (str_is_none(out->method) != str_is_none(out->target))
        form_problem(form, str_is_none(out->method) ? "method" : "path",
                     "must come with %s, or neither", str_is_none(out->method) ? "path" : "method");
}

static void read_client(struct form *form, struct net_addr *out)
{
    str text = form_text(form, "clientAddress", 64, false);

    if (text.n && !net_addr_parse(text, out))
        form_problem(form, "clientAddress",
                     "must be an IP address like 203.0.113.7 or 2001:db8::7");
}

/* Any text that can be sent is a question; what it is not is the answer. */
static void read_key(struct form *form, struct gate_asked *out)
{
    const json_t *value = form_value(form, "key");

    if (form->object && (!json_is_string(value) || !secret_set(&out->key, json_text(value))))
        form_problem(form, "key", "must be a text of at most %d bytes", SECRET_MAX_BYTES);
    out->question.key = &out->key;
}

void gate_read_question(struct form *form, struct gate_asked *out)
{
    struct gate_question *question = &out->question;

    *out = (struct gate_asked){0};
    read_key(form, out);
    read_api(form, &question->api);
    read_request(form, question);
    read_scopes(form, &question->needs);
    read_client(form, &question->client);
    question->cost = form_int(form, "cost", 1, GATE_COST_MAX, 1);
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
    write_key(j, &verdict.answer);
    json_put_text(j, S("rule"), verdict.ruling.rule);
    if (code != E_OK)
        write_refusal(cx, j, &verdict);
    json_close_object(j);
    return E_OK;
}
