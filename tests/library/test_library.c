/* sallyport.h, by the shared library alone. */
#include "unit.h"

#include "public.h"

#define ASK(n, ...) ask(table, n, (struct sallyport_question){__VA_ARGS__})

static const char *const names[] = {"orders:read", "orders:write", "orders:admin"};

static int set_up(void **state)
{
    const struct sallyport_settings settings = {.prefix = "ord", .scopes = names, .n_scopes = 3};

    return sallyport_table_new(&settings, (struct sallyport_table **)state, NULL);
}

static int tear_down(void **state)
{
    sallyport_table_drop((struct sallyport_table **)state);
    return *state != NULL;
}

static void assert_refused(const struct sallyport_verdict *v, enum sallyport_code code,
                           enum sallyport_check check, int status)
{
    assert_int_equal(v->code, code);
    assert_int_equal(v->check, check);
    assert_int_equal(v->status, status);
}

static void assert_lines(struct sallyport_table *table, const struct sallyport_verdict *v,
                         const char *want)
{
    char got[SALLYPORT_EXPLANATION_MAX];

    assert_int_equal(sallyport_explain(table, v, SALLYPORT_LINES, got, sizeof got), strlen(want));
    assert_string_equal(got, want);
}

static void assert_json(struct sallyport_table *table, const struct sallyport_verdict *v,
                        const char *want)
{
    char got[SALLYPORT_EXPLANATION_MAX];

    sallyport_explain(table, v, SALLYPORT_JSON, got, sizeof got);
    assert_string_equal(got, want);
}

/* ---- keys ---- */

static void a_key_that_was_put_is_valid(void **state)
{
    struct sallyport_table *table = *state;

    put_number(table, 1, &(struct sallyport_key){.id = "key_1", .owner_id = "acme", .scopes = 3});
    struct sallyport_verdict v = ASK(1, .wanted = 1);
    assert_refused(&v, SALLYPORT_VALID, SALLYPORT_CHECK_NONE, 200);
    assert_string_equal(v.key_id, "key_1");
    assert_string_equal(v.owner_id, "acme");
    assert_int_equal(v.scopes, 3);
    assert_int_equal(v.limit, 0);
    assert_lines(table, &v, "VALID: The call may be made.\n");
    assert_json(table, &v, "{\"valid\":true,\"code\":\"VALID\",\"status\":200}");
}

static void another_key_is_not_known(void **state)
{
    struct sallyport_table *table = *state;

    put_number(table, 1, &(struct sallyport_key){.id = "key_1"});
    struct sallyport_verdict v = ASK(2);
    assert_refused(&v, SALLYPORT_INVALID_API_KEY, SALLYPORT_CHECK_KNOWN, 401);
    assert_string_equal(v.key_id, "");
    assert_string_equal(v.owner_id, "");
    assert_int_equal(v.scopes, 0);
}

static void a_text_that_is_no_key_is_told_by_what_is_wrong_with_it(void **state)
{
    struct sallyport_table *table = *state;
    struct sallyport_verdict v;

    sallyport_decide(table, &(struct sallyport_question){.key = "ord_live_12", .key_bytes = 11},
                     &v);
    assert_refused(&v, SALLYPORT_INVALID_API_KEY, SALLYPORT_CHECK_TEXT, 401);
    assert_lines(table, &v,
                 "INVALID_API_KEY: The API key is not valid.\n"
                 "The key is cut short by 62 characters.\n"
                 "Copy the whole key again: it is ord_live_ and 64 hex digits, 73 characters in "
                 "all.\n");
}

static void no_key_at_all_has_a_verdict(void **state)
{
    struct sallyport_table *table = *state;
    struct sallyport_verdict v;

    sallyport_decide(table, &(struct sallyport_question){0}, &v);
    assert_refused(&v, SALLYPORT_INVALID_API_KEY, SALLYPORT_CHECK_TEXT, 401);
}

static void a_key_is_put_by_its_digest(void **state)
{
    struct sallyport_table *table = *state;
    char text[SALLYPORT_TEXT_MAX];
    struct sallyport_digest digest = sallyport_digest_of(text, text_of(table, 1, text));

    assert_int_equal(sallyport_put(table, &digest, &(struct sallyport_key){.id = "key_1"}, NULL),
                     SALLYPORT_OK);
    assert_string_equal(ASK(1).key_id, "key_1");
}

