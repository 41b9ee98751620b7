/* Verifying a key: the same decision as everywhere, told in the ten members of the contract. */
#include "keys/verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "audit/audit.h"
#include "base/banned.h"
#include "base/rcu.h"
#include "base/time.h"
#include "http/reply.h"
#include "keys/manage.h"
#include "keys/scopes.h"

enum { CLIENT_MAX_CHARS = 64, API_MAX_CHARS = 64, WANTED_MAX = 64 };

/* Texts are loans from the body. */
struct question {
    struct secret key;
    uint32_t api; /* or DECIDE_ANY_API */
    struct net_addr client;
    str wanted[WANTED_MAX];
    size_t n_wanted;
};

/* ---- reading ---- */

static void read_key(struct form *f, struct question *out)
{
    const json_t *value = form_value(f, "api_key");
    str text = json_text(value);

    if (f->object && (!json_is_string(value) || !text.n || !secret_set(&out->key, text)))
        form_problem(f, "api_key", "must be a text of 1 to %d bytes", SECRET_MAX_BYTES);
}

static void read_api(struct form *f, struct question *out)
{
    str id = form_text(f, "api_id", API_MAX_CHARS, false);
    str audience = form_text(f, "audience", API_MAX_CHARS, false);
    str named = id.n ? id : audience;

    out->api = DECIDE_ANY_API;
    if (id.n && audience.n)
        form_problem(f, "audience", "must not come with api_id: either names the API");
    if (!named.n)
        return;
    if (!apis_find_number(named, &out->api))
        form_problem(f, id.n ? "api_id" : "audience", "is not that of an API");
}

