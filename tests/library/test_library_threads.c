/* Many threads on one table: what each may see, and that a limit is exact. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "public.h"

enum { READERS = 3, KEYS = 64, ROUNDS = 3000, LIMIT = 1000 };

static struct {
    struct sallyport_table *table;
    atomic_bool is_over;
    atomic_int n_valid;
    atomic_int n_unknown;
    atomic_int n_wrong;
} race;

/* A key is whole or not there: its scopes, its owner and its id are always of one put. */
static bool is_possible(const struct sallyport_verdict *v, unsigned n)
{
    char id[24], owner[24];

    if (v->check == SALLYPORT_CHECK_KNOWN)
        return v->key_id[0] == '\0' && v->owner_id[0] == '\0' && v->scopes == 0;
    snprintf(id, sizeof id, "key_%u", n);
    snprintf(owner, sizeof owner, "owner_%u", (unsigned)v->scopes);
    return v->code == SALLYPORT_VALID && strcmp(v->key_id, id) == 0 &&
           strcmp(v->owner_id, owner) == 0;
}

static void *read_keys(void *seed)
{
    unsigned n = *(unsigned *)seed;

    while (!atomic_load(&race.is_over)) {
        struct sallyport_verdict v = ask(race.table, n % KEYS, (struct sallyport_question){0});
        atomic_fetch_add(v.code == SALLYPORT_VALID ? &race.n_valid : &race.n_unknown, 1);
        if (!is_possible(&v, n % KEYS))
            atomic_fetch_add(&race.n_wrong, 1);
        n = n * 1103515245 + 12345;
    }
    return NULL;
}

/* New, replaced, removed, and enough others that the table grows and forgets. */
static void change_keys(void)
{
    static const char *const office[] = {"198.51.100.0/24", "2001:db8::/32"};
    char id[24], owner[24];

    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = round * 7 % KEYS;
        snprintf(id, sizeof id, "key_%u", n);
        snprintf(owner, sizeof owner, "owner_%u", round % 2048);
        if (round % 3 == 2) {
            sallyport_remove(race.table, id);
            continue;
        }
        put_number(race.table, n,
                   &(struct sallyport_key){.id = id, .owner_id = owner, .scopes = round % 2048});
        snprintf(id, sizeof id, "other_%u", round);
        put_number(race.table, KEYS + round,
                   &(struct sallyport_key){.id = id, .addresses = office, .n_addresses = 2});
        if (round > 200 && round % 2) {
            snprintf(id, sizeof id, "other_%u", round - 200);
            sallyport_remove(race.table, id);
        }
    }
}

static void readers_see_whole_keys_while_a_writer_changes_them(void **state)
{
    pthread_t threads[READERS];
    unsigned seeds[READERS];

    (void)state;
    memset(&race, 0, sizeof race);
    assert_int_equal(sallyport_table_new(NULL, &race.table, NULL), SALLYPORT_OK);
    for (unsigned i = 0; i < READERS; i++) {
        seeds[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, read_keys, &seeds[i]), 0);
    }
    change_keys();
    /* Until each kind of answer was seen. */
    for (int i = 0; i < 10000 && (!atomic_load(&race.n_valid) || !atomic_load(&race.n_unknown));
         i++)
        change_keys();
    atomic_store(&race.is_over, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&race.n_wrong), 0);
    assert_true(atomic_load(&race.n_valid) > 0);
    assert_true(atomic_load(&race.n_unknown) > 0);
    sallyport_table_drop(&race.table);
}

static void *spend(void *unused)
{
    for (int i = 0; i < LIMIT; i++)
        if (ask(race.table, 1, (struct sallyport_question){0}).code == SALLYPORT_VALID)
            atomic_fetch_add(&race.n_valid, 1);
    return unused;
}

static void no_more_than_the_limit_passes(void **state)
{
    pthread_t threads[READERS];

    (void)state;
    memset(&race, 0, sizeof race);
    assert_int_equal(sallyport_table_new(NULL, &race.table, NULL), SALLYPORT_OK);
    put_number(race.table, 1,
               &(struct sallyport_key){.id = "a", .rate_requests = LIMIT, .rate_window_s = 60});
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spend, NULL), 0);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&race.n_valid), LIMIT);
    sallyport_table_drop(&race.table);
}

static void *decide_once(void *unused)
{
    ask(race.table, 1, (struct sallyport_question){0});
    return unused;
}

/* A thread that ended without leaving would hold up this writer for ever. */
static void threads_may_come_and_go(void **state)
{
    (void)state;
    assert_int_equal(sallyport_table_new(NULL, &race.table, NULL), SALLYPORT_OK);
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, decide_once, NULL), 0);
        pthread_join(thread, NULL);
        put_number(race.table, 1, &(struct sallyport_key){.id = "a"});
    }
    sallyport_table_drop(&race.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_keys_while_a_writer_changes_them),
        cmocka_unit_test(no_more_than_the_limit_passes),
        cmocka_unit_test(threads_may_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