/* FIPS 180-4, the example of NIST for "abc". */
static void a_digest_is_sha_256(void **state)
{
    static const uint8_t want[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                   0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                   0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    struct sallyport_digest got = sallyport_digest_of("abc", 3);

    (void)state;
    assert_memory_equal(got.bytes, want, sizeof want);
}

static void a_key_of_another_form_is_found(void **state)
{
    struct sallyport_table *table = *state;
    struct sallyport_question question = {.key = "sk-legacy", .key_bytes = 9};
    struct sallyport_verdict v;

    sallyport_decide(table, &question, &v);
    assert_int_equal(v.check, SALLYPORT_CHECK_TEXT);
    sallyport_put_text(table, "sk-legacy", 9, &(struct sallyport_key){.id = "old"}, NULL);
    sallyport_decide(table, &question, &v);
    assert_string_equal(v.key_id, "old");
    assert_int_equal(v.code, SALLYPORT_VALID);
    question.key_bytes = 8;
    sallyport_decide(table, &question, &v);
    assert_int_equal(v.check, SALLYPORT_CHECK_TEXT);
}

static void by_digest_another_form_is_asked_for(void **state)
{
    const struct sallyport_settings settings = {.takes_any_text = true};
    struct sallyport_digest digest = sallyport_digest_of("sk-legacy", 9);
    struct sallyport_table *table;
    struct sallyport_verdict v;

    (void)state;
    assert_int_equal(sallyport_table_new(&settings, &table, NULL), SALLYPORT_OK);
    sallyport_put(table, &digest, &(struct sallyport_key){.id = "old"}, NULL);
    sallyport_decide(table, &(struct sallyport_question){.key = "sk-legacy", .key_bytes = 9}, &v);
    assert_int_equal(v.code, SALLYPORT_VALID);
    sallyport_table_drop(&table);
}

static void what_is_put_again_replaces(void **state)
{
    struct sallyport_table *table = *state;

    put_number(table, 1, &(struct sallyport_key){.id = "key_1", .owner_id = "acme", .scopes = 1});
    put_number(table, 1, &(struct sallyport_key){.id = "key_1", .scopes = 2});
    struct sallyport_verdict v = ASK(1);
    assert_int_equal(v.scopes, 2);
    assert_string_equal(v.owner_id, "");
    assert_int_equal(sallyport_table_count(table), 1);
}

static void a_digest_may_become_another_keys(void **state)
{
    struct sallyport_table *table = *state;

    put_number(table, 1, &(struct sallyport_key){.id = "key_1"});
    put_number(table, 1, &(struct sallyport_key){.id = "key_2"});
    assert_string_equal(ASK(1).key_id, "key_2");
    assert_int_equal(sallyport_remove(table, "key_1"), SALLYPORT_ABSENT);
    assert_int_equal(sallyport_remove(table, "key_2"), SALLYPORT_OK);
    assert_int_equal(sallyport_table_count(table), 0);
}

static void two_secrets_of_a_key_share_rights_and_limit(void **state)
{
    struct sallyport_table *table = *state;
    struct sallyport_key key = {.id = "key_1", .rate_requests = 3, .rate_window_s = 60};

    key.rotated_at_ms = NOW_MS - 1000;
    key.secret_ends_at_ms = NOW_MS + 1000;
    put_number(table, 1, &key);
    key.rotated_at_ms = key.secret_ends_at_ms = 0;
    put_number(table, 2, &key);
    assert_int_equal(ASK(1).remaining, 2);
    assert_int_equal(ASK(2).remaining, 1);
    struct sallyport_verdict v = ASK(1, .now_ms = NOW_MS + 1000);
    assert_refused(&v, SALLYPORT_API_KEY_REVOKED, SALLYPORT_CHECK_ROTATED, 401);
    assert_int_equal(v.since_ms, NOW_MS - 1000);
    assert_int_equal(ASK(2, .now_ms = NOW_MS + 1000).code, SALLYPORT_VALID);
    assert_int_equal(sallyport_remove(table, "key_1"), SALLYPORT_OK);
    assert_int_equal(ASK(1).check, SALLYPORT_CHECK_KNOWN);
    assert_int_equal(ASK(2).check, SALLYPORT_CHECK_KNOWN);
}

static void a_removed_key_is_not_known(void **state)
{
    struct sallyport_table *table = *state;

    assert_int_equal(sallyport_remove(table, "key_1"), SALLYPORT_ABSENT);
    put_number(table, 1, &(struct sallyport_key){.id = "key_1"});
    assert_int_equal(sallyport_remove(table, "key_1"), SALLYPORT_OK);
    assert_int_equal(ASK(1).check, SALLYPORT_CHECK_KNOWN);
    put_number(table, 1, &(struct sallyport_key){.id = "key_1"});
    assert_int_equal(ASK(1).code, SALLYPORT_VALID);
}

static void a_full_table_takes_no_new_key_and_keeps_the_old(void **state)
{
    const struct sallyport_settings settings = {.keys_max = 2};
    const struct sallyport_key three = {.id = "key_3"};
    struct sallyport_table *table;
    char text[SALLYPORT_TEXT_MAX];

    (void)state;
    assert_int_equal(sallyport_table_new(&settings, &table, NULL), SALLYPORT_OK);
    put_number(table, 1, &(struct sallyport_key){.id = "key_1"});
    put_number(table, 2, &(struct sallyport_key){.id = "key_2"});
    size_t bytes = text_of(table, 3, text);
    assert_int_equal(sallyport_put_text(table, text, bytes, &three, NULL), SALLYPORT_FULL);
    put_number(table, 2, &(struct sallyport_key){.id = "key_2", .scopes = 1});
    assert_int_equal(ASK(1).code, SALLYPORT_VALID);
    assert_int_equal(ASK(2).scopes, 1);
    assert_int_equal(ASK(3).check, SALLYPORT_CHECK_KNOWN);
    sallyport_remove(table, "key_1");
    assert_int_equal(sallyport_put_text(table, text, bytes, &three, NULL), SALLYPORT_OK);
    sallyport_table_drop(&table);
}

static void many_keys_come_and_go(void **state)
{
    enum { KEYS = 20000 };
    struct sallyport_table *table = *state;
    char id[24];

    for (unsigned n = 0; n < KEYS; n++) {
        snprintf(id, sizeof id, "key_%u", n);
        put_number(table, n, &(struct sallyport_key){.id = id, .scopes = n % 8});
    }
    for (unsigned n = 0; n < KEYS; n += 2) {
        snprintf(id, sizeof id, "key_%u", n);
        assert_int_equal(sallyport_remove(table, id), SALLYPORT_OK);
    }
    assert_int_equal(sallyport_table_count(table), KEYS / 2);
    for (unsigned n = 0; n < KEYS; n++) {
        struct sallyport_verdict v = ASK(n);
        snprintf(id, sizeof id, "key_%u", n);
        assert_int_equal(v.check, n % 2 ? SALLYPORT_CHECK_NONE : SALLYPORT_CHECK_KNOWN);
        assert_string_equal(v.key_id, n % 2 ? id : "");
        assert_int_equal(v.scopes, n % 2 ? n % 8 : 0);
    }
}

/* ---- the checks ---- */

static void each_check_refuses_with_its_code(void **state)
{
    const char *const office[] = {"198.51.100.0/24", "2001:db8::/32"};
    struct sallyport_table *table = *state;
    struct sallyport_verdict v;

    put_number(table, 1, &(struct sallyport_key){.id = "a", .revoked_at_ms = NOW_MS + 5});
    v = ASK(1);
    assert_refused(&v, SALLYPORT_API_KEY_REVOKED, SALLYPORT_CHECK_REVOKED, 401);
    assert_int_equal(v.since_ms, NOW_MS + 5);
    put_number(table, 2, &(struct sallyport_key){.id = "b", .is_inactive = true});
    v = ASK(2);
    assert_refused(&v, SALLYPORT_API_KEY_INACTIVE, SALLYPORT_CHECK_ACTIVE, 401);
    put_number(table, 3, &(struct sallyport_key){.id = "c", .not_before_ms = NOW_MS + 1});
    v = ASK(3);
    assert_refused(&v, SALLYPORT_API_KEY_NOT_YET_VALID, SALLYPORT_CHECK_NOT_BEFORE, 401);
    assert_int_equal(ASK(3, .now_ms = NOW_MS + 1).code, SALLYPORT_VALID);
    put_number(table, 4, &(struct sallyport_key){.id = "d", .expires_at_ms = NOW_MS});
    v = ASK(4);
    assert_refused(&v, SALLYPORT_API_KEY_EXPIRED, SALLYPORT_CHECK_EXPIRY, 401);
    assert_int_equal(ASK(4, .now_ms = NOW_MS - 1).code, SALLYPORT_VALID);
    put_number(table, 5, &(struct sallyport_key){.id = "e", .addresses = office, .n_addresses = 2});
    v = ASK(5);
    assert_refused(&v, SALLYPORT_API_KEY_IP_NOT_ALLOWED, SALLYPORT_CHECK_ADDRESS, 403);
    put_number(table, 6, &(struct sallyport_key){.id = "f", .scopes = 2});
    v = ASK(6, .wanted = 3);
    assert_refused(&v, SALLYPORT_INSUFFICIENT_SCOPE, SALLYPORT_CHECK_SCOPE, 403);
    assert_int_equal(v.missing, 1);
}

static void addresses_pass_by_their_family(void **state)
{
    const char *const office[] = {"198.51.100.0/24", "2001:db8::/32"};
    struct sallyport_table *table = *state;
    static const struct {
        const char *text;
        enum sallyport_code code;
    } cases[] = {
        {"198.51.100.7", SALLYPORT_VALID},
        {"198.51.101.7", SALLYPORT_API_KEY_IP_NOT_ALLOWED},
        {"2001:db8::1", SALLYPORT_VALID},
        {"2001:db9::1", SALLYPORT_API_KEY_IP_NOT_ALLOWED},
        {"::ffff:198.51.100.7", SALLYPORT_VALID},
    };

    put_number(table, 1, &(struct sallyport_key){.id = "a", .addresses = office, .n_addresses = 2});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sallyport_question question = {0};
        assert_true(
            sallyport_address_parse(cases[i].text, strlen(cases[i].text), &question.client));
        assert_int_equal(ask(table, 1, question).code, cases[i].code);
    }
    struct sallyport_question mapped = {
        .client = {6, {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 51, [14] = 100, [15] = 7}}};
    assert_int_equal(ask(table, 1, mapped).code, SALLYPORT_VALID);
    struct sallyport_question strange = {.client = {9, {198, 51, 100, 7}}};
    assert_int_equal(ask(table, 1, strange).code, SALLYPORT_API_KEY_IP_NOT_ALLOWED);
}