static void read_wanted(struct form *f, struct question *out)
{
    const json_t *list = form_value(f, "scopes");

    if (list && (!json_is_array(list) || json_array_size(list) > WANTED_MAX)) {
        form_problem(f, "scopes", "must be a list of at most %d texts", WANTED_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        str wanted = json_text(json_array_get(list, i));
        if (!wanted.n)
            form_problem(f, "scopes", "must be a list of scopes by their keys");
        out->wanted[out->n_wanted++] = wanted;
    }
}

static void read_client(struct form *f, struct question *out)
{
    str text = form_text(f, "client_address", CLIENT_MAX_CHARS, false);

    if (text.n && !net_addr_parse(text, &out->client))
        form_problem(f, "client_address", "must be an IP address like 203.0.113.7 or 2001:db8::7");
}

static enum err read_question(struct cx *cx, const json_t *body, struct question *out)
{
    struct form form;

    form_open(&form, cx, body);
    read_key(&form, out);
    read_api(&form, out);
    read_wanted(&form, out);
    read_client(&form, out);
    return form_close(&form);
}

/* ---- judging ---- */

/* Those that the API has; of the others no key can hold one. */
static bool name_wanted(const struct question *question, uint32_t number, struct scope_set *out)
{
    bool has_all = true;
    unsigned bit;

    rcu_enter();
    const struct api *api = apis_at(number);
    for (size_t i = 0; i < question->n_wanted; i++) {
        if (api && scope_names_find(&api->names, question->wanted[i], &bit))
            out->bits |= UINT64_C(1) << bit;
        else
            has_all = false;
    }
    rcu_leave();
    return has_all;
}

static enum err ask(struct cx *cx, const struct question *question,
                    const struct decide_facts *facts, struct keys_answer *out)
{
    if (keys_decide(cx, &question->key, facts, out) == KEYS_DECIDED)
        return E_OK;
    return cx->must_not_wait ? E_ASK_WORKER : keys_admit(cx, &question->key, facts, out);
}

static enum err judge(struct cx *cx, const struct question *question, struct decide_facts *facts,
                      struct keys_answer *out)
{
    *facts = (struct decide_facts){
        .now = {cx->now_ms, time_mono_ns()},
        .api = question->api,
        .employer_id = manage_view(cx->who).employer_id,
        .text = apis_judge_text(question->api, secret_reveal(&question->key)),
        .client = question->client,
        .cost = 1,
        .is_counted = true,
    };
    /* Guesses are the end client's, where it is named; who asks is nobody who guesses. */
    cx->peer = (struct net_addr){0};
    if (question->n_wanted && facts->api == DECIDE_ANY_API) {
        /* What the scopes mean is known once the key is. */
        facts->is_peek = true;
        TRY(ask(cx, question, facts, out));
        if (!out->is_known)
            return E_OK;
        facts->is_peek = false;
        facts->api = out->key.api;
    }
    if (question->n_wanted && !name_wanted(question, facts->api, &facts->wanted))
        facts->of_rules = E_INSUFFICIENT_SCOPE;
    return ask(cx, question, facts, out);
}

/* ---- answering ---- */

/* A secret that was rotated out is no better than a revoked key. */
static str status_of(const struct cx *cx, const struct decide_key *key)
{
    if (key->revoked_at_ms || (key->secret_ends_at_ms && key->secret_ends_at_ms <= cx->now_ms))
        return S("revoked");
    if (!key->is_active || cx->now_ms < key->not_before_ms ||
        (key->expires_at_ms && key->expires_at_ms <= cx->now_ms))
        return S("inactive");
    return S("active");
}

static void write_scopes(const struct keys_answer *answer, struct json_out *j)
{
    json_open_array(j, S("scopes"));
    rcu_enter();
    const struct api *api = answer->is_known ? apis_at(answer->key.api) : NULL;
    for (unsigned bit = 0; api && bit < api->names.n; bit++)
        if (answer->key.scopes.bits >> bit & 1)
            json_put_text(j, STR_NONE, api->names.texts[bit]);
    rcu_leave();
    json_close_array(j);
}

static bool holds(const struct keys_answer *answer, str wanted)
{
    unsigned bit;

    rcu_enter();
    const struct api *api = apis_at(answer->key.api);
    bool holds =
        api && scope_names_find(&api->names, wanted, &bit) && answer->key.scopes.bits >> bit & 1;
    rcu_leave();
    return holds;
}

static void write_refusal(const struct question *question, const struct keys_answer *answer,
                          struct json_out *j)
{
    if (answer->verdict.code == E_INSUFFICIENT_SCOPE) {
        json_open_array(j, S("missing_scopes"));
        for (size_t i = 0; i < question->n_wanted; i++)
            if (!holds(answer, question->wanted[i]))
                json_put_text(j, STR_NONE, question->wanted[i]);
        json_close_array(j);
    }
    if (answer->verdict.code == E_GEO_NOT_ALLOWED)
        json_put_text(j, S("country"),
                      answer->country.code[0] ? (str){answer->country.code, 2} : STR_NONE);
    if (answer->verdict.code == E_RATE_LIMITED)
        json_put_int(j, S("retry_after_seconds"),
                     (answer->verdict.rate.retry_after_ms + SECOND_MS - 1) / SECOND_MS);
}

/* Of a key that is not known, or is none of the asker's, nothing is told but that. */
static void write_answer(const struct cx *cx, const struct question *question,
                         const struct keys_answer *answer, struct json_out *j)
{
    bool is_valid = answer->verdict.code == E_OK, is_known = answer->is_known;
    const struct err_info *info = err_info(answer->verdict.code);

    json_open_object(j, STR_NONE);
    json_put_text(j, S("code"), is_valid ? S("API_KEY_VERIFIED") : info->code);
    json_put_text(j, S("message"), is_valid ? S("API key verified") : info->message);
    json_put_bool(j, S("is_valid"), is_valid);
    json_put_text(j, S("key_id"), is_known ? answer->who.id : STR_NONE);
    json_put_text(j, S("status"), is_known ? status_of(cx, &answer->key) : STR_NONE);
    write_scopes(answer, j);
    json_put_text(j, S("org_code"),
                  is_known && !answer->person_id.n ? answer->key.employer_id : STR_NONE);
    json_put_text(j, S("user_id"), is_known && answer->person_id.n ? answer->person_id : STR_NONE);
    json_put_time(j, S("last_verified_on"), is_valid ? cx->now_ms : answer->last_at_ms);
    json_put_int(j, S("verification_count"), answer->n_uses);
    write_refusal(question, answer, j);
    json_close_object(j);
}

static void note(const struct cx *cx, const struct keys_answer *answer)
{
    const struct err_info *info = err_info(answer->verdict.code);

    if (answer->is_known && answer->verdict.code != E_OK)
        audit_note_denial(cx, answer->verdict.code, "/api/v1/api_keys/verify", &answer->who,
                          info->cause, info->fix);
}

static enum err verify(struct cx *cx, const json_t *body, struct question *question,
                       struct http_reply *out)
{
    struct decide_facts facts;
    struct keys_answer answer;

    TRY(read_question(cx, body, question));
    TRY(judge(cx, question, &facts, &answer));
    note(cx, &answer);
    struct json_out j = http_reply_json(out, 200);
    write_answer(cx, question, &answer, &j);
    return E_OK;
}

enum err keys_post_verify(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct question question = {0};

    TRY(http_req_json(cx, req, &body));
    enum err e = verify(cx, body, &question, out);
    secret_drop(&question.key);
    return e;
}
