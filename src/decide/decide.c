/* The one decision, as a list of checks in their order. */
#include "decide/decide.h"

static struct verdict refusal(enum err code)
{
    return (struct verdict){.code = code};
}

static struct verdict refusal_since(enum err code, int64_t since_ms)
{
    return (struct verdict){.code = code, .since_ms = since_ms};
}

/* What is wrong with the request itself, whoever sent it. */
static struct verdict judge_request(const struct decide_facts *facts)
{
    bool lacks_version = facts->version.fault == VERSION_MISSING && facts->version_is_required;

    if (lacks_version || facts->version.fault == VERSION_UNSUPPORTED ||
        facts->version.fault == VERSION_CONFLICT)
        return refusal(E_UNSUPPORTED_API_VERSION);
    if (facts->text.fault != KEY_TEXT_OK)
        return refusal(E_INVALID_API_KEY);
    return (struct verdict){0};
}

/* Whether the key lives now. A revocation counts at once, whatever this machine's clock says. */
static struct verdict judge_life(const struct decide_key *key, int64_t now_ms)
{
    if (key->revoked_at_ms)
        return refusal_since(E_API_KEY_REVOKED, key->revoked_at_ms);
    if (key->secret_ends_at_ms && now_ms >= key->secret_ends_at_ms)
        return (struct verdict){
            .code = E_API_KEY_REVOKED, .since_ms = key->rotated_at_ms, .is_rotated_out = true};
    if (!key->is_active)
        return refusal(E_API_KEY_INACTIVE);
    if (now_ms < key->not_before_ms)
        return refusal_since(E_API_KEY_NOT_YET_VALID, key->not_before_ms);
    if (key->expires_at_ms && now_ms >= key->expires_at_ms)
        return refusal_since(E_API_KEY_EXPIRED, key->expires_at_ms);
    return (struct verdict){0};
}

static bool lacks(const struct decide_key *key, const struct scope_expr *needs)
{
    return needs && scope_expr_missing(needs, key->scopes).bits;
}

/* Whether the living key may do this, from here. An unknown address or place passes no rule. */
static struct verdict judge_rights(const struct decide_key *key, const struct decide_facts *facts)
{
    if (!key->employer_is_active)
        return refusal(E_EMPLOYER_INACTIVE);
    if (!key->employer_is_approved)
        return refusal(E_EMPLOYER_NOT_APPROVED);
    if (key->person_is_inactive)
        return refusal(E_USER_INACTIVE);
    if (key->n_cidrs && !net_cidrs_have(key->cidrs, key->n_cidrs, &facts->client))
        return refusal(E_API_KEY_IP_NOT_ALLOWED);
    if (key->places && !places_have(key->places, facts->country))
        return refusal(E_GEO_NOT_ALLOWED);
    if (facts->of_rules != E_OK)
        return refusal(facts->of_rules);
    if (!scope_has_all(key->scopes, facts->wanted) || lacks(key, facts->needs) ||
        lacks(key, facts->rule_needs))
        return refusal(E_INSUFFICIENT_SCOPE);
    return (struct verdict){0};
}

/* Refused calls cost nothing of the limit, but may not be made without end. */
static void charge_refusal(const struct decide_key *key, struct rate_now now, struct verdict *v,
                           struct meters *after)
{
    struct rate_policy policy = rate_refused_policy(&key->rate);
    struct rate_verdict rate;

    after->refused = rate_judge(&policy, after->refused, now, 1, &rate);
    if (!rate.is_allowed && v->code != E_RATE_LIMITED)
        *v = (struct verdict){.code = E_RATE_LIMITED, .rate = rate};
}

bool decide_is_known(const struct decide_key *key, const struct decide_facts *facts)
{
    if (facts->api != DECIDE_ANY_API && key->api != facts->api)
        return false;
    return str_is_none(facts->employer_id) || str_eq(key->employer_id, facts->employer_id);
}

struct verdict decide(const struct decide_key *key, const struct decide_facts *facts,
                      struct meters before, struct meters *after)
{
    struct verdict v = judge_request(facts);

    *after = before;
    if (v.code != E_OK)
        return v;
    if (!key || !decide_is_known(key, facts))
        return refusal(E_INVALID_API_KEY);
    v = judge_life(key, facts->now.wall_ms);
    if (v.code == E_OK)
        v = judge_rights(key, facts);
    if (facts->is_peek)
        return v;
    if (v.code == E_OK) {
        after->granted = rate_judge(&key->rate, before.granted, facts->now, facts->cost, &v.rate);
        v.code = v.rate.is_allowed ? E_OK : E_RATE_LIMITED;
    }
    if (v.code != E_OK)
        charge_refusal(key, facts->now, &v, after);
    return v;
}
