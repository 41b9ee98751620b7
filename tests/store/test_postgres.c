/* What only PostgreSQL does: connections that go away, others on the same database. */
#include "fixture.h"

static void make_t(struct fixture *f)
{
    make_table(f, "DROP TABLE IF EXISTS t", "CREATE TABLE t (n BIGINT PRIMARY KEY)");
}

static const char insert[] = "INSERT INTO t VALUES ($1)";

static int64_t count_rows(struct fixture *f)
{
    return int_sql(f, "SELECT count(*) FROM t", BIND());
}

static void kill_connections(struct fixture *f)
{
    postgres_do("postgres",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'",
                f->database);
    usleep(50000);
}

/* ---- connections that go away ---- */

static void lost_connections_are_replaced(void **state)
{
    struct fixture *f = *state;

    make_t(f);
    for (int i = 0; i < 5; i++) {
        kill_connections(f);
        assert_int_equal(exec_sql(f, insert, BIND(INT(i))), E_OK);
        kill_connections(f);
        assert_int_equal(count_rows(f), i + 1);
    }
    kill_connections(f);
    assert_int_equal(store_check(&f->cx), E_OK);
}

struct losing {
    struct fixture *f;
    int runs;
    int losses; /* how often the connection goes away */
};

static enum err insert_and_lose(struct cx *cx, struct tx *tx, void *arg)
{
    struct losing *l = arg;

    (void)cx;
    TRY(tx_exec(tx, insert, BIND(INT(1)), NULL));
    if (l->runs++ < l->losses)
        kill_connections(l->f);
    return tx_exec(tx, insert, BIND(INT(2)), NULL);
}

static void work_that_lost_its_connection_runs_again_once(void **state)
{
    struct fixture *f = *state;
    struct losing once = {f, 0, 1}, always = {f, 0, 100};

    make_t(f);
    assert_int_equal(store_run(&f->cx, insert_and_lose, &always), E_STORE_DOWN);
    assert_int_equal(always.runs, 2);
    assert_true(f->cx.failure.retry_after_s > 0);
    assert_int_equal(count_rows(f), 0);
    assert_int_equal(store_run(&f->cx, insert_and_lose, &once), E_OK);
    assert_int_equal(once.runs, 2);
    assert_int_equal(count_rows(f), 2);
}

static enum err insert_and_lose_at_the_end(struct cx *cx, struct tx *tx, void *arg)
{
    struct losing *l = arg;

    (void)cx;
    l->runs++;
    TRY(tx_exec(tx, insert, BIND(INT(1)), NULL));
    kill_connections(l->f);
    return E_OK;
}

/* COMMIT goes out on a connection that is gone: nobody can tell whether it arrived. */
static void a_commit_without_an_answer_is_not_repeated(void **state)
{
    struct fixture *f = *state;
    struct losing l = {f, 0, 1};
    struct store_stats stats;

    make_t(f);
    assert_int_equal(store_run(&f->cx, insert_and_lose_at_the_end, &l), E_STORE_DOWN);
    assert_int_equal(l.runs, 1);
    assert_non_null(strstr(f->cx.failure.detail.p, "may have been made"));
    store_count(f->store, &stats);
    assert_int_equal(stats.failed_commits, 1);
    assert_int_equal(exec_sql(f, insert, BIND(INT(1))), E_OK);
}

static void a_server_that_is_away_is_down_until_it_is_back(void **state)
{
    struct fixture *f = *state;

    make_t(f);
    postgres_do("postgres", "ALTER DATABASE %s WITH ALLOW_CONNECTIONS false", f->database);
    kill_connections(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(exec_sql(f, insert, BIND(INT(1))), E_STORE_DOWN);
        assert_true(f->cx.failure.retry_after_s > 0);
        assert_int_equal(store_check(&f->cx), E_STORE_DOWN);
    }
    postgres_do("postgres", "ALTER DATABASE %s WITH ALLOW_CONNECTIONS true", f->database);
    usleep(300000);
    assert_int_equal(store_check(&f->cx), E_OK);
    assert_int_equal(exec_sql(f, insert, BIND(INT(1))), E_OK);
}

static void a_database_that_is_read_only_is_down_for_writing(void **state)
{
    struct fixture *f = *state;

    make_t(f);
    postgres_do("postgres", "ALTER DATABASE %s SET default_transaction_read_only = on",
                f->database);
    kill_connections(f);
    assert_int_equal(exec_sql(f, insert, BIND(INT(1))), E_STORE_DOWN);
    assert_int_equal(count_rows(f), 0);
    postgres_do("postgres", "ALTER DATABASE %s RESET default_transaction_read_only", f->database);
    kill_connections(f);
    assert_int_equal(exec_sql(f, insert, BIND(INT(1))), E_OK);
}

static void changes_are_durable_whatever_the_server_says(void **state)
{
    static const char sql[] = "SELECT count(*) FROM pg_settings"
                              " WHERE name = 'synchronous_commit' AND setting = $1";
    struct fixture *f = *state;

    postgres_do("postgres", "ALTER DATABASE %s SET synchronous_commit = off", f->database);
    kill_connections(f);
    assert_int_equal(int_sql(f, sql, BIND(TEXT(S("on")))), 1);
    postgres_do("postgres", "ALTER DATABASE %s SET synchronous_commit = remote_apply", f->database);
    kill_connections(f);
    assert_int_equal(int_sql(f, sql, BIND(TEXT(S("remote_apply")))), 1);
}

/* ---- others on the same database ---- */

