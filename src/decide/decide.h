/*
 * The one decision: a key record, the request's facts and the time in; a verdict out, with every
 * fact that the explanation needs. Pure: no clock, no store, no allocation, no lock.
 *
 * Order of checks: version, credential shape, key known (to the asker, for the API), revoked,
 * inactive, not yet valid, expired, employer active and approved, person active, address, place,
 * rules of method and path, scope, rate limit. The first that fails decides.
 */
#ifndef SALLYPORT_DECIDE_DECIDE_H
#define SALLYPORT_DECIDE_DECIDE_H

#include "base/cx.h"
#include "base/net.h"
#include "decide/key_text.h"
#include "decide/limit.h"
#include "decide/places.h"
#include "decide/scope_expr.h"
#include "decide/version.h"

/* APIs are told apart by a number; where there is one alone, it is 0. Of facts: whatever the key
 * is for. */
#define DECIDE_ANY_API UINT32_MAX

/* All that the decision needs of one live or dead secret and its key. Instants of 0 mean never. */
struct decide_key {
    uint32_t api;
    str employer_id; /* a loan; looked at only where the facts name one */
    int64_t revoked_at_ms;
    int64_t rotated_at_ms;     /* this secret was replaced then */
    int64_t secret_ends_at_ms; /* and works until then */
    bool is_active;
    int64_t not_before_ms;
    int64_t expires_at_ms; /* the first millisecond at which it no longer works */
    bool employer_is_active;
    bool employer_is_approved;
    bool person_is_inactive;      /* of a person's own key */
    const struct net_cidr *cidrs; /* empty: any address */
    size_t n_cidrs;
    const struct places *places; /* NULL: anywhere */
    struct scope_set scopes;
    struct rate_policy rate;
};

struct decide_facts {
    struct rate_now now;
    uint32_t api;    /* that the key must be for; or DECIDE_ANY_API */
    str employer_id; /* that the key must belong to; STR_NONE: any */
    bool version_is_required;
    struct version_claim version;
    struct key_text_verdict text;
    struct net_addr client; /* NET_NONE: not known */
    struct country country;
    struct scope_set wanted;        /* all of these */
    const struct scope_expr *needs; /* and this; NULL: no more */
    int64_t cost;                   /* 1, unless the caller says otherwise */
    bool is_counted;                /* the asker wants to know how often the key was used */
    bool is_peek; /* only asked about: no use, so no limit is looked at or charged */
    const struct scope_names *names; /* of all scopes here; NULL: the enterprise API's */
    enum err of_rules; /* what the rules of method and path come to: E_OK, or why they refuse */
    const struct scope_expr *rule_needs; /* and this, of the rule that decided; NULL: nothing */
};

/* The states of the two buckets of a key: calls that pass, and calls that are refused. */
struct meters {
    int64_t granted;
    int64_t refused;
};

struct verdict {
    enum err code;            /* E_OK, or a line of the catalogue */
    struct rate_verdict rate; /* limit 0: none was looked at */
    int64_t since_ms;    /* revoked, rotated, expired or valid from: the instant that decided */
    bool is_rotated_out; /* API_KEY_REVOKED because its overlap has ended */
};

/* Is there such a key for the asker? A key of another API, or of an employer that is not the
 * asker's business, is answered as one that does not exist. */
bool decide_is_known(const struct decide_key *key, const struct decide_facts *facts);

/*
 * key     NULL: no such key
 * before  the key's meters; ignored when key is NULL
 * after   what they are now; the caller stores it, or decides again if another was faster
 */
struct verdict decide(const struct decide_key *key, const struct decide_facts *facts,
                      struct meters before, struct meters *after);

/*
 * Say why, into cx->failure: detail, hint, the members that the contract names (requiredScopes,
 * keyScopes, supportedVersions) and retry_after_s. key may be NULL. `form` is what a key of this
 * API looks like, and `field` the header it belongs in.
 */
void decide_explain(struct cx *cx, const struct verdict *verdict, const struct decide_key *key,
                    const struct decide_facts *facts, const struct key_form *form, str field);

#endif
