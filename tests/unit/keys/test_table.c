/* keys/table.h: what is cached, what is stale, what is counted; and all of it from many threads. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/table.h"

static struct key_row a_row(const char *id, const char *secret)
{
    struct key_row row = {
        .key = {.id = str_of(id),
                .employer_id = S("emp_1"),
                .is_active = true,
                .rate = {.requests = 1000000, .window_ms = 1000}},
        .secret = {.digest = digest_sha256(str_of(secret))},
        .employer_is_active = true,
        .employer_is_approved = true,
    };

    scope_add(&row.key.scopes, SCOPE_COHORT_READ);
    return row;
}

static struct decide_facts some_facts(void)
{
    struct decide_facts facts = {.now = {1780000000000, 5000000000000}, .cost = 1};

    net_addr_parse(S("192.0.2.1"), &facts.client);
    facts.version.canonical = S(API_VERSION_NEWEST);
    return facts;
}

static bool ask_since(const char *secret, int64_t since_ns, enum err *code)
{
    DROP(arena) struct arena *arena = arena_new();
    struct decide_facts facts = some_facts();
    struct sha256 digest = digest_sha256(str_of(secret));
    struct keys_answer answer = {0};

    enum table_found found = table_decide(arena, &digest, since_ns, &facts, &answer);
    *code = answer.verdict.code;
    return found == TABLE_DECIDED;
}

static bool ask(const char *secret, enum err *code)
{
    return ask_since(secret, INT64_MIN, code);
}

static bool put(uint64_t epoch, int64_t read_at_ns, const struct key_row *row)
{
    return table_put(epoch, (struct rate_now){some_facts().now.wall_ms, read_at_ns}, row);
}

static int start(void **state)
{
    (void)state;
    table_start(1000);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    table_stop();
    return 0;
}

static void what_was_put_is_decided(void **state)
{
    struct key_row row = a_row("key_1", "secret");
    enum err code;

    (void)state;
    assert_false(ask("secret", &code));
    assert_true(put(table_epoch(), 0, &row));
    assert_true(ask("secret", &code));
    assert_int_equal(code, E_OK);
    assert_false(ask("other", &code));
}

static enum table_found ask_as(struct decide_facts facts, struct keys_answer *out)
{
    DROP(arena) struct arena *arena = arena_new();
    struct sha256 digest = digest_sha256(S("secret"));

    *out = (struct keys_answer){0};
    return table_decide(arena, &digest, INT64_MIN, &facts, out);
}

static void a_key_is_none_of_another_apis_or_employers_business(void **state)
{
    struct key_row row = a_row("key_1", "secret");
    struct decide_facts facts = some_facts();
    struct usage used[1];
    struct keys_answer answer;
    DROP(arena) struct arena *arena = arena_new();

    (void)state;
    row.key.api = 7;
    assert_true(put(table_epoch(), 0, &row));
    assert_int_equal(ask_as(facts, &answer), TABLE_FOREIGN);
    assert_false(answer.is_known);
    facts.api = 7;
    assert_int_equal(ask_as(facts, &answer), TABLE_DECIDED);
    facts.employer_id = S("emp_2");
    assert_int_equal(ask_as(facts, &answer), TABLE_FOREIGN);
    facts.api = DECIDE_ANY_API;
    assert_int_equal(ask_as(facts, &answer), TABLE_FOREIGN);
    facts.employer_id = S("emp_1");
    assert_int_equal(ask_as(facts, &answer), TABLE_DECIDED);
    assert_int_equal(table_take_usage(arena, used, 1), 1);
    assert_int_equal(used[0].requests, 2);
}

/* What a flush has taken, and could not write, still counts. */
static void the_count_of_uses_never_falls(void **state)
{
    struct key_row row = a_row("key_1", "secret");
    DROP(arena) struct arena *arena = arena_new();
    struct decide_facts facts = some_facts();
    struct usage used[1];
    struct keys_answer answer;

    (void)state;
    row.key.request_count = 41;
    facts.is_counted = true;
    assert_true(put(table_epoch(), 0, &row));
    for (int64_t n = 42; n <= 50; n++) {
        assert_int_equal(ask_as(facts, &answer), TABLE_DECIDED);
        assert_int_equal(answer.n_uses, n);
        assert_int_equal(table_take_usage(arena, used, 1), 1);
        if (n % 3 == 0)
            table_give_back_usage(used, 1);
        if (n % 3 == 1)
            assert_true(put(table_epoch(), 0, &row)); /* read before that was written */
    }
    row.key.request_count = 90; /* other nodes count too */
    table_touch(S("key_1"));
    assert_true(put(table_epoch(), 0, &row));
    assert_int_equal(ask_as(facts, &answer), TABLE_DECIDED);
    assert_in_range(answer.n_uses, 91, 92);
}

