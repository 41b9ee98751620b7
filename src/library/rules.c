/* What a key may say: the caller's struct checked, and read into the decision's own. */
#include "library/rules.h"

#include "base/time.h"

#include "base/banned.h"

static_assert(SALLYPORT_REQUESTS_MAX == (int)RATE_REQUESTS_MAX, "as in decide/limit.h");
static_assert(SALLYPORT_WINDOW_MAX_S == (int)RATE_WINDOW_MAX_S, "as in decide/limit.h");
static_assert(SALLYPORT_TIME_MAX_MS == TIME_MAX_MS, "as in base/time.h");

enum sallyport_result read_id(const char *member, const char *text,
                              struct sallyport_problem *problem, str *out)
{
    str id = str_of(text);

    if (id.n == 0 || id.n > SALLYPORT_ID_MAX_BYTES)
        return invalid(problem, member, WHOLE, "must be 1 to %d bytes", SALLYPORT_ID_MAX_BYTES);
    *out = id;
    return SALLYPORT_OK;
}

static enum sallyport_result read_ids(const struct sallyport_key *key,
                                      struct sallyport_problem *problem, struct library_key *out)
{
    out->owner_id = S("");
    if (key->owner_id && read_id("owner_id", key->owner_id, problem, &out->owner_id))
        return SALLYPORT_INVALID;
    return read_id("id", key->id, problem, &out->id);
}

static enum sallyport_result read_scopes(const struct sallyport_table *table,
                                         const struct sallyport_key *key,
                                         struct sallyport_problem *problem, struct library_key *out)
{
    size_t n = table->names.n;
    uint64_t named = n < SCOPES_MAX ? (UINT64_C(1) << n) - 1 : UINT64_MAX;

    if (key->scopes & ~named)
        return invalid(problem, "scopes", WHOLE, "has a bit that none of the %zu names is of", n);
    out->policy.scopes.bits = key->scopes;
    return SALLYPORT_OK;
}

static enum sallyport_result read_address(const struct sallyport_key *key, size_t i,
                                          struct sallyport_problem *problem, struct net_cidr *out)
{
    char right[NET_TEXT_BYTES];

    switch (net_cidr_parse(str_of(key->addresses[i]), out)) {
    case CIDR_OK:
        return SALLYPORT_OK;
    case CIDR_HOST_BITS:
        net_addr_text(&out->addr, right);
        return invalid(problem, "addresses", i,
                       "has bits set beyond the prefix; %s/%d is the block", right, out->prefix);
    case CIDR_BAD_PREFIX:
        return invalid(
            problem, "addresses", i,
            "has a prefix length that is not valid; 0 to 32 for IPv4, 0 to 128 for IPv6");
    case CIDR_BAD_ADDRESS:
        break;
    }
    return invalid(problem, "addresses", i,
                   "is not an address or block such as 203.0.113.0/24 or 2001:db8::/32");
}

static enum sallyport_result read_addresses(const struct sallyport_key *key,
                                            struct sallyport_problem *problem,
                                            struct library_key *out)
{
    if (key->n_addresses > SALLYPORT_ADDRESSES_MAX)
        return invalid(problem, "n_addresses", WHOLE, "must be at most %d",
                       SALLYPORT_ADDRESSES_MAX);
    for (size_t i = 0; i < key->n_addresses; i++)
        if (read_address(key, i, problem, &out->cidrs[i]) != SALLYPORT_OK)
            return SALLYPORT_INVALID;
    out->policy.cidrs = out->cidrs;
    out->policy.n_cidrs = key->n_addresses;
    return SALLYPORT_OK;
}

static enum sallyport_result read_times(const struct sallyport_key *key,
                                        struct sallyport_problem *problem, struct library_key *out)
{
    const struct {
        const char *member;
        int64_t given_ms;
        int64_t *out_ms;
    } times[] = {
        {"not_before_ms", key->not_before_ms, &out->policy.not_before_ms},
        {"expires_at_ms", key->expires_at_ms, &out->policy.expires_at_ms},
        {"revoked_at_ms", key->revoked_at_ms, &out->policy.revoked_at_ms},
        {"rotated_at_ms", key->rotated_at_ms, &out->policy.rotated_at_ms},
        {"secret_ends_at_ms", key->secret_ends_at_ms, &out->policy.secret_ends_at_ms},
    };

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (times[i].given_ms < 0 || times[i].given_ms > TIME_MAX_MS)
            return invalid(problem, times[i].member, WHOLE,
                           "must be 0, or milliseconds since 1970 and before the year 10000");
        *times[i].out_ms = times[i].given_ms;
    }
    if (key->expires_at_ms && key->not_before_ms >= key->expires_at_ms)
        return invalid(problem, "not_before_ms", WHOLE, "must be before expires_at_ms");
    return SALLYPORT_OK;
}

static enum sallyport_result read_rate(const struct sallyport_key *key,
                                       struct sallyport_problem *problem, struct library_key *out)
{
    bool has_limit = key->rate_requests != 0;

    if (key->rate_requests < 0 || key->rate_requests > RATE_REQUESTS_MAX)
        return invalid(problem, "rate_requests", WHOLE, "must be 0 to %d", RATE_REQUESTS_MAX);
    if (key->rate_window_s < has_limit || key->rate_window_s > RATE_WINDOW_MAX_S * has_limit)
        return invalid(problem, "rate_window_s", WHOLE,
                       has_limit ? "must be 1 to %d"
                                 : "must be 0 where there is no limit, not 1 to %d",
                       RATE_WINDOW_MAX_S);
    if (key->rate_algorithm != SALLYPORT_GCRA && key->rate_algorithm != SALLYPORT_FIXED)
        return invalid(problem, "rate_algorithm", WHOLE,
                       "must be SALLYPORT_GCRA or SALLYPORT_FIXED");
    out->policy.rate = (struct rate_policy){
        .requests = key->rate_requests,
        .window_ms = key->rate_window_s * SECOND_MS,
        .algorithm = key->rate_algorithm == SALLYPORT_FIXED ? RATE_FIXED : RATE_GCRA,
    };
    return SALLYPORT_OK;
}

enum sallyport_result library_read_key(const struct sallyport_table *table,
                                       const struct sallyport_key *key,
                                       struct sallyport_problem *problem, struct library_key *out)
{
    out->policy = (struct decide_key){
        .is_active = !key->is_inactive, .employer_is_active = true, .employer_is_approved = true};
    if (read_ids(key, problem, out) || read_scopes(table, key, problem, out) ||
        read_addresses(key, problem, out) || read_times(key, problem, out) ||
        read_rate(key, problem, out))
        return SALLYPORT_INVALID;
    return SALLYPORT_OK;
}
