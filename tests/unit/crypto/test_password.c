/* crypto/password.h */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/time.h"
#include "crypto/password.h"

static bool verified(struct cx *cx, str password, str hash)
{
    DROP(secret) struct secret secret = {0};
    bool matches = true;

    assert_true(secret_set(&secret, password));
    assert_int_equal(password_verify(cx, &secret, hash, &matches), E_OK);
    return matches;
}

static str hashed(struct cx *cx, str password)
{
    DROP(secret) struct secret secret = {0};
    str hash = STR_NONE;

    assert_true(secret_set(&secret, password));
    assert_int_equal(password_hash(cx, &secret, &hash), E_OK);
    return hash;
}

static void a_password_matches_its_own_hash_only(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    str hash = hashed(&cx, S("correct horse battery"));

    (void)state;
    assert_true(verified(&cx, S("correct horse battery"), hash));
    assert_false(verified(&cx, S("correct horse batterY"), hash));
    assert_false(verified(&cx, S("correct horse battery "), hash));
    assert_false(verified(&cx, S(""), hash));
}

static void a_hash_is_argon2id_and_salted(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    str a = hashed(&cx, S("the same password"));
    str b = hashed(&cx, S("the same password"));

    (void)state;
    assert_true(str_starts(a, S("$argon2id$v=19$m=65536,t=2,p=1$")));
    assert_false(str_eq(a, b));
    assert_true(a.n < PASSWORD_HASH_BYTES);
}

static void a_password_may_hold_a_nul(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    str hash = hashed(&cx, S("before\0after"));

    (void)state;
    assert_true(verified(&cx, S("before\0after"), hash));
    assert_false(verified(&cx, S("before"), hash));
}

static void nothing_matches_an_absent_or_broken_hash(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    char too_long[200];

    (void)state;
    memset(too_long, 'a', sizeof too_long);
    assert_false(verified(&cx, S("no account has this password"), STR_NONE));
    assert_false(verified(&cx, S("no account has this password"), S("")));
    assert_false(verified(&cx, S("x"), S("$argon2id$nonsense")));
    assert_false(verified(&cx, S("x"), (str){too_long, sizeof too_long}));
}

static int64_t verify_ms(struct cx *cx, str hash)
{
    int64_t least_ms = INT64_MAX;

    for (int i = 0; i < 3; i++) {
        int64_t from_ms = time_mono_ms();
        verified(cx, S("some wrong password"), hash);
        int64_t took_ms = time_mono_ms() - from_ms;
        least_ms = took_ms < least_ms ? took_ms : least_ms;
    }
    return least_ms;
}

static void an_absent_account_takes_as_long_as_a_present_one(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    int64_t present_ms = verify_ms(&cx, hashed(&cx, S("correct horse battery")));
    int64_t absent_ms = verify_ms(&cx, STR_NONE);

    (void)state;
    /* Wide bounds: without the dummy hash it would be no time at all. */
    assert_true(absent_ms >= present_ms / 3 && absent_ms <= present_ms * 3 + 3);
}

enum { CROWD = 48 };

struct crowd {
    pthread_barrier_t start;
    atomic_int n_done, n_refused, n_other;
};

static void *hash_one(void *arg)
{
    struct crowd *crowd = arg;
    DROP(arena) struct arena *arena = arena_new();
    DROP(secret) struct secret secret = {0};
    struct cx cx = {.arena = arena};
    str hash = STR_NONE;

    secret_set(&secret, S("correct horse battery"));
    pthread_barrier_wait(&crowd->start);
    enum err e = password_hash(&cx, &secret, &hash);
    if (e == E_OK && hash.n > 0)
        crowd->n_done++;
    else if (e == E_OVERLOADED && cx.failure.retry_after_s > 0 && cx.failure.detail.n > 0)
        crowd->n_refused++;
    else
        crowd->n_other++;
    return NULL;
}

/* Two run and 32 wait at any time; each refusal says when to come back. */
static void a_crowd_is_served_up_to_the_bound_and_the_rest_is_sent_away(void **state)
{
    struct crowd crowd = {.n_done = 0};
    pthread_t threads[CROWD];

    (void)state;
    pthread_barrier_init(&crowd.start, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_one, &crowd), 0);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crowd.start);
    assert_int_equal(crowd.n_other, 0);
    assert_int_equal(crowd.n_done + crowd.n_refused, CROWD);
    assert_true(crowd.n_done >= 34);
    assert_true(crowd.n_refused > 0);
}

static void a_password_has_twelve_characters_and_no_other_rule(void **state)
{
    (void)state;
    assert_false(password_is_fit(S("12345678901")));
    assert_true(password_is_fit(S("123456789012")));
    assert_true(password_is_fit(S("aaaaaaaaaaaa")));
    assert_true(password_is_fit(S("pässwörter sü")));
    assert_false(password_is_fit(S("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4")));
    assert_false(password_is_fit(S("with a\nline break")));
    assert_false(password_is_fit(S("            ")));
    assert_false(password_is_fit(STR_NONE));
}

static int start(void **state)
{
    (void)state;
    password_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_has_twelve_characters_and_no_other_rule),
        cmocka_unit_test(a_password_matches_its_own_hash_only),
        cmocka_unit_test(a_hash_is_argon2id_and_salted),
        cmocka_unit_test(a_password_may_hold_a_nul),
        cmocka_unit_test(nothing_matches_an_absent_or_broken_hash),
        cmocka_unit_test(an_absent_account_takes_as_long_as_a_present_one),
        cmocka_unit_test(a_crowd_is_served_up_to_the_bound_and_the_rest_is_sent_away),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
