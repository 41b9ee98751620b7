/* decide_explain of decide/decide.h */
#include "unit.h"

#include "base/json.h"
#include "decide/decide.h"

static const struct key_form live = {{"mt", 2}, {"live", 4}};
static const struct key_form test = {{"mt", 2}, {"test", 4}};

/* 2026-03-05T09:30:00.000Z */
#define AN_INSTANT INT64_C(1772703000000)

struct telling {
    struct arena *arena;
    struct cx cx;
    struct verdict verdict;
    struct decide_key key;
    struct decide_facts facts;
    struct key_form form;
    str field;
};

static int set_up(void **state)
{
    struct telling *t = test_calloc(1, sizeof *t);

    t->arena = t->cx.arena = arena_new();
    t->facts.cost = 1;
    t->key.rate = (struct rate_policy){120, 60000, RATE_GCRA};
    t->form = live;
    t->field = S("x-api-key");
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct telling *t = *state;

    arena_drop(&t->arena);
    test_free(t);
    return 0;
}

static void tell(struct telling *t, enum err code)
{
    t->verdict.code = code;
    decide_explain(&t->cx, &t->verdict, &t->key, &t->facts, &t->form, t->field);
}

static void tell_fault(struct telling *t, enum key_fault fault, size_t by)
{
    t->facts.text = (struct key_text_verdict){fault, by};
    tell(t, E_INVALID_API_KEY);
}

static void assert_detail(const struct telling *t, const char *want)
{
    if (!str_eq(t->cx.failure.detail, str_of(want)))
        flunk("detail: %.*s\nwanted: %s", STR_ARG(t->cx.failure.detail), want);
}

static void assert_hint_has(const struct telling *t, const char *part)
{
    str hint = t->cx.failure.hint;

    if (!memmem(hint.p, hint.n, part, strlen(part)))
        flunk("hint: %.*s\nlacks: %s", STR_ARG(hint), part);
}

static void assert_members(const struct telling *t, const char *want)
{
    if (!str_eq(t->cx.failure.members, str_of(want)))
        flunk("members: %.*s\nwanted: %s", STR_ARG(t->cx.failure.members), want);
}

/* ---- version ---- */

static void a_missing_version_is_told_with_the_line_to_add(void **state)
{
    struct telling *t = *state;

    t->facts.version.fault = VERSION_MISSING;
    tell(t, E_UNSUPPORTED_API_VERSION);
    assert_detail(t, "The call asks for no API version.");
    assert_hint_has(t, "x-api-version: 2026-02-01");
    assert_members(t, "\"supportedVersions\":[\"2026-02-01\",\"v1\"]");
}

static void an_unknown_version_is_named(void **state)
{
    struct telling *t = *state;

    t->facts.version = (struct version_claim){VERSION_UNSUPPORTED, S("v2"), STR_NONE};
    tell(t, E_UNSUPPORTED_API_VERSION);
    assert_detail(t, "There is no API version 'v2'.");
    assert_hint_has(t, "x-api-version: 2026-02-01");
    assert_members(t, "\"supportedVersions\":[\"2026-02-01\",\"v1\"]");
}

static void a_version_that_could_be_a_key_is_not_repeated(void **state)
{
    struct telling *t = *state;

    t->facts.version =
        (struct version_claim){VERSION_UNSUPPORTED, S("mt_live_0123456789abcdef"), STR_NONE};
    tell(t, E_UNSUPPORTED_API_VERSION);
    assert_detail(t, "There is no such API version.");
    t->facts.version.asked = S("a\x01");
    tell(t, E_UNSUPPORTED_API_VERSION);
    assert_detail(t, "There is no such API version.");
}

static void two_versions_are_told(void **state)
{
    struct telling *t = *state;

    t->facts.version.fault = VERSION_CONFLICT;
    tell(t, E_UNSUPPORTED_API_VERSION);
    assert_detail(t, "The call asks for two different API versions.");
    assert_hint_has(t, "x-api-version: 2026-02-01");
}

/* ---- the text of the key ---- */

static void a_missing_key_is_told_with_the_line_to_add(void **state)
{
    struct telling *t = *state;

    tell(t, E_MISSING_CREDENTIALS);
    assert_hint_has(t, "'x-api-key: mt_live_…'");
    tell_fault(t, KEY_TEXT_MISSING, 0);
    assert_detail(t, "The field x-api-key is empty.");
    assert_hint_has(t, "'x-api-key: mt_live_…'");
}

