/* decide/decide.h */
#include "unit.h"

#include "base/time.h"
#include "decide/decide.h"

enum { NOW_MS = 1000000 };

/* Everything that a decision is made from; a_call() is one that passes with every rule on. */
struct call {
    struct decide_key key;
    struct decide_facts facts;
    struct meters meters;
    struct net_cidr cidr;
    struct places places;
    bool is_unknown;
};

static struct call a_call(void)
{
    struct call c = {
        .key = {.employer_id = S("emp_1"),
                .is_active = true,
                .not_before_ms = 1,
                .expires_at_ms = NOW_MS * 2,
                .employer_is_active = true,
                .employer_is_approved = true,
                .n_cidrs = 1,
                .scopes = scope_parse(S("cohort:read cohort:write")),
                .rate = {120, 60 * SECOND_MS, RATE_GCRA}},
        .facts = {.now = {NOW_MS, INT64_C(1000000) * NOW_MS},
                  .employer_id = S("emp_1"),
                  .version_is_required = true,
                  .version = {VERSION_OK, S("v1"), S("2026-02-01")},
                  .country = {{'F', 'R'}},
                  .wanted = scope_parse(S("cohort:read")),
                  .cost = 1},
        .places = places_parse(S("+FR")),
    };

    assert_true(net_addr_parse(S("192.0.2.7"), &c.facts.client));
    assert_int_equal(net_cidr_parse(S("192.0.2.0/24"), &c.cidr), CIDR_OK);
    return c;
}

static struct verdict decided(struct call *c)
{
    struct meters after;

    c->key.cidrs = &c->cidr;
    c->key.places = &c->places;
    struct verdict v = decide(c->is_unknown ? NULL : &c->key, &c->facts, c->meters, &after);
    c->meters = after;
    return v;
}

static void assert_decided(struct call c, enum err want)
{
    assert_int_equal(decided(&c).code, want);
}

/* ---- every way to fail, in the order of decide.h ---- */

static void break_version(struct call *c)
{
    c->facts.version.fault = VERSION_UNSUPPORTED;
}

static void break_text(struct call *c)
{
    c->facts.text = (struct key_text_verdict){KEY_TEXT_SHORT, 3};
}

static void make_unknown(struct call *c)
{
    c->is_unknown = true;
}

static void issue_for_other_api(struct call *c)
{
    c->key.api = 1;
}

static void give_to_other_employer(struct call *c)
{
    c->key.employer_id = S("emp_2");
}

static void revoke(struct call *c)
{
    c->key.revoked_at_ms = 500;
}

static void rotate_out(struct call *c)
{
    c->key.rotated_at_ms = 600;
    c->key.secret_ends_at_ms = 700;
}

static void switch_off(struct call *c)
{
    c->key.is_active = false;
}

static void delay(struct call *c)
{
    c->key.not_before_ms = NOW_MS + 1;
}

static void expire(struct call *c)
{
    c->key.expires_at_ms = NOW_MS;
}

static void stop_employer(struct call *c)
{
    c->key.employer_is_active = false;
}

static void disapprove_employer(struct call *c)
{
    c->key.employer_is_approved = false;
}

static void stop_person(struct call *c)
{
    c->key.person_is_inactive = true;
}

static void move_address(struct call *c)
{
    assert_true(net_addr_parse(S("198.51.100.7"), &c->facts.client));
}

static void move_country(struct call *c)
{
    c->facts.country = (struct country){{'U', 'S'}};
}

static void take_scope(struct call *c)
{
    c->key.scopes = scope_parse(S("cohort:write"));
}

static void use_up(struct call *c)
{
    struct rate_verdict v;

    c->meters.granted = rate_judge(&c->key.rate, 0, c->facts.now, 120, &v);
    assert_true(v.is_allowed);
}

static const struct {
    const char *name;
    void (*apply)(struct call *c);
    struct verdict want;
} failures[] = {
    {"version", break_version, {.code = E_UNSUPPORTED_API_VERSION}},
    {"text", break_text, {.code = E_INVALID_API_KEY}},
    {"unknown", make_unknown, {.code = E_INVALID_API_KEY}},
    {"of another API", issue_for_other_api, {.code = E_INVALID_API_KEY}},
    {"of another employer", give_to_other_employer, {.code = E_INVALID_API_KEY}},
    {"revoked", revoke, {.code = E_API_KEY_REVOKED, .since_ms = 500}},
    {"rotated", rotate_out, {.code = E_API_KEY_REVOKED, .since_ms = 600, .is_rotated_out = true}},
    {"inactive", switch_off, {.code = E_API_KEY_INACTIVE}},
    {"early", delay, {.code = E_API_KEY_NOT_YET_VALID, .since_ms = NOW_MS + 1}},
    {"expired", expire, {.code = E_API_KEY_EXPIRED, .since_ms = NOW_MS}},
    {"employer inactive", stop_employer, {.code = E_EMPLOYER_INACTIVE}},
    {"employer not approved", disapprove_employer, {.code = E_EMPLOYER_NOT_APPROVED}},
    {"person inactive", stop_person, {.code = E_USER_INACTIVE}},
    {"address", move_address, {.code = E_API_KEY_IP_NOT_ALLOWED}},
    {"country", move_country, {.code = E_GEO_NOT_ALLOWED}},
    {"scope", take_scope, {.code = E_INSUFFICIENT_SCOPE}},
    {"rate", use_up, {.code = E_RATE_LIMITED}},
};

