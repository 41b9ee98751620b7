/* audit/notes.h: however many refusals, a bounded table and a handful of lines */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>

#include "audit/notes.h"

enum { T = 1000000 }; /* some instant of the monotonic clock */

static const struct audit_record origin = {.text = {[AUDIT_ACTOR_KIND] = {"key", 3},
                                                    [AUDIT_ACTOR_ID] = {"key_1", 5},
                                                    [AUDIT_ADDRESS] = {"192.0.2.1", 9}}};

static int setup(void **state)
{
    notes_start();
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    notes_stop();
    arena_drop((struct arena **)state);
    return 0;
}

static void note(str employer, str actor, const char *code, int64_t mono_ms)
{
    struct audit_record from = origin;

    from.text[AUDIT_ACTOR_ID] = actor;
    notes_add(&(struct audit_note){.action = "authorization.denied",
                                   .code = code,
                                   .employer_id = employer},
              &from, mono_ms, mono_ms);
}

static struct noted_list take(void **state, int64_t mono_ms)
{
    struct noted_list list;

    notes_take(*state, mono_ms, false, &list);
    return list;
}

static int64_t sum(const struct noted_list *list)
{
    int64_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        n += list->list[i].count;
    return n;
}

static void the_first_is_due_at_once_and_the_others_a_minute_later(void **state)
{
    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    struct noted_list list = take(state, T);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.list[0].count, 1);
    for (int i = 0; i < 100000; i++)
        note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T + 1 + i / 10000);
    assert_int_equal(take(state, T + NOTED_EVERY_MS - 1).n, 0);
    list = take(state, T + NOTED_EVERY_MS);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.list[0].count, 100000);
    assert_int_equal(list.list[0].first_ms, T + 1);
    assert_int_equal(list.list[0].last_ms, T + 10);
}

static void the_last_one_says_what_was_wrong_and_long_texts_are_cut(void **state)
{
    char text[2 * NOTED_TEXT_BYTES];
    struct audit_note said = {.action = "authorization.denied",
                              .code = "INSUFFICIENT_SCOPE",
                              .employer_id = S("emp_1"),
                              .reason = S("The key lacks: cohort:write."),
                              .hint = S("Ask an admin.")};

    memset(text, 'x', sizeof text);
    notes_add(&said, &origin, T, T);
    said.reason = S("The key lacks: cohort:read.");
    said.hint = (str){text, sizeof text};
    notes_add(&said, &origin, T + 1, T + 1);
    struct noted_list list = take(state, T + 1);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.list[0].count, 2);
    assert_string_equal(list.list[0].reason, "The key lacks: cohort:read.");
    assert_int_equal(strlen(list.list[0].hint), NOTED_TEXT_BYTES - 1);
}

static void after_a_quiet_interval_the_next_is_a_first_one(void **state)
{
    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    assert_int_equal(take(state, T).n, 1);
    assert_int_equal(take(state, T + NOTED_EVERY_MS).n, 0);
    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T + NOTED_EVERY_MS + 1);
    assert_int_equal(take(state, T + NOTED_EVERY_MS + 1).n, 1);
}

static void a_revoked_key_is_told_once_an_hour(void **state)
{
    const struct audit_note used = {.action = "api_key.used_after_revocation",
                                    .code = "API_KEY_REVOKED",
                                    .target_kind = "api_key",
                                    .target_id = S("key_1")};

    notes_add(&used, &origin, T, T);
    assert_int_equal(take(state, T).n, 1);
    notes_add(&used, &origin, T, T);
    assert_int_equal(take(state, T + NOTED_EVERY_MS).n, 0);
    assert_int_equal(take(state, T + NOTED_REVOKED_EVERY_MS).n, 1);
}

static void what_differs_is_counted_apart(void **state)
{
    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    note(S("emp_1"), S("key_2"), "INSUFFICIENT_SCOPE", T);
    note(S("emp_2"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    note(S("emp_1"), S("key_1"), "API_KEY_EXPIRED", T);
    assert_int_equal(take(state, T).n, 4);
}

/* 100,000 callers of 1,000 employers: none is lost from the count, and the table stays small. */
static void a_flood_from_everywhere_is_a_bounded_number_of_lines(void **state)
{
    char actor[32], employer[32];

    for (int i = 0; i < 100000; i++) {
        snprintf(actor, sizeof actor, "key_%d", i);
        snprintf(employer, sizeof employer, "emp_%d", i % 1000);
        note(str_of(employer), str_of(actor), "INSUFFICIENT_SCOPE", T);
    }
    struct noted_list list = take(state, T);
    assert_true(list.n <= AUDIT_NOTES_MAX + NOTES_REST_MAX + 1);
    assert_int_equal(sum(&list), 100000);
    size_t n_rest = 0;
    for (size_t i = 0; i < list.n; i++) {
        n_rest += list.list[i].is_rest;
        if (list.list[i].is_rest)
            assert_string_equal(list.list[i].actor_id, "");
    }
    assert_int_equal(n_rest, NOTES_REST_MAX + 1);
}

static void what_could_not_be_written_is_counted_on(void **state)
{
    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    struct noted_list list = take(state, T);
    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T + 5);
    notes_give_back(&list);
    list = take(state, T + 6);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.list[0].count, 2);
    assert_int_equal(list.list[0].first_ms, T);
    assert_int_equal(list.list[0].last_ms, T + 5);
}

static void at_the_end_nothing_waits(void **state)
{
    struct noted_list list;

    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    take(state, T);
    note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    notes_take(*state, T, true, &list);
    assert_int_equal(sum(&list), 1);
}

static void *note_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++)
        note(S("emp_1"), S("key_1"), "INSUFFICIENT_SCOPE", T);
    return NULL;
}

static void many_threads_lose_no_count(void **state)
{
    pthread_t threads[4];
    int64_t n = 0;

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, note_many, NULL);
    for (int64_t at = T; at < T + 100 * NOTED_EVERY_MS; at += NOTED_EVERY_MS) {
        struct noted_list list = take(state, at);
        n += sum(&list);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct noted_list list = take(state, T + 1000 * (int64_t)NOTED_EVERY_MS);
    assert_int_equal(n + sum(&list), 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_is_due_at_once_and_the_others_a_minute_later,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_one_says_what_was_wrong_and_long_texts_are_cut,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_quiet_interval_the_next_is_a_first_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_revoked_key_is_told_once_an_hour, setup, teardown),
        cmocka_unit_test_setup_teardown(what_differs_is_counted_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_from_everywhere_is_a_bounded_number_of_lines, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_could_not_be_written_is_counted_on, setup, teardown),
        cmocka_unit_test_setup_teardown(at_the_end_nothing_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads_lose_no_count, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