static void a_text_that_is_no_address_is_not_read(void **state)
{
    struct sallyport_address out = {7, {0}};

    (void)state;
    assert_false(sallyport_address_parse("198.51.100.7:80", 15, &out));
    assert_false(sallyport_address_parse("", 0, &out));
    assert_false(sallyport_address_parse("198.51.100.0/24", 15, &out));
    assert_int_equal(out.family, 7);
}

static void an_expression_is_needed_too(void **state)
{
    struct sallyport_table *table = *state;
    struct sallyport_expression needs;

    assert_int_equal(sallyport_expression_parse(
                         table, "orders:read AND (orders:write OR orders:admin)", &needs, NULL),
                     SALLYPORT_OK);
    put_number(table, 1, &(struct sallyport_key){.id = "a", .scopes = 5});
    put_number(table, 2, &(struct sallyport_key){.id = "b", .scopes = 1});
    assert_int_equal(ASK(1, .needs = &needs).code, SALLYPORT_VALID);
    struct sallyport_verdict v = ASK(2, .needs = &needs);
    assert_int_equal(v.code, SALLYPORT_INSUFFICIENT_SCOPE);
    assert_int_equal(v.missing, 2);
    assert_json(table, &v,
                "{\"valid\":false,\"code\":\"INSUFFICIENT_SCOPE\",\"status\":403,"
                "\"title\":\"The API key lacks a scope.\","
                "\"detail\":\"The key lacks: orders:write.\","
                "\"hint\":\"Ask an admin to add this to the key, or for a key that holds it: "
                "orders:write.\",\"requiredScopes\":[\"orders:read\",\"orders:write\"],"
                "\"keyScopes\":[\"orders:read\"]}");
}