static void a_key_of_wrong_length_is_told_by_how_many(void **state)
{
    struct telling *t = *state;

    tell_fault(t, KEY_TEXT_SHORT, 12);
    assert_detail(t, "The key is cut short by 12 characters.");
    assert_hint_has(t, "72 characters in all");
    tell_fault(t, KEY_TEXT_SHORT, 1);
    assert_detail(t, "The key is cut short by 1 character.");
    tell_fault(t, KEY_TEXT_LONG, 2);
    assert_detail(t, "The key is too long by 2 characters.");
}

static void what_is_around_a_key_is_told(void **state)
{
    struct telling *t = *state;

    tell_fault(t, KEY_TEXT_SPACES, 0);
    assert_detail(t, "There are spaces or line breaks around the key, or inside it.");
    tell_fault(t, KEY_TEXT_QUOTED, 0);
    assert_detail(t, "There are quotation marks around the key.");
    tell_fault(t, KEY_TEXT_SCHEME, 0);
    assert_detail(t, "There is a word such as Bearer before the key in x-api-key.");
    assert_hint_has(t, "x-api-key: mt_live_…");
}

static void another_environment_is_told_from_both_sides(void **state)
{
    struct telling *t = *state;

    tell_fault(t, KEY_TEXT_ENVIRONMENT, 0);
    assert_detail(
        t, "This is a mt_test_ key, and this server is production, which takes mt_live_ keys.");
    t->form = test;
    tell_fault(t, KEY_TEXT_ENVIRONMENT, 0);
    assert_detail(
        t, "This is a mt_live_ key, and this server is not production, which takes mt_test_ keys.");
}

static void wrong_characters_are_told(void **state)
{
    struct telling *t = *state;

    tell_fault(t, KEY_TEXT_PREFIX, 0);
    assert_detail(t, "The key does not start with mt_live_.");
    tell_fault(t, KEY_TEXT_UPPER_CASE, 0);
    assert_detail(t, "The key has upper-case letters.");
    assert_hint_has(t, "lower case");
    tell_fault(t, KEY_TEXT_NOT_HEX, 14);
    assert_detail(t, "Character 14 of the key is not one of 0-9 and a-f.");
    tell_fault(t, KEY_TEXT_CHECKSUM, 0);
    assert_hint_has(t, "t least one character is wrong or the end is missing; copy it again");
}

static void a_key_in_the_wrong_place_or_twice_is_told(void **state)
{
    struct telling *t = *state;

    tell_fault(t, KEY_TEXT_IN_WRONG_PLACE, 0);
    assert_detail(t, "The key was sent in Authorization or the query instead of x-api-key.");
    assert_hint_has(t, "'x-api-key: mt_live_…'");
    tell_fault(t, KEY_TEXT_TWICE, 0);
    assert_detail(t, "The key was sent twice: there are two x-api-key fields.");
}

static void a_field_of_bearer_tokens_is_shown_as_such(void **state)
{
    struct telling *t = *state;

    t->form = (struct key_form){S("k"), S("live")};
    t->field = S("Authorization");
    tell(t, E_MISSING_CREDENTIALS);
    assert_hint_has(t, "'Authorization: Bearer k_live_…'");
    tell_fault(t, KEY_TEXT_IN_WRONG_PLACE, 0);
    assert_detail(t, "The key was sent in another place instead of Authorization.");
}

static void an_unknown_key_is_told_as_such(void **state)
{
    struct telling *t = *state;

    tell_fault(t, KEY_TEXT_OK, 0);
    assert_detail(t, "The key is well formed, but it is not known here.");
}

/* ---- the life of the key ---- */

static void instants_are_told(void **state)
{
    struct telling *t = *state;

    t->verdict.since_ms = AN_INSTANT;
    tell(t, E_API_KEY_REVOKED);
    assert_detail(t, "The key was revoked at 2026-03-05T09:30:00.000Z.");
    tell(t, E_API_KEY_EXPIRED);
    assert_detail(t, "The key expired at 2026-03-05T09:30:00.000Z.");
    tell(t, E_API_KEY_NOT_YET_VALID);
    assert_detail(t, "The key is valid from 2026-03-05T09:30:00.000Z on.");
    t->verdict.is_rotated_out = true;
    tell(t, E_API_KEY_REVOKED);
    assert_detail(t, "The key was rotated at 2026-03-05T09:30:00.000Z, and its overlap has ended.");
}

/* ---- address and place ---- */

