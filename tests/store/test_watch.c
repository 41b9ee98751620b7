/* store/watch.h: announced changes are read in the order of their commits, and none is missed. */
#include "fixture.h"

#include <pthread.h>
#include <string.h>

#include "store/watch.h"

enum { LIST_MAX = 100 };

struct watching {
    struct fixture f;
    struct store_watch *watch;
    struct store_place place;
    struct store_change list[LIST_MAX];
    size_t n;
};

static int setup(void **state)
{
    struct watching *w = calloc(1, sizeof *w);
    str why;

    fixture_init(&w->f);
    fixture_open(&w->f);
    w->watch = store_watch_new(w->f.store);
    assert_int_equal(store_watch_open(w->watch, w->f.arena, &why), E_OK);
    assert_int_equal(store_watch_newest(w->watch, &w->place), E_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct watching *w = *state;

    store_watch_drop(&w->watch);
    assert_null(w->watch);
    fixture_done(&w->f);
    free(w);
    return 0;
}

static enum err read_on(struct watching *w)
{
    enum err e = store_watch_read(w->watch, w->f.arena, &w->place, w->list, LIST_MAX, &w->n);

    if (e == E_OK && w->n)
        w->place = w->list[w->n - 1].place;
    return e;
}

/* Reads on; the subjects of what is new must be these, parted by spaces. */
static void expect(struct watching *w, const char *subjects)
{
    str rest = str_of(subjects);

    assert_int_equal(read_on(w), E_OK);
    for (size_t i = 0; i < w->n; i++)
        assert_true(str_eq(w->list[i].subject, str_cut(&rest, S(" "))));
    assert_int_equal(rest.n, 0);
}

/* ---- sessions of somebody else, held open ---- */

static PGconn *open_session(struct watching *w)
{
    PGconn *db = PQconnectdb(w->f.url);

    assert_int_equal(PQstatus(db), CONNECTION_OK);
    return db;
}

static void in_session(PGconn *db, const char *sql)
{
    PGresult *r = PQexec(db, sql);

    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) {
        print_error("%s: %s\n", sql, PQerrorMessage(db));
        assert_true(false);
    }
    PQclear(r);
}

/* ---- work ---- */

struct announcing {
    const char *subject;
    enum err answer;
    int runs, busy_runs;
};

static enum err announce_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct announcing *a = arg;

    (void)cx;
    tx_announce(tx, "key", str_of(a->subject));
    return ++a->runs <= a->busy_runs ? E_STORE_BUSY : a->answer;
}

static enum err announce(struct watching *w, struct announcing *a)
{
    return store_run(&w->f.cx, announce_in_tx, a);
}

/* ---- tests ---- */

static void what_is_announced_is_read_once_with_its_kind_and_age(void **state)
{
    struct watching *w = *state;

    expect(w, "");
    assert_int_equal(announce(w, &(struct announcing){.subject = "one"}), E_OK);
    expect(w, "one");
    assert_true(str_eq(w->list[0].kind, S("key")));
    assert_int_equal(w->list[0].place.number, 1);
    assert_in_range(w->list[0].age_us, 0, 20000000);
    expect(w, "");
}

static void work_that_fails_announces_nothing_and_leaves_no_gap(void **state)
{
    struct watching *w = *state;

    assert_int_equal(announce(w, &(struct announcing){.subject = "a"}), E_OK);
    assert_int_equal(announce(w, &(struct announcing){"no", E_API_KEY_LIMIT, 0, 0}),
                     E_API_KEY_LIMIT);
    assert_int_equal(announce(w, &(struct announcing){.subject = "b"}), E_OK);
    expect(w, "a b");
    assert_int_equal(w->place.number, 2);
}

static void work_that_runs_again_announces_once(void **state)
{
    struct watching *w = *state;
    struct announcing a = {.subject = "again", .busy_runs = 2};

    assert_int_equal(announce(w, &a), E_OK);
    assert_int_equal(a.runs, 3);
    expect(w, "again");
}

/* Numbers of a sequence would have been given in the order of the inserts, and the first, committed
 * after the second was read, would have been missed. */