/* ---- limits ---- */

static void a_limit_is_charged_and_told(void **state)
{
    struct sallyport_table *table = *state;
    const struct sallyport_key key = {.id = "a", .rate_requests = 2, .rate_window_s = 60};

    put_number(table, 1, &key);
    assert_int_equal(ASK(1).remaining, 1);
    assert_int_equal(ASK(1).remaining, 0);
    struct sallyport_verdict v = ASK(1);
    assert_refused(&v, SALLYPORT_RATE_LIMITED, SALLYPORT_CHECK_RATE, 429);
    assert_int_equal(v.limit, 2);
    assert_int_equal(v.window_ms, 60000);
    assert_int_equal(v.retry_after_ms, 30000);
    assert_lines(table, &v,
                 "RATE_LIMITED: Too many requests.\n"
                 "The limit of 2 requests in 60 s is used up.\n"
                 "Retry in 30 seconds.\n");
    assert_int_equal(ASK(1, .now_mono_ns = NOW_MONO_NS + 30 * SECOND).code, SALLYPORT_VALID);
}

static void a_cost_is_taken_at_once(void **state)
{
    struct sallyport_table *table = *state;

    put_number(table, 1,
               &(struct sallyport_key){.id = "a", .rate_requests = 10, .rate_window_s = 60});
    assert_int_equal(ASK(1, .cost = 7).remaining, 3);
    assert_int_equal(ASK(1, .cost = 4).code, SALLYPORT_RATE_LIMITED);
    assert_int_equal(ASK(1, .cost = -5).remaining, 2);
}