static void the_address_seen_is_told_and_the_list_is_not(void **state)
{
    struct telling *t = *state;
    struct net_cidr secret_range;

    assert_int_equal(net_cidr_parse(S("203.0.113.0/24"), &secret_range), CIDR_OK);
    t->key.cidrs = &secret_range;
    t->key.n_cidrs = 1;
    assert_true(net_addr_parse(S("198.51.100.7"), &t->facts.client));
    tell(t, E_API_KEY_IP_NOT_ALLOWED);
    assert_detail(t, "The address seen is 198.51.100.7.");
    assert_hint_has(t, "add 198.51.100.7/32");
    assert_null(memmem(t->cx.failure.hint.p, t->cx.failure.hint.n, "203.0.113", 9));
    assert_true(net_addr_parse(S("2001:db8::7"), &t->facts.client));
    tell(t, E_API_KEY_IP_NOT_ALLOWED);
    assert_hint_has(t, "add 2001:db8::7/128");
}

static void an_unknown_address_is_told(void **state)
{
    struct telling *t = *state;

    tell(t, E_API_KEY_IP_NOT_ALLOWED);
    assert_detail(t, "The key may be used from certain addresses only, and no address was known.");
    assert_hint_has(t, "must pass the client's address");
}

static void the_country_seen_is_told(void **state)
{
    struct telling *t = *state;

    tell(t, E_GEO_NOT_ALLOWED);
    assert_detail(t, "The key may be used from certain countries only, and none was known.");
    t->facts.country = (struct country){{'U', 'S'}};
    tell(t, E_GEO_NOT_ALLOWED);
    assert_detail(t, "The call comes from the country US.");
}

/* ---- scope ---- */

static void missing_scopes_are_told_and_both_lists_are_members(void **state)
{
    struct telling *t = *state;

    t->facts.wanted = scope_parse(S("cohort:read export:create"));
    t->key.scopes = scope_parse(S("cohort:read export:read"));
    tell(t, E_INSUFFICIENT_SCOPE);
    assert_detail(t, "The key lacks: export:create.");
    assert_hint_has(t, "export:create");
    assert_members(t, "\"requiredScopes\":[\"cohort:read\",\"export:create\"],"
                      "\"keyScopes\":[\"cohort:read\",\"export:read\"]");
}

static void of_an_expression_the_nearest_way_is_told(void **state)
{
    struct telling *t = *state;
    struct scope_expr_fault fault;
    struct scope_expr needs;

    assert_true(scope_expr_parse(S("fhir:read AND (cohort:read AND cohort:write OR export:read)"),
                                 &needs, &fault));
    t->facts.needs = &needs;
    t->key.scopes = scope_parse(S("fhir:read cohort:write sso:manage"));
    tell(t, E_INSUFFICIENT_SCOPE);
    assert_detail(t, "The key lacks: cohort:read.");
    assert_members(t, "\"requiredScopes\":[\"cohort:read\",\"cohort:write\",\"fhir:read\"],"
                      "\"keyScopes\":[\"cohort:write\",\"sso:manage\",\"fhir:read\"]");
    t->facts.needs = NULL;
}

static void a_key_without_scopes_has_an_empty_list(void **state)
{
    struct telling *t = *state;

    t->facts.wanted = scope_parse(S("fhir:read"));
    tell(t, E_INSUFFICIENT_SCOPE);
    assert_members(t, "\"requiredScopes\":[\"fhir:read\"],\"keyScopes\":[]");
}

static void another_api_has_its_own_names(void **state)
{
    static const str texts[] = {{"read:orders", 11}, {"write:orders", 12}};
    static const struct scope_names names = {texts, 2};
    struct telling *t = *state;

    t->facts.names = &names;
    t->facts.wanted.bits = 3;
    t->key.scopes.bits = 1;
    tell(t, E_INSUFFICIENT_SCOPE);
    assert_detail(t, "The key lacks: write:orders.");
    assert_members(t, "\"requiredScopes\":[\"read:orders\",\"write:orders\"],"
                      "\"keyScopes\":[\"read:orders\"]");
}

/* ---- rate ---- */

static void tell_limit(struct telling *t, int64_t limit, int64_t retry_after_ms)
{
    t->verdict.rate =
        (struct rate_verdict){.limit = limit, .window_ms = 60000, .retry_after_ms = retry_after_ms};
    tell(t, E_RATE_LIMITED);
}