static void who_begins_first_and_commits_last_is_read_last(void **state)
{
    struct watching *w = *state;
    PGconn *first = open_session(w), *second = open_session(w);

    in_session(first, "BEGIN");
    in_session(first, "INSERT INTO employer (id, name, is_active, is_approved, created_at_ms)"
                      " VALUES ('e1', 'e', 1, 1, 0)");
    in_session(second, "BEGIN; SELECT change_announce('key', 'second'); COMMIT");
    expect(w, "second");
    in_session(first, "SELECT change_announce('key', 'first'); COMMIT");
    expect(w, "first");
    PQfinish(first);
    PQfinish(second);
}

/* Who has announced and not committed holds the others back: no number is seen before a smaller. */
static void nobody_overtakes_an_announcement_that_is_not_committed(void **state)
{
    struct watching *w = *state;
    PGconn *first = open_session(w), *second = open_session(w);

    in_session(first, "BEGIN; SELECT change_announce('key', 'first')");
    assert_true(PQsendQuery(second, "BEGIN; SELECT change_announce('key', 'second'); COMMIT"));
    usleep(200 * 1000);
    PQconsumeInput(second);
    assert_true(PQisBusy(second));
    expect(w, "");
    in_session(first, "COMMIT");
    while (true) {
        PGresult *r = PQgetResult(second);
        if (!r)
            break;
        PQclear(r);
    }
    expect(w, "first second");
    PQfinish(first);
    PQfinish(second);
}

static void *announce_often(void *arg)
{
    PGconn *db = PQconnectdb(((struct watching *)arg)->f.url);

    for (int i = 0; i < 200; i++)
        in_session(db, i % 10 == 9 ? "BEGIN; SELECT change_announce('key', 'x'); ROLLBACK"
                                   : "BEGIN; SELECT change_announce('key', 'x'); COMMIT");
    PQfinish(db);
    return NULL;
}

static void under_load_no_number_is_skipped(void **state)
{
    struct watching *w = *state;
    pthread_t threads[4];
    int64_t last = 0;

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, announce_often, w);
    while (last < (int64_t)4 * 180) {
        assert_int_equal(read_on(w), E_OK);
        for (size_t i = 0; i < w->n; i++)
            assert_int_equal(w->list[i].place.number, ++last);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    expect(w, "");
}

static int64_t wait_ms(struct watching *w, int timeout_ms)
{
    int64_t began_ms = time_mono_ms();

    store_watch_wait(w->watch, w->f.arena, -1, timeout_ms, w->list, LIST_MAX, &w->n);
    return time_mono_ms() - began_ms;
}

static void *announce_soon(void *arg)
{
    usleep(100 * 1000);
    assert_int_equal(announce(arg, &(struct announcing){.subject = "wake"}), E_OK);
    return NULL;
}

static void waiting_ends_with_an_announcement_or_the_time(void **state)
{
    struct watching *w = *state;
    pthread_t thread;

    assert_true(wait_ms(w, 300) >= 299);
    assert_int_equal(w->n, 0);
    pthread_create(&thread, NULL, announce_soon, w);
    assert_true(wait_ms(w, 20000) < 15000);
    pthread_join(thread, NULL);
    expect(w, "wake");
}

static void news_names_what_has_changed_and_it_is_read_all_the_same(void **state)
{
    struct watching *w = *state;

    assert_int_equal(announce(w, &(struct announcing){.subject = "two words"}), E_OK);
    assert_true(wait_ms(w, 20000) < 15000);
    assert_int_equal(w->n, 1);
    assert_true(str_eq(w->list[0].kind, S("key")));
    assert_true(str_eq(w->list[0].subject, S("two words")));
    struct store_place told = w->list[0].place;
    assert_int_equal(read_on(w), E_OK);
    assert_int_equal(w->n, 1);
    assert_true(str_eq(w->list[0].subject, S("two words")));
    assert_int_equal(told.number, w->place.number);
    assert_int_equal(told.at_us, w->place.at_us);
}

static void what_is_too_long_to_be_told_is_read(void **state)
{
    static char subject[8001];
    struct watching *w = *state;

    memset(subject, 's', sizeof subject - 1);
    assert_int_equal(announce(w, &(struct announcing){.subject = subject}), E_OK);
    assert_true(wait_ms(w, 20000) < 15000);
    assert_int_equal(w->n, 0);
    expect(w, subject);
}