static void a_fixed_window_counts_by_the_wall_clock(void **state)
{
    struct sallyport_table *table = *state;

    put_number(
        table, 1,
        &(struct sallyport_key){
            .id = "a", .rate_requests = 1, .rate_window_s = 60, .rate_algorithm = SALLYPORT_FIXED});
    assert_int_equal(ASK(1).code, SALLYPORT_VALID);
    assert_int_equal(ASK(1, .now_ms = NOW_MS + 59999).code, SALLYPORT_RATE_LIMITED);
    assert_int_equal(ASK(1, .now_ms = NOW_MS + 60000).code, SALLYPORT_VALID);
}

static void refusals_have_a_count_of_their_own(void **state)
{
    struct sallyport_table *table = *state;
    struct sallyport_verdict v = {0};

    put_number(table, 1,
               &(struct sallyport_key){.id = "a", .rate_requests = 2, .rate_window_s = 60});
    for (int i = 0; i < 20; i++)
        assert_int_equal(ASK(1, .wanted = 1).code, SALLYPORT_INSUFFICIENT_SCOPE);
    v = ASK(1, .wanted = 1);
    assert_refused(&v, SALLYPORT_RATE_LIMITED, SALLYPORT_CHECK_REFUSALS, 429);
    assert_lines(table, &v,
                 "RATE_LIMITED: Too many requests.\n"
                 "The limit of 20 refused calls in 60 s is used up.\n"
                 "Retry in 3 seconds.\n");
    assert_int_equal(ASK(1).remaining, 1);
}

static void counts_go_on_unless_the_limit_is_another(void **state)
{
    struct sallyport_table *table = *state;
    struct sallyport_key key = {.id = "a", .rate_requests = 3, .rate_window_s = 60};

    put_number(table, 1, &key);
    assert_int_equal(ASK(1).remaining, 2);
    key.scopes = 1;
    put_number(table, 1, &key);
    assert_int_equal(ASK(1).remaining, 1);
    key.rate_requests = 5;
    put_number(table, 1, &key);
    assert_int_equal(ASK(1).remaining, 4);
}

static void the_clock_is_read_where_no_time_is_given(void **state)
{
    struct sallyport_table *table = *state;
    char text[SALLYPORT_TEXT_MAX];
    struct sallyport_verdict v;

    put_number(table, 1, &(struct sallyport_key){.id = "a", .expires_at_ms = 1});
    put_number(table, 2, &(struct sallyport_key){.id = "b", .not_before_ms = NOW_MS / 2});
    struct sallyport_question question = {.key = text, .key_bytes = text_of(table, 1, text)};
    sallyport_decide(table, &question, &v);
    assert_int_equal(v.code, SALLYPORT_API_KEY_EXPIRED);
    text_of(table, 2, text);
    sallyport_decide(table, &question, &v);
    assert_int_equal(v.code, SALLYPORT_VALID);
}

/* ---- explaining ---- */

static void a_buffer_that_is_too_small_is_empty(void **state)
{
    struct sallyport_table *table = *state;
    char whole[SALLYPORT_EXPLANATION_MAX];
    char part[SALLYPORT_EXPLANATION_MAX];
    struct sallyport_verdict v = ASK(1);
    size_t n = sallyport_explain(table, &v, SALLYPORT_JSON, whole, sizeof whole);

    assert_true(n > 0);
    assert_int_equal(sallyport_explain(table, &v, SALLYPORT_JSON, part, n + 1), n);
    assert_string_equal(part, whole);
    for (size_t bytes = 1; bytes <= n; bytes++) {
        assert_int_equal(sallyport_explain(table, &v, SALLYPORT_JSON, part, bytes), 0);
        assert_int_equal(part[0], 0);
    }
    assert_int_equal(sallyport_explain(table, &v, SALLYPORT_JSON, NULL, 0), 0);
}