static void a_persons_key_names_the_person(void **state)
{
    struct key_row row = a_row("api_key_0197a2c4e86f41d2a3b4c5d6e7f80912", "secret");
    DROP(arena) struct arena *arena = arena_new();
    struct decide_facts facts = some_facts();
    struct sha256 digest = digest_sha256(S("secret"));
    struct keys_answer answer = {0};

    (void)state;
    row.key.owner_id = S("user_06b3k9q2x7hv4m1tz8c5nd0r");
    assert_true(put(table_epoch(), 0, &row));
    assert_int_equal(table_decide(arena, &digest, 0, &facts, &answer), TABLE_DECIDED);
    assert_true(str_eq(answer.who.id, row.key.id));
    assert_true(str_eq(answer.person_id, row.key.owner_id));
    row.person_is_inactive = true;
    table_touch_all();
    assert_true(put(table_epoch(), 0, &row));
    assert_int_equal(table_decide(arena, &digest, 0, &facts, &answer), TABLE_DECIDED);
    assert_int_equal(answer.verdict.code, E_USER_INACTIVE);
}

static void a_touched_key_is_read_again(void **state)
{
    struct key_row row = a_row("key_1", "secret");
    enum err code;

    (void)state;
    assert_true(put(table_epoch(), 0, &row));
    table_touch(S("key_1"));
    assert_false(ask("secret", &code));
    row.key.revoked_at_ms = 1;
    assert_true(put(table_epoch(), 0, &row));
    assert_true(ask("secret", &code));
    assert_int_equal(code, E_API_KEY_REVOKED);
}

/* Reading one secret of a touched key anew must not make its other secrets fresh. */
static void every_secret_of_a_touched_key_is_read_again(void **state)
{
    struct key_row former = a_row("key_1", "former");
    struct key_row current = a_row("key_1", "current");
    enum err code;

    (void)state;
    assert_true(put(table_epoch(), 0, &former));
    table_touch(S("key_1"));
    assert_true(put(table_epoch(), 0, &current));
    assert_true(ask("current", &code));
    assert_false(ask("former", &code));
    former.secret.rotated_at_ms = former.secret.ends_at_ms = 1;
    assert_true(put(table_epoch(), 0, &former));
    assert_true(ask("former", &code));
    assert_int_equal(code, E_API_KEY_REVOKED);
    assert_true(ask("current", &code));
    assert_int_equal(code, E_OK);
}

static void a_row_read_before_a_change_is_not_put(void **state)
{
    struct key_row row = a_row("key_1", "secret");
    uint64_t epoch = table_epoch();
    enum err code;

    (void)state;
    table_touch(S("key_1"));
    assert_false(put(epoch, 0, &row));
    assert_false(ask("secret", &code));
}

static void touching_all_makes_every_key_be_read_again(void **state)
{
    struct key_row row = a_row("key_1", "secret");
    enum err code;

    (void)state;
    assert_true(put(table_epoch(), 0, &row));
    table_touch_all();
    assert_false(ask("secret", &code));
    assert_true(put(table_epoch(), 0, &row));
    assert_true(ask("secret", &code));
}

static void an_entry_read_before_the_instant_given_is_read_again(void **state)
{
    struct key_row row = a_row("key_1", "secret");
    enum err code;

    (void)state;
    assert_true(put(table_epoch(), 7, &row));
    assert_true(ask_since("secret", 7, &code));
    assert_false(ask_since("secret", 8, &code));
    assert_true(put(table_epoch(), 8, &row));
    assert_true(ask_since("secret", 8, &code));
}