enum {
    FAILURES = sizeof failures / sizeof *failures,
    FIRST_OF_A_KNOWN_KEY = 5,
    RATE = FAILURES - 1,
};

static void assert_verdict(struct call c, size_t i, const char *other)
{
    struct verdict v = decided(&c), want = failures[i].want;

    if (v.code != want.code || v.since_ms != want.since_ms ||
        v.is_rotated_out != want.is_rotated_out)
        flunk("%s with %s: code %d since %lld", failures[i].name, other, (int)v.code,
              (long long)v.since_ms);
}

static void a_call_with_every_rule_kept_passes(void **state)
{
    (void)state;
    assert_decided(a_call(), E_OK);
}

static void every_failure_alone_is_refused_with_its_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAILURES; i++) {
        struct call c = a_call();
        failures[i].apply(&c);
        assert_verdict(c, i, "nothing else");
    }
}

static void of_every_two_failures_the_earlier_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAILURES; i++) {
        for (size_t k = i + 1; k < FAILURES; k++) {
            struct call c = a_call();
            failures[k].apply(&c);
            failures[i].apply(&c);
            assert_verdict(c, i, failures[k].name);
        }
    }
}

static void of_all_failures_from_any_on_the_first_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAILURES; i++) {
        struct call c = a_call();
        for (size_t k = i; k < FAILURES; k++)
            failures[k].apply(&c);
        assert_verdict(c, i, "all after it");
    }
}

/* ---- the two buckets ---- */

static void every_refusal_of_a_known_key_is_charged_to_the_second_bucket_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAILURES; i++) {
        struct call c = a_call();
        failures[i].apply(&c);
        struct meters before = c.meters;
        decided(&c);
        assert_int_equal(c.meters.granted, before.granted);
        assert_int_equal(c.meters.refused != before.refused, i >= FIRST_OF_A_KNOWN_KEY);
    }
}

static void a_granted_call_is_charged_to_the_first_bucket_only(void **state)
{
    struct call c = a_call();
    struct verdict v = decided(&c);

    (void)state;
    assert_int_equal(v.rate.limit, 120);
    assert_int_equal(v.rate.remaining, 119);
    assert_int_not_equal(c.meters.granted, 0);
    assert_int_equal(c.meters.refused, 0);
}

static void an_expression_is_needed_beside_the_wanted(void **state)
{
    struct scope_expr_fault fault;
    struct scope_expr needs;
    struct call c = a_call();

    (void)state;
    assert_true(scope_expr_parse(S("cohort:read OR export:read"), &needs, &fault));
    c.facts.needs = &needs;
    c.key.scopes = scope_parse(S("export:read"));
    c.facts.wanted = (struct scope_set){0};
    assert_int_equal(decided(&c).code, E_OK);
    c.facts.wanted = scope_parse(S("fhir:read"));
    assert_int_equal(decided(&c).code, E_INSUFFICIENT_SCOPE);
    c.key.scopes = scope_parse(S("fhir:read sso:manage"));
    assert_int_equal(decided(&c).code, E_INSUFFICIENT_SCOPE);
}

static void ten_times_the_limit_of_refusals_passes_before_the_second_bucket_is_empty(void **state)
{
    struct call c = a_call();

    (void)state;
    take_scope(&c);
    for (int i = 0; i < 1200; i++)
        assert_int_equal(decided(&c).code, E_INSUFFICIENT_SCOPE);
    struct verdict v = decided(&c);
    assert_int_equal(v.code, E_RATE_LIMITED);
    assert_int_equal(v.rate.limit, 1200);
    assert_true(v.rate.retry_after_ms > 0);
    assert_int_equal(c.meters.granted, 0);
    c.key.scopes = scope_parse(S("cohort:read"));
    assert_int_equal(decided(&c).code, E_OK);
}