static void the_time_to_wait_is_whole_seconds_rounded_up(void **state)
{
    struct telling *t = *state;
    static const struct {
        int64_t ms, s;
    } pairs[] = {{0, 1}, {1, 1}, {999, 1}, {1000, 1}, {1001, 2}, {12000, 12}, {12001, 13}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        tell_limit(t, 120, pairs[i].ms);
        assert_int_equal(t->cx.failure.retry_after_s, pairs[i].s);
    }
    assert_detail(t, "The limit of 120 requests in 60 s is used up.");
    assert_hint_has(t, "Retry in 13 seconds.");
    tell_limit(t, 120, 1);
    assert_hint_has(t, "Retry in 1 second.");
}

static void a_limit_of_refusals_is_told_as_such(void **state)
{
    struct telling *t = *state;

    tell_limit(t, 1200, 50);
    assert_detail(t, "The limit of 1200 refused calls in 60 s is used up.");
}

static void a_cost_that_can_never_pass_is_told(void **state)
{
    struct telling *t = *state;

    t->facts.cost = 200;
    tell_limit(t, 120, 60000);
    assert_detail(t, "The call counts as 200 requests, and the limit is 120.");
    assert_int_equal(t->cx.failure.retry_after_s, 60);
}

static void a_limit_without_a_key_is_told(void **state)
{
    struct telling *t = *state;

    t->verdict =
        (struct verdict){.code = E_RATE_LIMITED, .rate = {.limit = 60, .window_ms = 60000}};
    decide_explain(&t->cx, &t->verdict, NULL, &t->facts, &live, S("x-api-key"));
    assert_detail(t, "The limit of 60 requests in 60 s is used up.");
}

/* ---- all ---- */

static void success_tells_nothing(void **state)
{
    struct telling *t = *state;

    t->cx.failure.detail = S("left over");
    t->cx.failure.retry_after_s = 7;
    tell(t, E_OK);
    assert_true(str_is_none(t->cx.failure.detail));
    assert_int_equal(t->cx.failure.retry_after_s, 0);
}

static void assert_told_well(const struct telling *t)
{
    const struct failure *f = &t->cx.failure;

    assert_true(f->detail.n > 0);
    assert_true(str_ends(f->detail, S(".")));
    assert_true(f->hint.n > 0);
    assert_true(str_ends(f->hint, S(".")) || str_ends(f->hint, S("…")));
    if (f->members.n) {
        DROP(json) json_t *parsed = NULL;
        str whole = arena_printf(t->arena, "{%.*s}", STR_ARG(f->members));
        assert_int_equal(json_read((struct cx *)&t->cx, whole, &parsed), E_OK);
    }
}

static void every_code_and_every_fault_has_detail_and_hint(void **state)
{
    struct telling *t = *state;

    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++) {
        tell(t, (enum err)e);
        assert_told_well(t);
    }
    for (int fault = KEY_TEXT_OK; fault <= KEY_TEXT_CHECKSUM; fault++) {
        tell_fault(t, (enum key_fault)fault, 3);
        assert_told_well(t);
    }
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_missing_version_is_told_with_the_line_to_add),
        FACT(an_unknown_version_is_named),
        FACT(a_version_that_could_be_a_key_is_not_repeated),
        FACT(two_versions_are_told),
        FACT(a_missing_key_is_told_with_the_line_to_add),
        FACT(a_key_of_wrong_length_is_told_by_how_many),
        FACT(what_is_around_a_key_is_told),
        FACT(another_environment_is_told_from_both_sides),
        FACT(wrong_characters_are_told),
        FACT(a_key_in_the_wrong_place_or_twice_is_told),
        FACT(a_field_of_bearer_tokens_is_shown_as_such),
        FACT(an_unknown_key_is_told_as_such),
        FACT(instants_are_told),
        FACT(the_address_seen_is_told_and_the_list_is_not),
        FACT(an_unknown_address_is_told),
        FACT(the_country_seen_is_told),
        FACT(missing_scopes_are_told_and_both_lists_are_members),
        FACT(of_an_expression_the_nearest_way_is_told),
        FACT(a_key_without_scopes_has_an_empty_list),
        FACT(another_api_has_its_own_names),
        FACT(the_time_to_wait_is_whole_seconds_rounded_up),
        FACT(a_limit_of_refusals_is_told_as_such),
        FACT(a_cost_that_can_never_pass_is_told),
        FACT(a_limit_without_a_key_is_told),
        FACT(success_tells_nothing),
        FACT(every_code_and_every_fault_has_detail_and_hint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