/* The most that can be told: all scopes wanted, all names of the full length. */
static void the_longest_explanation_fits(void **state)
{
    char room[SALLYPORT_SCOPES_MAX][SALLYPORT_SCOPE_MAX_BYTES + 1];
    const char *long_names[SALLYPORT_SCOPES_MAX];
    struct sallyport_settings settings = {.scopes = long_names, .n_scopes = SALLYPORT_SCOPES_MAX};
    struct sallyport_table *table;
    char got[SALLYPORT_EXPLANATION_MAX];

    (void)state;
    for (int i = 0; i < SALLYPORT_SCOPES_MAX; i++) {
        snprintf(room[i], sizeof room[i], "%063d", i);
        long_names[i] = room[i];
    }
    assert_int_equal(sallyport_table_new(&settings, &table, NULL), SALLYPORT_OK);
    put_number(table, 1, &(struct sallyport_key){.id = "a"});
    struct sallyport_verdict v = ASK(1, .wanted = UINT64_MAX);
    assert_int_equal(v.missing, UINT64_MAX);
    size_t n = sallyport_explain(table, &v, SALLYPORT_JSON, got, sizeof got);
    assert_true(n > 3 * 64 * 64);
    assert_memory_equal(got + n - 15, "\"keyScopes\":[]}", 16);
    put_number(table, 2, &(struct sallyport_key){.id = "b", .scopes = UINT64_MAX >> 1});
    v = ASK(2, .wanted = UINT64_MAX);
    assert_true(sallyport_explain(table, &v, SALLYPORT_JSON, got, sizeof got) > 2 * 64 * 64);
    sallyport_table_drop(&table);
}

static void an_address_is_told_as_it_was_seen(void **state)
{
    const char *const office[] = {"198.51.100.0/24"};
    struct sallyport_table *table = *state;
    struct sallyport_question question = {0};

    put_number(table, 1, &(struct sallyport_key){.id = "a", .addresses = office, .n_addresses = 1});
    sallyport_address_parse("2001:db8::7", 11, &question.client);
    struct sallyport_verdict v = ask(table, 1, question);
    assert_lines(table, &v,
                 "API_KEY_IP_NOT_ALLOWED: The caller's address is not allowed for this API key.\n"
                 "The address seen is 2001:db8::7.\n"
                 "Call from an allowed address, or ask an admin to add 2001:db8::7/128 to the "
                 "key's allowedIpCidrs.\n");
}

/* ---- what is not valid ---- */

static void assert_problem(struct sallyport_table *table, struct sallyport_key key,
                           const char *member, size_t index, const char *reason)
{
    struct sallyport_problem problem = {"untouched", 99, "untouched"};
    char text[SALLYPORT_TEXT_MAX];
    size_t bytes = text_of(table, 1, text);

    assert_int_equal(sallyport_put_text(table, text, bytes, &key, &problem), SALLYPORT_INVALID);
    assert_string_equal(problem.member, member);
    assert_int_equal(problem.index, index);
    assert_string_equal(problem.reason, reason);
    assert_int_equal(sallyport_put_text(table, text, bytes, &key, NULL), SALLYPORT_INVALID);
    assert_int_equal(sallyport_table_count(table), 0);
}

#define PROBLEM(member, index, reason, ...)                                                        \
    assert_problem(table, (struct sallyport_key){__VA_ARGS__}, member, index, reason)