static void every_refusal_of_a_known_key_becomes_rate_limited_in_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAILURES; i++) {
        struct call c = a_call();
        struct rate_policy refused = rate_refused_policy(&c.key.rate);
        struct rate_verdict ignored;
        c.meters.refused = rate_judge(&refused, 0, c.facts.now, refused.requests, &ignored);
        failures[i].apply(&c);
        enum err want = i < FIRST_OF_A_KNOWN_KEY ? failures[i].want.code : E_RATE_LIMITED;
        assert_int_equal(decided(&c).code, want);
    }
}

static void a_used_up_limit_keeps_its_own_numbers_when_both_buckets_are_empty(void **state)
{
    struct call c = a_call();
    struct verdict v;

    (void)state;
    use_up(&c);
    for (int i = 0; i < 1300; i++)
        v = decided(&c);
    assert_int_equal(v.code, E_RATE_LIMITED);
    assert_int_equal(v.rate.limit, 120);
    assert_int_equal(v.rate.retry_after_ms, 500);
}

static void without_a_policy_neither_bucket_is_touched(void **state)
{
    (void)state;
    for (size_t i = 0; i < RATE; i++) {
        struct call c = a_call();
        c.key.rate = (struct rate_policy){0};
        failures[i].apply(&c);
        for (int n = 0; n < 3; n++)
            assert_int_equal(decided(&c).code, failures[i].want.code);
        assert_int_equal(c.meters.granted, 0);
        assert_int_equal(c.meters.refused, 0);
    }
    struct call c = a_call();
    c.key.rate = (struct rate_policy){0};
    struct verdict v = decided(&c);
    assert_int_equal(v.code, E_OK);
    assert_int_equal(v.rate.limit, 0);
    assert_int_equal(c.meters.granted, 0);
}

static void a_call_may_cost_more_than_one(void **state)
{
    struct call c = a_call();

    (void)state;
    c.facts.cost = 100;
    assert_int_equal(decided(&c).rate.remaining, 20);
    assert_int_equal(decided(&c).code, E_RATE_LIMITED);
    c.facts.cost = 20;
    assert_int_equal(decided(&c).code, E_OK);
}

/* ---- exact instants ---- */

static void a_key_expires_at_its_exact_millisecond(void **state)
{
    struct call c = a_call();

    (void)state;
    c.key.expires_at_ms = NOW_MS + 1;
    assert_decided(c, E_OK);
    c.key.expires_at_ms = NOW_MS;
    assert_decided(c, E_API_KEY_EXPIRED);
    c.key.expires_at_ms = 0;
    assert_decided(c, E_OK);
}

static void a_key_begins_at_its_exact_millisecond(void **state)
{
    struct call c = a_call();

    (void)state;
    c.key.not_before_ms = NOW_MS;
    assert_decided(c, E_OK);
    c.key.not_before_ms = NOW_MS + 1;
    assert_decided(c, E_API_KEY_NOT_YET_VALID);
    c.key.not_before_ms = 0;
    assert_decided(c, E_OK);
}

static void an_old_secret_ends_at_the_exact_millisecond_of_its_overlap(void **state)
{
    struct call c = a_call();

    (void)state;
    c.key.rotated_at_ms = 600;
    c.key.secret_ends_at_ms = NOW_MS + 1;
    assert_decided(c, E_OK);
    c.key.secret_ends_at_ms = NOW_MS;
    assert_decided(c, E_API_KEY_REVOKED);
}

static void a_revocation_counts_even_if_its_instant_is_ahead_of_this_clock(void **state)
{
    struct call c = a_call();

    (void)state;
    c.key.revoked_at_ms = NOW_MS + 5000;
    assert_decided(c, E_API_KEY_REVOKED);
}

/* ---- rules and unknown facts ---- */

static void who_asks_about_any_api_or_employer_is_answered(void **state)
{
    struct call c = a_call();

    (void)state;
    c.key.api = 7;
    c.facts.api = DECIDE_ANY_API;
    assert_decided(c, E_OK);
    c.facts.api = 7;
    c.facts.employer_id = STR_NONE;
    assert_decided(c, E_OK);
}

static void a_missing_version_is_refused_only_where_it_is_required(void **state)
{
    struct call c = a_call();

    (void)state;
    c.facts.version.fault = VERSION_MISSING;
    assert_decided(c, E_UNSUPPORTED_API_VERSION);
    c.facts.version_is_required = false;
    assert_decided(c, E_OK);
    c.facts.version.fault = VERSION_UNSUPPORTED;
    assert_decided(c, E_UNSUPPORTED_API_VERSION);
    c.facts.version.fault = VERSION_CONFLICT;
    assert_decided(c, E_UNSUPPORTED_API_VERSION);
}