static enum err sweep_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    (void)cx;
    return store_changes_sweep(tx, *(int64_t *)arg);
}

static void sweep(struct watching *w, int64_t older_than_ms)
{
    assert_int_equal(store_run(&w->f.cx, sweep_in_tx, &older_than_ms), E_OK);
}

static void the_newest_is_never_swept_and_who_has_read_it_goes_on(void **state)
{
    struct watching *w = *state;

    assert_int_equal(announce(w, &(struct announcing){.subject = "a"}), E_OK);
    assert_int_equal(announce(w, &(struct announcing){.subject = "b"}), E_OK);
    sweep(w, HOUR_MS);
    expect(w, "a b");
    usleep(2000);
    sweep(w, 0);
    w->place = (struct store_place){0};
    assert_int_equal(read_on(w), E_ABSENT); /* 1 is gone */
    assert_int_equal(store_watch_newest(w->watch, &w->place), E_OK);
    assert_int_equal(w->place.number, 2);
    assert_int_equal(announce(w, &(struct announcing){.subject = "c"}), E_OK);
    expect(w, "c");
}

static void who_was_away_while_changes_were_swept_is_told(void **state)
{
    struct watching *w = *state;

    assert_int_equal(announce(w, &(struct announcing){.subject = "a"}), E_OK);
    expect(w, "a");
    assert_int_equal(announce(w, &(struct announcing){.subject = "b"}), E_OK);
    assert_int_equal(announce(w, &(struct announcing){.subject = "c"}), E_OK);
    usleep(2000);
    sweep(w, 0);
    assert_int_equal(read_on(w), E_ABSENT);
}

/* A standby that lacked the last commits has taken over, and gives their numbers to others. */
static void a_number_that_was_given_again_is_not_mistaken(void **state)
{
    struct watching *w = *state;

    assert_int_equal(announce(w, &(struct announcing){.subject = "a"}), E_OK);
    assert_int_equal(announce(w, &(struct announcing){.subject = "lost"}), E_OK);
    expect(w, "a lost");
    postgres_do(w->f.database, "DELETE FROM change WHERE subject = 'lost'");
    assert_int_equal(read_on(w), E_ABSENT);
    assert_int_equal(announce(w, &(struct announcing){.subject = "other"}), E_OK);
    assert_int_equal(read_on(w), E_ABSENT);
}

static void a_watch_that_was_cut_off_goes_on_where_it_was(void **state)
{
    struct watching *w = *state;
    str why;

    assert_int_equal(announce(w, &(struct announcing){.subject = "a"}), E_OK);
    expect(w, "a");
    postgres_do("postgres",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = '%s' AND application_name = 'sallyport changes'",
                w->f.database);
    assert_int_equal(announce(w, &(struct announcing){.subject = "b"}), E_OK);
    assert_int_equal(read_on(w), E_STORE_DOWN);
    assert_false(store_watch_is_open(w->watch));
    assert_int_equal(store_watch_open(w->watch, w->f.arena, &why), E_OK);
    expect(w, "b");
}

int main(void)
{
#define WATCHING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WATCHING(what_is_announced_is_read_once_with_its_kind_and_age),
        WATCHING(work_that_fails_announces_nothing_and_leaves_no_gap),
        WATCHING(work_that_runs_again_announces_once),
        WATCHING(who_begins_first_and_commits_last_is_read_last),
        WATCHING(nobody_overtakes_an_announcement_that_is_not_committed),
        WATCHING(under_load_no_number_is_skipped),
        WATCHING(news_names_what_has_changed_and_it_is_read_all_the_same),
        WATCHING(what_is_too_long_to_be_told_is_read),
        WATCHING(waiting_ends_with_an_announcement_or_the_time),
        WATCHING(the_newest_is_never_swept_and_who_has_read_it_goes_on),
        WATCHING(who_was_away_while_changes_were_swept_is_told),
        WATCHING(a_number_that_was_given_again_is_not_mistaken),
        WATCHING(a_watch_that_was_cut_off_goes_on_where_it_was),
    };

    if (on_sqlite()) {
        print_error("STORE_URL names no PostgreSQL; script/test gives one\n");
        return 1;
    }
    quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