static void a_table_changed_by_others_is_seen(void **state)
{
    static const char sql[] = "SELECT * FROM t";
    struct fixture *f = *state;

    make_t(f);
    assert_int_equal(exec_sql(f, insert, BIND(INT(1))), E_OK);
    assert_int_equal(int_sql(f, sql, BIND()), 1);
    postgres_do(f->database, "ALTER TABLE t ALTER COLUMN n TYPE NUMERIC");
    assert_int_equal(int_sql(f, sql, BIND()), 1);
    postgres_do(f->database, "ALTER TABLE t ADD COLUMN m TEXT");
    assert_int_equal(int_sql(f, sql, BIND()), 1);
}

struct crossing {
    pthread_t thread;
    struct fixture f;
    int64_t first, second;
    atomic_int *n_started;
    enum err answer;
};

static enum err update_two(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "UPDATE t SET n = n WHERE n = $1";
    struct crossing *c = arg;

    (void)cx;
    TRY(tx_exec(tx, sql, BIND(INT(c->first)), NULL));
    atomic_fetch_add(c->n_started, 1);
    while (atomic_load(c->n_started) < 2)
        usleep(1000);
    return tx_exec(tx, sql, BIND(INT(c->second)), NULL);
}

static void *cross(void *arg)
{
    struct crossing *c = arg;

    c->f.arena = c->f.cx.arena = arena_new();
    c->answer = store_run(&c->f.cx, update_two, c);
    arena_drop(&c->f.arena);
    return NULL;
}

static void a_deadlock_is_run_again(void **state)
{
    struct fixture *f = *state;
    atomic_int n_started = 0;
    struct crossing a = {.f = *f, .first = 1, .second = 2, .n_started = &n_started};
    struct crossing b = {.f = *f, .first = 2, .second = 1, .n_started = &n_started};

    make_t(f);
    assert_int_equal(exec_sql(f, "INSERT INTO t VALUES (1), (2)", BIND()), E_OK);
    pthread_create(&a.thread, NULL, cross, &a);
    pthread_create(&b.thread, NULL, cross, &b);
    pthread_join(a.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_int_equal(a.answer, E_OK);
    assert_int_equal(b.answer, E_OK);
    assert_true(atomic_load(&n_started) >= 3);
}

enum { NODES = 6 };

static void *open_one(void *arg)
{
    fixture_open(arg);
    return NULL;
}

static void many_may_open_a_new_database_at_once(void **state)
{
    struct fixture first, nodes[NODES];
    pthread_t threads[NODES];

    (void)state;
    fixture_init(&first);
    for (int i = 0; i < NODES; i++) {
        nodes[i] = first;
        nodes[i].arena = arena_new();
        pthread_create(&threads[i], NULL, open_one, &nodes[i]);
    }
    for (int i = 0; i < NODES; i++)
        pthread_join(threads[i], NULL);
    make_t(&nodes[0]);
    for (int i = 0; i < NODES; i++) {
        assert_true(store_is_shared(nodes[i].store));
        assert_int_equal(exec_sql(&nodes[i], insert, BIND(INT(i))), E_OK);
    }
    assert_int_equal(count_rows(&nodes[0]), NODES);
    for (int i = 0; i < NODES; i++) {
        store_drop(&nodes[i].store);
        arena_drop(&nodes[i].arena);
    }
    fixture_done(&first);
}

/* ---- what cannot be opened ---- */

static void expect_why(const char *url, const char *words)
{
    struct arena *arena = arena_new();
    struct store *store = NULL;
    str why = STR_NONE;

    assert_int_equal(store_open(arena, &(struct store_options){.url = url}, &store, &why),
                     E_STORE_DOWN);
    if (!why.p || !strstr(why.p, words) || strstr(why.p, "hush")) {
        print_error("\"%.*s\" does not say \"%s\"\n", STR_ARG(why), words);
        assert_true(false);
    }
    arena_drop(&arena);
}

static void what_cannot_be_opened_says_why(void **state)
{
    char url[512];

    (void)state;
    expect_why("postgresql://u:hush@127.0.0.1:1/x", "Connection refused");
    expect_why("postgresql:///x?host=/nowhere&password=hush", "/nowhere");
    expect_why("postgresql://u:hush@h/x?colour=red", "colour");
    fixture_name_url(url, "no_such_database");
    expect_why(url, "\"no_such_database\" does not exist");
}

static void a_database_of_another_encoding_is_refused(void **state)
{
    char url[512];

    (void)state;
    postgres_do("postgres",
                "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    fixture_name_url(url, "latin");
    expect_why(url, "encoding LATIN1");
    postgres_do("postgres", "DROP DATABASE latin WITH (FORCE)");
}

int main(void)
{
#define ON_A_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_A_STORE(lost_connections_are_replaced),
        ON_A_STORE(work_that_lost_its_connection_runs_again_once),
        ON_A_STORE(a_commit_without_an_answer_is_not_repeated),
        ON_A_STORE(a_server_that_is_away_is_down_until_it_is_back),
        ON_A_STORE(a_database_that_is_read_only_is_down_for_writing),
        ON_A_STORE(changes_are_durable_whatever_the_server_says),
        ON_A_STORE(a_table_changed_by_others_is_seen),
        ON_A_STORE(a_deadlock_is_run_again),
        cmocka_unit_test(many_may_open_a_new_database_at_once),
        cmocka_unit_test(what_cannot_be_opened_says_why),
        cmocka_unit_test(a_database_of_another_encoding_is_refused),
    };

    if (on_sqlite()) {
        print_error("STORE_URL names no PostgreSQL; script/test gives one\n");
        return 1;
    }
    quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