static void usage_is_taken_once_and_can_be_given_back(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct key_row row = a_row("key_1", "secret");
    struct usage list[4];
    enum err code;

    (void)state;
    assert_true(put(table_epoch(), 0, &row));
    for (int i = 0; i < 3; i++)
        assert_true(ask("secret", &code));
    assert_int_equal(table_take_usage(arena, list, 4), 1);
    assert_int_equal(list[0].requests, 3);
    assert_true(str_eq(list[0].last_ip, S("192.0.2.1")));
    assert_int_equal(table_take_usage(arena, list + 1, 3), 0);
    table_give_back_usage(list, 1);
    assert_int_equal(table_take_usage(arena, list + 1, 3), 1);
    assert_int_equal(list[1].requests, 3);
}

/* ---- a full table ---- */

enum { ROOM = 1000 };

static struct key_row numbered(int i, char id[24], char secret[24])
{
    snprintf(id, 24, "key_%d", i);
    snprintf(secret, 24, "secret %d", i);
    return a_row(id, secret);
}

static void put_numbered(int i)
{
    char id[24], secret[24];
    struct key_row row = numbered(i, id, secret);

    assert_true(put(table_epoch(), some_facts().now.mono_ns, &row));
}

static bool ask_numbered(int i)
{
    char id[24], secret[24];
    enum err code;

    numbered(i, id, secret);
    return ask(secret, &code) && code == E_OK;
}

static void flush_usage(void)
{
    DROP(arena) struct arena *arena = arena_new();
    struct usage list[16];

    while (table_take_usage(arena, list, 16)) {
    }
}

static void a_full_table_keeps_those_in_use(void **state)
{
    enum { HOT = 50 };
    struct table_stats stats;
    int n_missed = 0;

    (void)state;
    for (int i = 0; i < ROOM; i++)
        put_numbered(i);
    for (int i = ROOM; i < 20 * ROOM; i++) {
        n_missed += !ask_numbered(i % HOT);
        if (!ask_numbered(i % HOT))
            put_numbered(i % HOT);
        flush_usage();
        put_numbered(i);
    }
    table_count(&stats);
    assert_int_equal(stats.keys, ROOM);
    assert_int_equal(stats.evictions, 19 * ROOM + n_missed);
    /* At most once each: the first time, when all were equally new. */
    assert_in_range(n_missed, 0, HOT);
}

/* Whoever left would come back with a limit that is whole. */
static void a_limit_that_is_used_up_is_not_forgotten_while_others_can_leave(void **state)
{
    struct key_row row = a_row("key_limited", "limited");
    enum err code;

    (void)state;
    row.key.rate = (struct rate_policy){.requests = 1, .window_ms = 60000};
    assert_true(put(table_epoch(), 0, &row));
    assert_true(ask("limited", &code) && code == E_OK);
    for (int i = 0; i < 5 * ROOM; i++)
        put_numbered(i);
    assert_true(ask("limited", &code));
    assert_int_equal(code, E_RATE_LIMITED);
}

static void usage_outlives_its_place_in_the_table(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct usage list[16];
    int64_t counted = 0;

    (void)state;
    for (int i = 0; i < 3 * ROOM; i++) {
        put_numbered(i);
        assert_true(ask_numbered(i));
    }
    for (size_t n; (n = table_take_usage(arena, list, 16)) > 0;)
        for (size_t i = 0; i < n; i++)
            counted += list[i].requests;
    assert_int_equal(counted, 3 * ROOM);
}

static void a_key_in_memory_takes_less_than_200_bytes(void **state)
{
    enum { MANY = 100000 };
    struct table_stats stats;

    (void)state;
    table_stop();
    table_start(MANY);
    for (int i = 0; i < MANY; i++)
        put_numbered(i);
    table_count(&stats);
    assert_int_equal(stats.keys, MANY);
    assert_in_range(stats.bytes / MANY, 100, 199);
}

/* ---- many threads ---- */

enum { THREADS = 4, CALLS = 2000 };

static void *call_often(void *arg)
{
    struct key_row row = a_row("key_1", "secret");
    int *passed = arg;
    enum err code;

    for (int i = 0; i < CALLS; i++) {
        while (!ask("secret", &code)) {
            uint64_t epoch = table_epoch();
            put(epoch, 0, &row);
        }
        *passed += code == E_OK;
        if (i % 97 == 0)
            table_touch(S("key_1"));
    }
    return NULL;
}