static void a_key_that_is_not_valid_is_not_put(void **state)
{
    static const char forty[] = "1234567890123456789012345678901234567890";
    static const char *const hosts[] = {"10.0.0.0/8", "10.0.0.1/8"};
    static const char *const long_prefix[] = {"10.0.0.0/33"};
    static const char *const no_address[] = {NULL};
    struct sallyport_table *table = *state;

    PROBLEM("id", 0, "must be 1 to 39 bytes", .id = NULL);
    PROBLEM("id", 0, "must be 1 to 39 bytes", .id = forty);
    PROBLEM("owner_id", 0, "must be 1 to 39 bytes", .id = "a", .owner_id = "");
    PROBLEM("scopes", 0, "has a bit that none of the 3 names is of", .id = "a", .scopes = 8);
    PROBLEM("addresses", 1, "has bits set beyond the prefix; 10.0.0.0/8 is the block", .id = "a",
            .addresses = hosts, .n_addresses = 2);
    PROBLEM("addresses", 0,
            "has a prefix length that is not valid; 0 to 32 for IPv4, 0 to 128 for IPv6", .id = "a",
            .addresses = long_prefix, .n_addresses = 1);
    PROBLEM("addresses", 0, "is not an address or block such as 203.0.113.0/24 or 2001:db8::/32",
            .id = "a", .addresses = no_address, .n_addresses = 1);
    PROBLEM("n_addresses", 0, "must be at most 100", .id = "a", .n_addresses = 101);
    PROBLEM("expires_at_ms", 0, "must be 0, or milliseconds since 1970 and before the year 10000",
            .id = "a", .expires_at_ms = SALLYPORT_TIME_MAX_MS + 1);
    PROBLEM("rotated_at_ms", 0, "must be 0, or milliseconds since 1970 and before the year 10000",
            .id = "a", .rotated_at_ms = -1);
    PROBLEM("not_before_ms", 0, "must be before expires_at_ms", .id = "a", .not_before_ms = 5,
            .expires_at_ms = 5);
    PROBLEM("rate_requests", 0, "must be 0 to 1000000", .id = "a", .rate_requests = 1000001);
    PROBLEM("rate_window_s", 0, "must be 1 to 2592000", .id = "a", .rate_requests = 1);
    PROBLEM("rate_window_s", 0, "must be 0 where there is no limit, not 1 to 2592000", .id = "a",
            .rate_window_s = 60);
    PROBLEM("rate_algorithm", 0, "must be SALLYPORT_GCRA or SALLYPORT_FIXED", .id = "a",
            .rate_algorithm = 2);
}

static void assert_settings(struct sallyport_settings settings, const char *member, size_t index)
{
    struct sallyport_problem problem = {{0}, 99, {0}};
    struct sallyport_table *table = (struct sallyport_table *)&problem;

    assert_int_equal(sallyport_table_new(&settings, &table, &problem), SALLYPORT_INVALID);
    assert_string_equal(problem.member, member);
    assert_int_equal(problem.index, index);
    assert_ptr_equal(table, &problem);
}

static void settings_that_are_not_valid_make_no_table(void **state)
{
    static const char *const twice[] = {"a", "b", "a"};
    static const char *const operators[] = {"a", "or"};
    static const char *const spaces[] = {"a b"};

    (void)state;
    assert_settings((struct sallyport_settings){.prefix = ""}, "prefix", 0);
    assert_settings((struct sallyport_settings){.prefix = "seventeenletters0"}, "prefix", 0);
    assert_settings((struct sallyport_settings){.prefix = "a_b"}, "prefix", 0);
    assert_settings((struct sallyport_settings){.environment = "prod"}, "environment", 0);
    assert_settings((struct sallyport_settings){.field = "x api"}, "field", 0);
    assert_settings((struct sallyport_settings){.scopes = twice, .n_scopes = 3}, "scopes", 2);
    assert_settings((struct sallyport_settings){.scopes = operators, .n_scopes = 2}, "scopes", 1);
    assert_settings((struct sallyport_settings){.scopes = spaces, .n_scopes = 1}, "scopes", 0);
    assert_settings((struct sallyport_settings){.scopes = twice, .n_scopes = 65}, "n_scopes", 0);
    assert_settings((struct sallyport_settings){.n_scopes = 1}, "scopes", 0);
    assert_settings((struct sallyport_settings){.keys_max = SALLYPORT_KEYS_MAX + 1}, "keys_max", 0);
}

static void an_expression_that_is_not_valid_is_told_with_its_place(void **state)
{
    struct sallyport_problem problem;
    struct sallyport_expression needs;
    struct sallyport_table *table = *state;

    assert_int_equal(
        sallyport_expression_parse(table, "orders:read orders:write", &needs, &problem),
        SALLYPORT_INVALID);
    assert_int_equal(problem.index, 12);
    assert_string_equal(problem.reason, "must be AND or OR, or the end");
}

/* ---- the rest ---- */