static void every_fault_of_the_text_makes_the_key_invalid(void **state)
{
    (void)state;
    for (int fault = KEY_TEXT_MISSING; fault <= KEY_TEXT_CHECKSUM; fault++) {
        struct call c = a_call();
        c.facts.text.fault = (enum key_fault)fault;
        assert_decided(c, E_INVALID_API_KEY);
    }
}

static void an_unknown_address_passes_no_address_rule(void **state)
{
    struct call c = a_call();

    (void)state;
    c.facts.client = (struct net_addr){0};
    assert_decided(c, E_API_KEY_IP_NOT_ALLOWED);
    assert_int_equal(net_cidr_parse(S("0.0.0.0/0"), &c.cidr), CIDR_OK);
    assert_decided(c, E_API_KEY_IP_NOT_ALLOWED);
    c.key.n_cidrs = 0;
    assert_decided(c, E_OK);
}

static void an_unknown_country_passes_no_list_of_allowed_ones(void **state)
{
    struct call c = a_call();

    (void)state;
    c.facts.country = (struct country){{0}};
    assert_decided(c, E_GEO_NOT_ALLOWED);
    c.places = places_parse(S("-US"));
    assert_decided(c, E_OK);
    c.places = places_parse(S("+FR ?"));
    assert_decided(c, E_OK);
    c.places = places_parse(S(""));
    assert_decided(c, E_OK);
}

static void a_route_may_want_several_scopes_or_none(void **state)
{
    struct call c = a_call();

    (void)state;
    c.facts.wanted = scope_parse(S("cohort:read cohort:write"));
    assert_decided(c, E_OK);
    c.facts.wanted = scope_parse(S("cohort:read fhir:read"));
    assert_decided(c, E_INSUFFICIENT_SCOPE);
    c.facts.wanted = scope_parse(S(""));
    c.key.scopes = scope_parse(S(""));
    assert_decided(c, E_OK);
}

static void an_unknown_key_leaves_the_meters_as_they_were(void **state)
{
    struct call c = a_call();

    (void)state;
    make_unknown(&c);
    c.meters = (struct meters){11, 22};
    decided(&c);
    assert_int_equal(c.meters.granted, 11);
    assert_int_equal(c.meters.refused, 22);
}

static void the_same_values_give_the_same_verdict(void **state)
{
    struct call a = a_call(), b = a_call();

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct verdict va = decided(&a), vb = decided(&b);
        assert_int_equal(va.code, vb.code);
        assert_int_equal(va.rate.remaining, vb.rate.remaining);
        assert_memory_equal(&a.meters, &b.meters, sizeof a.meters);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_with_every_rule_kept_passes),
        cmocka_unit_test(every_failure_alone_is_refused_with_its_code),
        cmocka_unit_test(of_every_two_failures_the_earlier_decides),
        cmocka_unit_test(of_all_failures_from_any_on_the_first_decides),
        cmocka_unit_test(every_refusal_of_a_known_key_is_charged_to_the_second_bucket_only),
        cmocka_unit_test(a_granted_call_is_charged_to_the_first_bucket_only),
        cmocka_unit_test(an_expression_is_needed_beside_the_wanted),
        cmocka_unit_test(ten_times_the_limit_of_refusals_passes_before_the_second_bucket_is_empty),
        cmocka_unit_test(every_refusal_of_a_known_key_becomes_rate_limited_in_the_end),
        cmocka_unit_test(a_used_up_limit_keeps_its_own_numbers_when_both_buckets_are_empty),
        cmocka_unit_test(without_a_policy_neither_bucket_is_touched),
        cmocka_unit_test(a_call_may_cost_more_than_one),
        cmocka_unit_test(a_key_expires_at_its_exact_millisecond),
        cmocka_unit_test(a_key_begins_at_its_exact_millisecond),
        cmocka_unit_test(an_old_secret_ends_at_the_exact_millisecond_of_its_overlap),
        cmocka_unit_test(a_revocation_counts_even_if_its_instant_is_ahead_of_this_clock),
        cmocka_unit_test(who_asks_about_any_api_or_employer_is_answered),
        cmocka_unit_test(a_missing_version_is_refused_only_where_it_is_required),
        cmocka_unit_test(every_fault_of_the_text_makes_the_key_invalid),
        cmocka_unit_test(an_unknown_address_passes_no_address_rule),
        cmocka_unit_test(an_unknown_country_passes_no_list_of_allowed_ones),
        cmocka_unit_test(a_route_may_want_several_scopes_or_none),
        cmocka_unit_test(an_unknown_key_leaves_the_meters_as_they_were),
        cmocka_unit_test(the_same_values_give_the_same_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