static void no_call_is_lost_among_threads(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    pthread_t threads[THREADS];
    int passed[THREADS] = {0};
    struct usage list[4];
    int64_t counted = 0, all = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_often, &passed[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        all += passed[i];
    }
    for (size_t n; (n = table_take_usage(arena, list, 4)) > 0;)
        for (size_t i = 0; i < n; i++)
            counted += list[i].requests;
    assert_int_equal(all, THREADS * CALLS);
    assert_int_equal(counted, all);
}

enum { KEYS = 3 * ROOM, ROUNDS = 6000 };

struct worker {
    unsigned seed;
    int passed;
};

/* Use, and read again what is not there, as at the door. */
static void *use_many(void *arg)
{
    struct worker *worker = arg;
    char id[24], secret[24];
    enum err code;

    for (int round = 0; round < ROUNDS; round++) {
        struct key_row row = numbered(rand_r(&worker->seed) % KEYS, id, secret);
        while (!ask(secret, &code))
            put(table_epoch(), some_facts().now.mono_ns, &row);
        worker->passed += code == E_OK;
        if (round % 61 == 0)
            table_touch(str_of(id));
        if (round % 1999 == 0)
            table_touch_all();
    }
    return NULL;
}

static void nothing_is_lost_where_threads_push_each_other_out(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct table_stats stats;
    struct usage list[64];
    int64_t counted = 0, all = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.seed = (unsigned)i + 1};
        pthread_create(&threads[i], NULL, use_many, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        all += workers[i].passed;
    }
    for (size_t n; (n = table_take_usage(arena, list, 64)) > 0;)
        for (size_t i = 0; i < n; i++)
            counted += list[i].requests;
    table_count(&stats);
    assert_int_equal(all, THREADS * ROUNDS);
    assert_int_equal(counted, all);
    assert_int_equal(stats.keys, ROOM);
    assert_true(stats.evictions > ROOM);
}

static void *use_up(void *arg)
{
    int *passed = arg;
    enum err code;

    for (int i = 0; i < CALLS; i++)
        *passed += ask("limited", &code) && code == E_OK;
    return NULL;
}

static void threads_together_pass_no_more_than_the_limit(void **state)
{
    struct key_row row = a_row("key_2", "limited");
    pthread_t threads[THREADS];
    int passed[THREADS] = {0};
    int all = 0;

    (void)state;
    row.key.rate = (struct rate_policy){.requests = 1000, .window_ms = 60000};
    assert_true(put(table_epoch(), 0, &row));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use_up, &passed[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        all += passed[i];
    }
    assert_int_equal(all, 1000);
}

static void a_key_passes_no_more_than_its_limit(void **state)
{
    struct key_row row = a_row("key_2", "limited");
    int passed = 0;
    enum err code;

    (void)state;
    row.key.rate = (struct rate_policy){.requests = 10, .window_ms = 60000};
    assert_true(put(table_epoch(), 0, &row));
    for (int i = 0; i < 50; i++) {
        assert_true(ask("limited", &code));
        passed += code == E_OK;
    }
    assert_int_equal(passed, 10);
}

int main(void)
{
#define IN_A_TABLE(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        IN_A_TABLE(what_was_put_is_decided),
        IN_A_TABLE(a_key_is_none_of_another_apis_or_employers_business),
        IN_A_TABLE(the_count_of_uses_never_falls),
        IN_A_TABLE(a_persons_key_names_the_person),
        IN_A_TABLE(a_touched_key_is_read_again),
        IN_A_TABLE(every_secret_of_a_touched_key_is_read_again),
        IN_A_TABLE(a_row_read_before_a_change_is_not_put),
        IN_A_TABLE(an_entry_read_before_the_instant_given_is_read_again),
        IN_A_TABLE(touching_all_makes_every_key_be_read_again),
        IN_A_TABLE(usage_is_taken_once_and_can_be_given_back),
        IN_A_TABLE(a_full_table_keeps_those_in_use),
        IN_A_TABLE(a_limit_that_is_used_up_is_not_forgotten_while_others_can_leave),
        IN_A_TABLE(usage_outlives_its_place_in_the_table),
        IN_A_TABLE(a_key_in_memory_takes_less_than_200_bytes),
        IN_A_TABLE(no_call_is_lost_among_threads),
        IN_A_TABLE(nothing_is_lost_where_threads_push_each_other_out),
        IN_A_TABLE(threads_together_pass_no_more_than_the_limit),
        IN_A_TABLE(a_key_passes_no_more_than_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