static void without_settings_the_scopes_are_the_servers(void **state)
{
    struct sallyport_table *table;

    (void)state;
    assert_int_equal(sallyport_table_new(NULL, &table, NULL), SALLYPORT_OK);
    assert_int_equal(sallyport_scope(table, "cohort:read"), 1);
    assert_int_equal(sallyport_scope(table, "fhir:write"), 1 << 10);
    assert_int_equal(sallyport_scope(table, "orders:read"), 0);
    assert_int_equal(sallyport_scope(*state, "orders:admin"), 4);
    assert_int_equal(sallyport_scope(*state, "cohort:read"), 0);
    sallyport_table_drop(&table);
    sallyport_table_drop(&table);
}

static void a_new_key_has_the_form_of_the_table(void **state)
{
    char text[SALLYPORT_TEXT_MAX];

    assert_int_equal(text_of(*state, 1, text), 9 + 64);
    assert_int_equal(strlen(text), 9 + 64);
    assert_memory_equal(text, "ord_live_0100", 13);
}

static void every_code_has_its_text(void **state)
{
    (void)state;
    assert_string_equal(sallyport_code_text(SALLYPORT_VALID), "VALID");
    assert_string_equal(sallyport_code_text(SALLYPORT_INVALID_API_KEY), "INVALID_API_KEY");
    assert_string_equal(sallyport_code_text(SALLYPORT_API_KEY_EXPIRED), "API_KEY_EXPIRED");
    assert_string_equal(sallyport_code_text(SALLYPORT_RATE_LIMITED), "RATE_LIMITED");
    assert_null(sallyport_code_text((enum sallyport_code)9));
    assert_null(sallyport_code_text((enum sallyport_code) - 1));
}

static void the_header_and_the_library_are_of_one_version(void **state)
{
    char numbers[32];

    (void)state;
    assert_string_equal(sallyport_version(), SALLYPORT_VERSION_TEXT);
    snprintf(numbers, sizeof numbers, "%d.%d.%d", SALLYPORT_VERSION_MAJOR, SALLYPORT_VERSION_MINOR,
             SALLYPORT_VERSION_PATCH);
    assert_string_equal(numbers, SALLYPORT_VERSION_TEXT);
}

#define WITH_TABLE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(a_key_that_was_put_is_valid),
        WITH_TABLE(another_key_is_not_known),
        WITH_TABLE(a_text_that_is_no_key_is_told_by_what_is_wrong_with_it),
        WITH_TABLE(no_key_at_all_has_a_verdict),
        WITH_TABLE(a_key_is_put_by_its_digest),
        WITH_TABLE(a_digest_is_sha_256),
        WITH_TABLE(a_key_of_another_form_is_found),
        WITH_TABLE(by_digest_another_form_is_asked_for),
        WITH_TABLE(what_is_put_again_replaces),
        WITH_TABLE(a_digest_may_become_another_keys),
        WITH_TABLE(two_secrets_of_a_key_share_rights_and_limit),
        WITH_TABLE(a_removed_key_is_not_known),
        WITH_TABLE(a_full_table_takes_no_new_key_and_keeps_the_old),
        WITH_TABLE(many_keys_come_and_go),
        WITH_TABLE(each_check_refuses_with_its_code),
        WITH_TABLE(addresses_pass_by_their_family),
        WITH_TABLE(a_text_that_is_no_address_is_not_read),
        WITH_TABLE(an_expression_is_needed_too),
        WITH_TABLE(a_limit_is_charged_and_told),
        WITH_TABLE(a_cost_is_taken_at_once),
        WITH_TABLE(a_fixed_window_counts_by_the_wall_clock),
        WITH_TABLE(refusals_have_a_count_of_their_own),
        WITH_TABLE(counts_go_on_unless_the_limit_is_another),
        WITH_TABLE(the_clock_is_read_where_no_time_is_given),
        WITH_TABLE(a_buffer_that_is_too_small_is_empty),
        WITH_TABLE(the_longest_explanation_fits),
        WITH_TABLE(an_address_is_told_as_it_was_seen),
        WITH_TABLE(a_key_that_is_not_valid_is_not_put),
        WITH_TABLE(settings_that_are_not_valid_make_no_table),
        WITH_TABLE(an_expression_that_is_not_valid_is_told_with_its_place),
        WITH_TABLE(without_settings_the_scopes_are_the_servers),
        WITH_TABLE(a_new_key_has_the_form_of_the_table),
        WITH_TABLE(every_code_has_its_text),
        WITH_TABLE(the_header_and_the_library_are_of_one_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
