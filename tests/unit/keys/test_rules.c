/* keys/rules.h: drafts, changes, status. */
#include "request.h"

#include "base/time.h"
#include "keys/rules.h"

static void a_draft_gets_its_defaults(void **state)
{
    struct request r;
    struct key key;

    (void)state;
    request_start(&r, "{\"name\":\"ci\",\"scopes\":[\"cohort:read\"]}");
    key_read_draft(&r.form, r.cx.now_ms, &key);
    assert_int_equal(request_close(&r), E_OK);
    assert_true(key.is_active);
    assert_int_equal(key.rate.requests, KEY_RATE_REQUESTS);
    assert_int_equal(key.rate.window_ms, 60000);
    assert_int_equal(key.n_cidrs, 0);
    assert_int_equal(key.expires_at_ms, 0);
    request_end(&r);
}

static void every_bad_member_of_a_draft_is_named(void **state)
{
    struct request r;
    struct key key;

    (void)state;
    request_start(&r, "{\"name\":\"\",\"scopes\":[\"cohort:read\",\"cohort:read\",\"nope\",7],"
                      "\"allowedIpCidrs\":[\"10.0.0.5/8\",\"x\",\"1.2.3.4/33\",\"2001:db8::1/32\"],"
                      "\"expiresAt\":\"2001-01-01T00:00:00.000Z\",\"notBefore\":\"soon\","
                      "\"rateLimit\":{\"requests\":0,\"windowSeconds\":60,\"algorithm\":\"leaky\"},"
                      "\"scope\":\"cohort:read\"}");
    key_read_draft(&r.form, r.cx.now_ms, &key);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "name", "is empty");
    assert_problem(&r, "scopes[1]", "twice");
    assert_problem(&r, "scopes[2]", "cohort:read, cohort:write");
    assert_problem(&r, "scopes[3]", "is not a scope");
    assert_problem(&r, "allowedIpCidrs[0]", "10.0.0.0/8");
    assert_problem(&r, "allowedIpCidrs[1]", "is not an address");
    assert_problem(&r, "allowedIpCidrs[2]", "prefix length");
    assert_problem(&r, "allowedIpCidrs[3]", "2001:db8::/32");
    assert_problem(&r, "expiresAt", "past");
    assert_problem(&r, "notBefore", "RFC 3339");
    assert_problem(&r, "rateLimit.requests", "from 1 to 1000000");
    assert_problem(&r, "rateLimit.algorithm", "gcra or fixed");
    assert_problem(&r, "scope", "known are: name, scopes");
    request_end(&r);
}

static void no_scopes_is_a_problem_that_lists_them(void **state)
{
    struct request r;
    struct key key;

    (void)state;
    request_start(&r, "{\"name\":\"ci\",\"scopes\":[]}");
    key_read_draft(&r.form, r.cx.now_ms, &key);
    assert_int_equal(request_close(&r), E_INVALID_REQUEST);
    assert_problem(&r, "scopes", "fhir:write");
    request_end(&r);
}

static void the_next_millisecond_is_a_good_expiry_and_now_is_not(void **state)
{
    char text[128];
    char at[TIME_TEXT_BYTES + 1] = "";
    struct request r;
    struct key key;

    (void)state;
    for (int ahead = 0; ahead < 2; ahead++) {
        time_write(A_DAY_IN_2026 + ahead, at);
        snprintf(text, sizeof text,
                 "{\"name\":\"ci\",\"scopes\":[\"fhir:read\"],\"expiresAt\":\"%s\"}", at);
        request_start(&r, text);
        key_read_draft(&r.form, r.cx.now_ms, &key);
        assert_int_equal(request_close(&r), ahead ? E_OK : E_INVALID_REQUEST);
        request_end(&r);
    }
}

static void a_patch_keeps_what_it_does_not_name(void **state)
{
    struct request r;
    struct key key = {.name = {"old", 3}, .is_active = true, .expires_at_ms = A_DAY_IN_2026 + 5};

    (void)state;
    scope_add(&key.scopes, SCOPE_FHIR_READ);
    request_start(&r, "{\"status\":\"inactive\"}");
    key_read_patch(&r.form, r.cx.now_ms, &key);
    assert_int_equal(request_close(&r), E_OK);
    assert_false(key.is_active);
    assert_true(str_eq(key.name, S("old")));
    assert_true(scope_has(key.scopes, SCOPE_FHIR_READ));
    assert_int_equal(key.expires_at_ms, A_DAY_IN_2026 + 5);
    request_end(&r);
}

static void null_takes_expiry_and_limit_away(void **state)
{
    struct request r;
    struct key key = {.expires_at_ms = A_DAY_IN_2026 + 5, .rate = {10, 1000, RATE_GCRA}};

    (void)state;
    request_start(&r, "{\"expiresAt\":null,\"rateLimit\":null}");
    key_read_patch(&r.form, r.cx.now_ms, &key);
    assert_int_equal(request_close(&r), E_OK);
    assert_int_equal(key.expires_at_ms, 0);
    assert_int_equal(key.rate.requests, 0);
    request_end(&r);
}

static void the_shown_status_is_the_first_that_holds(void **state)
{
    struct key key = {.is_active = true};

    (void)state;
    assert_true(str_eq(key_status(&key, 100), S("active")));
    key.not_before_ms = 101;
    assert_true(str_eq(key_status(&key, 100), S("scheduled")));
    assert_true(str_eq(key_status(&key, 101), S("active")));
    key.expires_at_ms = 102;
    assert_true(str_eq(key_status(&key, 102), S("expired")));
    key.is_active = false;
    assert_true(str_eq(key_status(&key, 102), S("inactive")));
    key.revoked_at_ms = 50;
    assert_true(str_eq(key_status(&key, 102), S("revoked")));
}

static void blocks_survive_the_store(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    const struct net_cidr *back;
    struct net_cidr cidrs[3];
    size_t n;

    (void)state;
    assert_int_equal(net_cidr_parse(S("10.0.0.0/8"), &cidrs[0]), CIDR_OK);
    assert_int_equal(net_cidr_parse(S("2001:db8::/32"), &cidrs[1]), CIDR_OK);
    assert_int_equal(net_cidr_parse(S("192.0.2.7"), &cidrs[2]), CIDR_OK);
    str text = key_cidrs_write(arena, cidrs, 3);
    assert_true(str_eq(text, S("10.0.0.0/8 2001:db8::/32 192.0.2.7/32")));
    key_cidrs_parse(arena, text, &back, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(back, cidrs, sizeof cidrs);
    key_cidrs_parse(arena, S(""), &back, &n);
    assert_int_equal(n, 0);
}

static void little_of_a_foreign_key_is_shown(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    const struct key_form form = {S("mt"), S("live")};

    (void)state;
    assert_true(str_eq(key_shown_prefix(arena, S("abcdefghijklmnop"), &form), S("abcd")));
    assert_int_equal(key_shown_suffix(arena, S("short")).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draft_gets_its_defaults),
        cmocka_unit_test(every_bad_member_of_a_draft_is_named),
        cmocka_unit_test(no_scopes_is_a_problem_that_lists_them),
        cmocka_unit_test(the_next_millisecond_is_a_good_expiry_and_now_is_not),
        cmocka_unit_test(a_patch_keeps_what_it_does_not_name),
        cmocka_unit_test(null_takes_expiry_and_limit_away),
        cmocka_unit_test(the_shown_status_is_the_first_that_holds),
        cmocka_unit_test(blocks_survive_the_store),
        cmocka_unit_test(little_of_a_foreign_key_is_shown),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
