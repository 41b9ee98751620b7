/* idempotency/rules.h: which routes, which keys, and what two calls must share to be the same. */
#include "unit.h"

#include "idempotency/idempotency.h"
#include "idempotency/rules.h"

static void routes_that_change_something_for_somebody_take_a_key(void **state)
{
    static const enum http_method unsafe[] = {HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE};
    static const enum http_method safe[] = {HTTP_GET, HTTP_HEAD, HTTP_OPTIONS};

    (void)state;
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) {
        struct route by_key = {.method = unsafe[i], .access = SCOPE_WRITE("cohort:write")};
        struct route by_session = {.method = unsafe[i], .access = ROLE(ADMIN)};
        struct route open = {.method = unsafe[i], .access = OPEN};
        assert_true(idempotency_is_for(&by_key));
        assert_true(idempotency_is_for(&by_session));
        assert_false(idempotency_is_for(&open));
    }
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        assert_false(idempotency_is_for(&(struct route){.method = safe[i], .access = ROLE(ADMIN)}));
}

static void a_key_is_1_to_255_visible_ascii_characters(void **state)
{
    char text[IDEMPOTENCY_KEY_MAX_BYTES + 1];

    (void)state;
    memset(text, 'k', sizeof text);
    assert_false(idempotency_key_is_valid((str){text, 0}));
    assert_true(idempotency_key_is_valid((str){text, 1}));
    assert_true(idempotency_key_is_valid((str){text, IDEMPOTENCY_KEY_MAX_BYTES}));
    assert_false(idempotency_key_is_valid((str){text, IDEMPOTENCY_KEY_MAX_BYTES + 1}));
    for (int c = 0; c < 256; c++) {
        text[1] = (char)c;
        assert_int_equal(idempotency_key_is_valid((str){text, 3}), c > ' ' && c <= '~');
    }
}

struct subject {
    const char *employer, *caller;
    enum http_method method;
    const char *pattern, *key;
};

static str subject_of(struct arena *arena, const struct subject *s)
{
    struct principal who = {.employer_id = str_of(s->employer), .id = str_of(s->caller)};
    struct route route = {.method = s->method, .pattern = s->pattern};

    return idempotency_subject(arena, &who, &route, str_of(s->key));
}

static void another_employer_caller_route_or_key_is_another_subject(void **state)
{
    static const struct subject all[] = {
        {"emp_1", "key_1", HTTP_POST, "/a", "k"},   {"emp_2", "key_1", HTTP_POST, "/a", "k"},
        {"emp_1", "key_2", HTTP_POST, "/a", "k"},   {"emp_1", "key_1", HTTP_PATCH, "/a", "k"},
        {"emp_1", "key_1", HTTP_POST, "/b", "k"},   {"emp_1", "key_1", HTTP_POST, "/a", "K"},
        {"emp_1key_1", "", HTTP_POST, "/a", "k"},   {"", "emp_1key_1", HTTP_POST, "/a", "k"},
        {"emp_1", "key_1", HTTP_POST, "/a/k", "k"}, {"emp_1", "key_1", HTTP_POST, "/a", "/k"},
    };
    DROP(arena) struct arena *arena = arena_new();
    size_t n = sizeof all / sizeof *all;

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            assert_int_equal(str_eq(subject_of(arena, &all[i]), subject_of(arena, &all[k])),
                             i == k);
}

static str payload_of(struct arena *arena, const char *target, const char *body)
{
    struct http_req req = {.target = str_of(target), .body = str_of(body)};

    return idempotency_payload(arena, &req);
}

static void another_path_query_or_byte_of_the_body_is_another_payload(void **state)
{
    static const char *const all[][2] = {
        {"/a", "{}"},  {"/b", "{}"},   {"/a?x=1", "{}"}, {"/a?x=2", "{}"},
        {"/a", "{ }"}, {"/a", "{}\n"}, {"/a", ""},       {"/a{}", ""},
    };
    DROP(arena) struct arena *arena = arena_new();
    size_t n = sizeof all / sizeof *all;

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            assert_int_equal(str_eq(payload_of(arena, all[i][0], all[i][1]),
                                    payload_of(arena, all[k][0], all[k][1])),
                             i == k);
}

static void a_payload_does_not_show_the_body(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    str payload = payload_of(arena, "/a", "kim@example.org");

    (void)state;
    assert_null(memmem(payload.p, payload.n, "kim", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_that_change_something_for_somebody_take_a_key),
        cmocka_unit_test(a_key_is_1_to_255_visible_ascii_characters),
        cmocka_unit_test(another_employer_caller_route_or_key_is_another_subject),
        cmocka_unit_test(another_path_query_or_byte_of_the_body_is_another_payload),
        cmocka_unit_test(a_payload_does_not_show_the_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
