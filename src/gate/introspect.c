/* OAuth 2.0 token introspection, RFC 7662, of API keys. */
#include "base/time.h"
#include "gate/dialects.h"
#include "gate/judge.h"
#include "http/reply.h"
#include "http/urlencoded.h"

/* RFC 7662 section 2.1: parameters that are not known are for somebody else. The hint is not
 * needed: there is one kind of token. */
static enum err read_question(struct cx *cx, const struct http_req *req, struct secret *token,
                              struct gate_question *out)
{
    struct urlencoded form;

    TRY(http_req_urlencoded(cx, req, STR_NONE, &form));
    str text = urlencoded_value(&form, S("token"));
    str client = urlencoded_value(&form, S("client_address"));
    if (str_is_none(text) || !secret_set(token, text))
        return fail(cx, E_MALFORMED_FORM, "The parameter token is missing, or too long.");
    if (client.n && !net_addr_parse(client, &out->client))
        return fail(cx, E_MALFORMED_FORM, "The parameter client_address is no IP address.");
    return E_OK;
}

/* The secret's own end counts too: it has been rotated out by then. */
static int64_t ends_at_ms(const struct decide_key *key)
{
    int64_t key_ms = key->expires_at_ms, secret_ms = key->secret_ends_at_ms;

    if (key_ms == 0 || secret_ms == 0)
        return key_ms + secret_ms;
    return key_ms < secret_ms ? key_ms : secret_ms;
}

/* RFC 7519 section 2: seconds since 1970. */
static void put_seconds(struct json_out *j, str name, int64_t seconds)
{
    if (seconds)
        json_put_int(j, name, seconds);
}

static void write_active(struct cx *cx, const struct keys_answer *answer, struct json_out *j)
{
    const struct decide_key *key = &answer->key;

    json_put_text(j, S("scope"), apis_write_scopes(cx->arena, key->api, key->scopes));
    json_put_text(j, S("client_id"), answer->who.id);
    json_put_text(j, S("sub"), answer->person_id.n ? answer->person_id : answer->who.employer_id);
    json_put_text(j, S("aud"), apis_write_audience(cx->arena, key->api));
    json_put_text(j, S("token_type"), S("api_key"));
    put_seconds(j, S("exp"), ends_at_ms(key) / SECOND_MS);
    put_seconds(j, S("nbf"), (key->not_before_ms + SECOND_MS - 1) / SECOND_MS);
    json_put_text(j, S("iss"), http_public_url());
    json_put_text(j, S("keyId"), answer->who.id);
    json_put_text(j, S("employerId"), answer->who.employer_id);
}

/* RFC 7662 section 2.2: why a token is not active is not said here, only in the audit. */
static void write_answer(struct cx *cx, const struct gate_verdict *verdict, struct http_reply *out)
{
    bool is_active = verdict->answer.verdict.code == E_OK;
    struct cx told;

    http_reply_field(out, S("cache-control"), S("no-store"));
    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_put_bool(&j, S("active"), is_active);
    if (is_active)
        write_active(cx, &verdict->answer, &j);
    else
        gate_explain(cx, verdict, &told);
    json_close_object(&j);
}

enum err gate_introspect(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret token = {0};
    struct gate_question question = {.dialect = GATE_INTROSPECT,
                                     .api = DECIDE_ANY_API,
                                     .key = &token,
                                     .cost = 1,
                                     .is_peek = true};
    struct gate_verdict verdict;

    TRY(read_question(cx, req, &token, &question));
    TRY(gate_decide(cx, &question, &verdict));
    write_answer(cx, &verdict, out);
    return E_OK;
}
