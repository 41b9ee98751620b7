/* What every engine does: one suite against store.h alone. STORE_URL picks the engine. */
#include "fixture.h"

/* ---- values ---- */

static void values_bind_in_any_order_and_repeatedly(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(int_sql(f,
                             "SELECT CAST($2 AS BIGINT) * 1000 + CAST($1 AS BIGINT) * 10"
                             " + CAST($2 AS BIGINT)",
                             BIND(INT(7), INT(5))),
                     5075);
    assert_int_equal(int_sql(f,
                             "SELECT CAST($3 AS BIGINT) - CAST($1 AS BIGINT)"
                             " * CAST($2 AS BIGINT)",
                             BIND(INT(2), INT(3), INT(10))),
                     4);
}

static void the_number_of_values_must_be_right(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "SELECT CAST($1 AS BIGINT) + CAST($2 AS BIGINT)";
    struct one o = {.sql = sql};

    o.binds = BIND(INT(1));
    assert_int_equal(store_read(&f->cx, one_int, &o), E_INTERNAL_ERROR);
    o.binds = BIND(INT(1), INT(2), INT(3));
    assert_int_equal(store_read(&f->cx, one_int, &o), E_INTERNAL_ERROR);
    o.binds = BIND(INT(1), INT(2));
    assert_int_equal(store_read(&f->cx, one_int, &o), E_OK);
    assert_int_equal(o.number, 3);
}

static void text_that_is_no_text_is_refused(void **state)
{
    static const str bad[] = {{"a\0b", 3}, {"\xff", 1}, {"\xc3", 1}, {"\xed\xa0\x80", 3}};
    struct fixture *f = *state;
    struct one o = {.sql = "SELECT 1 WHERE $1 = 'x'"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o.binds = BIND(TEXT(bad[i]));
        assert_int_equal(store_read(&f->cx, one_int, &o), E_INVALID_REQUEST);
        assert_int_equal(store_run(&f->cx, one_exec, &o), E_INVALID_REQUEST);
    }
    o.binds = BIND(TEXT(S("x")));
    assert_int_equal(store_read(&f->cx, one_int, &o), E_OK);
}

static const char blob[] = {'a', 0, (char)0xff, 'z'};

static enum err read_values(struct cx *cx, struct tx *tx, void *arg)
{
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    (void)cx;
    (void)arg;
    TRY(tx_query(tx, "SELECT low, high, words, empty, bytes, missing FROM t_value", BIND(), &rows));
    if (!rows_next(rows, &e))
        return e == E_OK ? E_ABSENT : e;
    assert_true(rows_int(rows, 0) == INT64_MIN);
    assert_true(rows_int(rows, 1) == INT64_MAX);
    assert_true(str_eq(rows_text(rows, 2), S("Zoë 🦉 O'Neil \"x\"")));
    assert_false(str_is_none(rows_text(rows, 3)));
    assert_int_equal(rows_text(rows, 3).n, 0);
    assert_true(str_eq(rows_text(rows, 4), (str){blob, sizeof blob}));
    assert_true(str_is_none(rows_text(rows, 5)));
    assert_int_equal(rows_int(rows, 5), 0);
    assert_false(rows_next(rows, &e));
    assert_int_equal(e, E_OK);
    assert_false(rows_next(rows, &e)); /* and it stays at the end */
    return e;
}

static void values_come_back_as_they_went(void **state)
{
    struct fixture *f = *state;

    make_table(f, "DROP TABLE IF EXISTS t_value",
               "CREATE TABLE t_value (low BIGINT, high BIGINT, words TEXT, empty TEXT,"
               " bytes BYTEA, missing TEXT)");
    assert_int_equal(
        exec_sql(f, "INSERT INTO t_value VALUES ($1, $2, $3, $4, $5, $6)",
                 BIND(INT(INT64_MIN), INT(INT64_MAX), TEXT(S("Zoë 🦉 O'Neil \"x\"")),
                      TEXT(S("")), BLOB(blob, sizeof blob), TEXT(STR_NONE))),
        E_OK);
    assert_int_equal(store_read(&f->cx, read_values, NULL), E_OK);
}

static void no_row_is_absent(void **state)
{
    struct fixture *f = *state;
    struct one o = {"SELECT 1 WHERE 1 = 2", BIND(), 0};

    assert_int_equal(store_read(&f->cx, one_int, &o), E_ABSENT);
}

static void changed_counts_rows(void **state)
{
    struct fixture *f = *state;
    struct one o = {"UPDATE t_count SET n = n + 1 WHERE n < $1", BIND(INT(3)), -1};

    make_table(f, "DROP TABLE IF EXISTS t_count", "CREATE TABLE t_count (n BIGINT)");
    assert_int_equal(exec_sql(f, "INSERT INTO t_count VALUES (1), (2), (3)", BIND()), E_OK);
    assert_int_equal(store_run(&f->cx, one_exec, &o), E_OK);
    assert_int_equal(o.number, 2);
    o.binds = BIND(INT(0));
    assert_int_equal(store_run(&f->cx, one_exec, &o), E_OK);
    assert_int_equal(o.number, 0);
}

/* ---- transactions ---- */

static void make_unique_table(struct fixture *f)
{
    make_table(f, "DROP TABLE IF EXISTS t_unique",
               "CREATE TABLE t_unique (id BIGINT PRIMARY KEY, name TEXT UNIQUE)");
}

static const char insert_unique[] = "INSERT INTO t_unique VALUES ($1, $2)";
static const char count_unique[] = "SELECT count(*) FROM t_unique";

static void a_unique_constraint_is_a_conflict(void **state)
{
    struct fixture *f = *state;

    make_unique_table(f);
    assert_int_equal(exec_sql(f, insert_unique, BIND(INT(1), TEXT(S("a")))), E_OK);
    assert_int_equal(exec_sql(f, insert_unique, BIND(INT(1), TEXT(S("b")))), E_STORE_CONFLICT);
    assert_int_equal(exec_sql(f, insert_unique, BIND(INT(2), TEXT(S("a")))), E_STORE_CONFLICT);
    assert_int_equal(exec_sql(f, insert_unique, BIND(INT(2), TEXT(S("b")))), E_OK);
    assert_int_equal(int_sql(f, count_unique, BIND()), 2);
}

static enum err insert_then_refuse(struct cx *cx, struct tx *tx, void *arg)
{
    (void)arg;
    TRY(tx_exec(tx, insert_unique, BIND(INT(1), TEXT(S("a"))), NULL));
    fail_hint(cx, "make another");
    return fail(cx, E_LAST_ADMIN, "%d is left", 1);
}

static void a_failure_leaves_nothing_and_keeps_its_words(void **state)
{
    struct fixture *f = *state;

    make_unique_table(f);
    f->cx.failure.retry_after_s = 99; /* of an earlier one */
    assert_int_equal(store_run(&f->cx, insert_then_refuse, NULL), E_LAST_ADMIN);
    assert_true(str_eq(f->cx.failure.detail, S("1 is left")));
    assert_true(str_eq(f->cx.failure.hint, S("make another")));
    assert_int_equal(f->cx.failure.retry_after_s, 0);
    assert_int_equal(store_run_large(&f->cx, insert_then_refuse, NULL), E_LAST_ADMIN);
    assert_int_equal(int_sql(f, count_unique, BIND()), 0);
}

static enum err overlook_a_conflict(struct cx *cx, struct tx *tx, void *arg)
{
    (void)cx;
    (void)arg;
    TRY(tx_exec(tx, insert_unique, BIND(INT(1), TEXT(S("a"))), NULL));
    assert_int_equal(tx_exec(tx, insert_unique, BIND(INT(1), TEXT(S("a"))), NULL),
                     E_STORE_CONFLICT);
    assert_int_equal(tx_exec(tx, insert_unique, BIND(INT(2), TEXT(S("b"))), NULL),
                     E_STORE_CONFLICT);
    return E_OK;
}

static void a_failed_statement_ends_the_transaction(void **state)
{
    struct fixture *f = *state;

    make_unique_table(f);
    assert_int_equal(store_run(&f->cx, overlook_a_conflict, NULL), E_STORE_CONFLICT);
    assert_int_equal(int_sql(f, count_unique, BIND()), 0);
}

static enum err go_on_past_a_row(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "INSERT INTO t_unique VALUES ($1, $2) ON CONFLICT DO NOTHING";
    int64_t *changed = arg;

    (void)cx;
    TRY(tx_exec(tx, sql, BIND(INT(1), TEXT(S("a"))), &changed[0]));
    TRY(tx_exec(tx, sql, BIND(INT(1), TEXT(S("a"))), &changed[1]));
    return tx_exec(tx, sql, BIND(INT(2), TEXT(S("b"))), &changed[2]);
}

static void on_conflict_do_nothing_goes_on(void **state)
{
    struct fixture *f = *state;
    int64_t changed[3] = {-1, -1, -1};

    make_unique_table(f);
    assert_int_equal(store_run(&f->cx, go_on_past_a_row, changed), E_OK);
    assert_int_equal(changed[0], 1);
    assert_int_equal(changed[1], 0);
    assert_int_equal(changed[2], 1);
}

static enum err busy_for_a_while(struct cx *cx, struct tx *tx, void *arg)
{
    int *left = arg;

    assert_int_equal(cx->failure.detail.n, 0);
    TRY(tx_exec(tx, insert_unique, BIND(INT(*left), TEXT(STR_NONE)), NULL));
    if (*left == 0)
        return E_OK;
    --*left;
    return fail(cx, E_STORE_BUSY, "not yet");
}

static void busy_work_runs_again_and_not_for_ever(void **state)
{
    struct fixture *f = *state;
    int left = 2;

    make_unique_table(f);
    assert_int_equal(store_run(&f->cx, busy_for_a_while, &left), E_OK);
    assert_int_equal(int_sql(f, count_unique, BIND()), 1);
    left = 1000;
    assert_int_equal(store_run(&f->cx, busy_for_a_while, &left), E_STORE_DOWN);
    assert_true(f->cx.failure.retry_after_s > 0);
    assert_true(left > 900);
    assert_int_equal(int_sql(f, count_unique, BIND()), 1);
}

/* ---- a guard: what goes into the change's transaction before and after it ---- */

struct counting {
    struct store_guard guard; /* first: the guard's functions are given it */
    int begins, ends;
    enum err begins_with, ends_with;
};

static enum err insert_before(struct cx *cx, struct tx *tx, struct store_guard *guard)
{
    struct counting *c = (struct counting *)guard;

    c->begins++;
    TRY(tx_exec(tx, insert_unique, BIND(INT(-1), TEXT(S("before"))), NULL));
    return c->begins_with == E_OK ? E_OK : fail(cx, c->begins_with, "not now");
}

static enum err insert_after(struct cx *cx, struct tx *tx, struct store_guard *guard)
{
    struct counting *c = (struct counting *)guard;

    c->ends++;
    TRY(tx_exec(tx, insert_unique, BIND(INT(-2), TEXT(S("after"))), NULL));
    return c->ends_with == E_OK ? E_OK : fail(cx, c->ends_with, "not any more");
}

#define COUNTING(...)                                                                              \
    ((struct counting){.guard = {.begins = insert_before, .ends = insert_after}, __VA_ARGS__})

static void a_guard_is_for_one_change_that_succeeds(void **state)
{
    struct fixture *f = *state;
    struct counting c = COUNTING(0);
    struct one change = {insert_unique, BIND(INT(1), TEXT(S("change"))), 0};

    make_unique_table(f);
    f->cx.guard = &c.guard;
    assert_int_equal(int_sql(f, count_unique, BIND()), 0); /* reading is no change */
    assert_int_equal(store_run(&f->cx, insert_then_refuse, NULL), E_LAST_ADMIN);
    assert_ptr_equal(f->cx.guard, &c.guard);
    assert_int_equal(int_sql(f, count_unique, BIND()), 0);
    assert_int_equal(store_run(&f->cx, one_exec, &change), E_OK);
    assert_null(f->cx.guard);
    assert_int_equal(int_sql(f, count_unique, BIND()), 3);
    assert_int_equal(exec_sql(f, insert_unique, BIND(INT(2), TEXT(S("another")))), E_OK);
    assert_int_equal(c.begins, 2);
    assert_int_equal(c.ends, 1);
}

static void a_guard_that_refuses_leaves_nothing_of_the_change(void **state)
{
    struct fixture *f = *state;
    struct counting early = COUNTING(.begins_with = E_LAST_ADMIN);
    struct counting late = COUNTING(.ends_with = E_LAST_ADMIN);
    int left = 0;

    make_unique_table(f);
    f->cx.guard = &early.guard;
    assert_int_equal(store_run(&f->cx, busy_for_a_while, &left), E_LAST_ADMIN);
    assert_int_equal(early.ends, 0);
    f->cx.guard = &late.guard;
    assert_int_equal(store_run_large(&f->cx, busy_for_a_while, &left), E_LAST_ADMIN);
    assert_true(str_eq(f->cx.failure.detail, S("not any more")));
    assert_ptr_equal(f->cx.guard, &late.guard);
    f->cx.guard = NULL;
    assert_int_equal(int_sql(f, count_unique, BIND()), 0);
}

static void a_guard_begins_again_with_work_that_does(void **state)
{
    struct fixture *f = *state;
    struct counting c = COUNTING(0);
    int left = 2;

    make_unique_table(f);
    f->cx.guard = &c.guard;
    assert_int_equal(store_run(&f->cx, busy_for_a_while, &left), E_OK);
    assert_int_equal(c.begins, 3);
    assert_int_equal(c.ends, 1);
    assert_int_equal(int_sql(f, count_unique, BIND()), 3);
}

static enum err insert_many(struct cx *cx, struct tx *tx, void *arg)
{
    const int64_t *n = arg;

    (void)cx;
    for (int64_t i = 0; i < *n; i++)
        TRY(tx_exec(tx, insert_unique, BIND(INT(i), TEXT(STR_NONE)), NULL));
    return E_OK;
}

static void large_work_is_written_whole(void **state)
{
    struct fixture *f = *state;
    int64_t n = 20000;

    make_unique_table(f);
    assert_int_equal(store_run_large(&f->cx, insert_many, &n), E_OK);
    assert_int_equal(int_sql(f, count_unique, BIND()), n);
    assert_int_equal(store_run_large(&f->cx, insert_many, &n), E_STORE_CONFLICT);
    assert_int_equal(int_sql(f, count_unique, BIND()), n);
}

static void what_is_answered_is_there_after_opening_again(void **state)
{
    struct fixture *f = *state;

    make_unique_table(f);
    assert_int_equal(exec_sql(f, insert_unique, BIND(INT(1), TEXT(S("kept")))), E_OK);
    store_drop(&f->store);
    fixture_open(f);
    assert_int_equal(
        int_sql(f, "SELECT count(*) FROM t_unique WHERE name = $1", BIND(TEXT(S("kept")))), 1);
}

static void the_store_answers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(store_check(&f->cx), E_OK);
}

/* ---- reading ---- */

struct isolation {
    struct fixture *f;
    pthread_t thread;
    enum err written;
    int64_t before, after;
};

static void *insert_elsewhere(void *arg)
{
    struct isolation *i = arg;
    struct fixture other = *i->f;

    other.arena = other.cx.arena = arena_new();
    i->written = exec_sql(&other, insert_unique, BIND(INT(1), TEXT(STR_NONE)));
    arena_drop(&other.arena);
    return NULL;
}

static enum err read_twice(struct cx *cx, struct tx *tx, void *arg)
{
    struct isolation *i = arg;

    (void)cx;
    TRY(tx_one_int(tx, count_unique, BIND(), &i->before));
    pthread_create(&i->thread, NULL, insert_elsewhere, i);
    pthread_join(i->thread, NULL);
    return tx_one_int(tx, count_unique, BIND(), &i->after);
}

static void a_reader_sees_one_state(void **state)
{
    struct fixture *f = *state;
    struct isolation i = {.f = f};

    make_unique_table(f);
    assert_int_equal(store_read(&f->cx, read_twice, &i), E_OK);
    assert_int_equal(i.written, E_OK);
    assert_int_equal(i.before, 0);
    assert_int_equal(i.after, 0);
    assert_int_equal(int_sql(f, count_unique, BIND()), 1);
}

static void writing_while_reading_fails(void **state)
{
    struct fixture *f = *state;
    struct one o = {insert_unique, BIND(INT(1), TEXT(STR_NONE)), 0};

    make_unique_table(f);
    for (int i = 0; i < 10; i++)
        assert_int_equal(store_read(&f->cx, one_exec, &o), E_INTERNAL_ERROR);
    assert_int_equal(int_sql(f, count_unique, BIND()), 0);
    assert_int_equal(store_run(&f->cx, one_exec, &o), E_OK);
}

static enum err look_at_the_first(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "SELECT id FROM t_unique ORDER BY id";
    int64_t *ids = arg;

    (void)cx;
    for (int i = 0; i < 3; i++) {
        DROP(rows) struct rows *rows = NULL;
        enum err e;
        TRY(tx_query(tx, sql, BIND(), &rows));
        if (!rows_next(rows, &e))
            return e == E_OK ? E_ABSENT : e;
        ids[i] = rows_int(rows, 0);
    }
    return E_OK;
}

static void rows_may_be_dropped_early(void **state)
{
    struct fixture *f = *state;
    int64_t n = 100, ids[3] = {-1, -1, -1};

    make_unique_table(f);
    assert_int_equal(store_run(&f->cx, insert_many, &n), E_OK);
    assert_int_equal(store_read(&f->cx, look_at_the_first, ids), E_OK);
    assert_int_equal(store_run(&f->cx, look_at_the_first, ids), E_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ids[i], 0);
}

static enum err insert_unread(struct cx *cx, struct tx *tx, void *arg)
{
    DROP(rows) struct rows *rows = NULL;

    (void)cx;
    (void)arg;
    return tx_query(tx, "INSERT INTO t_unique VALUES ($1, $2), ($3, $2) RETURNING id",
                    BIND(INT(1), TEXT(STR_NONE), INT(2)), &rows);
}

static void returning_has_happened_though_nobody_reads(void **state)
{
    struct fixture *f = *state;

    make_unique_table(f);
    assert_int_equal(store_run(&f->cx, insert_unread, NULL), E_OK);
    assert_int_equal(int_sql(f, count_unique, BIND()), 2);
    assert_int_equal(store_run(&f->cx, insert_unread, NULL), E_STORE_CONFLICT);
}

static enum err query_a_loan(struct cx *cx, struct tx *tx, void *arg)
{
    DROP(rows) struct rows *rows = NULL;
    int64_t *sum = arg;
    enum err e;

    (void)cx;
    {
        char name[] = "x";
        TRY(tx_query(tx, "SELECT id FROM t_unique WHERE $1 = 'x' ORDER BY id",
                     BIND(TEXT(((str){name, 1}))), &rows));
        name[0] = 'y';
    }
    while (rows_next(rows, &e))
        *sum += rows_int(rows, 0);
    return e;
}

static void rows_outlive_the_values_they_were_asked_with(void **state)
{
    struct fixture *f = *state;
    int64_t n = 100, sum = 0;

    make_unique_table(f);
    assert_int_equal(store_run(&f->cx, insert_many, &n), E_OK);
    assert_int_equal(store_read(&f->cx, query_a_loan, &sum), E_OK);
    assert_int_equal(sum, 4950);
}

enum { STATEMENTS = 500 };

static void many_statements_are_told_apart(void **state)
{
    static char sql[STATEMENTS][64];
    struct fixture *f = *state;

    for (int round = 0; round < 3; round++)
        for (int i = 0; i < STATEMENTS; i++) {
            snprintf(sql[i], sizeof sql[i], "SELECT CAST($1 AS BIGINT) + %d", i);
            assert_int_equal(int_sql(f, sql[i], BIND(INT(1000))), 1000 + i);
        }
}

static void a_text_changed_in_place_is_another_statement(void **state)
{
    struct fixture *f = *state;
    char sql[64];

    for (int i = 0; i < 100; i++) {
        snprintf(sql, sizeof sql, "SELECT CAST($1 AS BIGINT) + %d", i);
        assert_int_equal(int_sql(f, sql, BIND(INT(1))), 1 + i);
    }
}

/* ---- many at once ---- */

enum { THREADS = 64, ROUNDS = 40 };

struct worker {
    pthread_t thread;
    struct fixture *f;
    void (*round)(struct worker *w, struct fixture *f, int i);
    int number;
    int kept;  /* rounds answered with E_OK */
    int wrong; /* answers that should not be */
};

static void *work_rounds(void *arg)
{
    struct worker *w = arg;
    struct fixture f = *w->f;

    f.arena = f.cx.arena = arena_new();
    for (int i = 0; i < ROUNDS; i++) {
        w->round(w, &f, i);
        arena_reset(f.arena);
    }
    arena_drop(&f.arena);
    return NULL;
}

static struct worker run_workers(struct fixture *f,
                                 void (*round)(struct worker *, struct fixture *, int))
{
    static struct worker workers[THREADS];
    struct worker sum = {0};

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.f = f, .round = round, .number = i};
        pthread_create(&workers[i].thread, NULL, work_rounds, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        sum.kept += workers[i].kept;
        sum.wrong += workers[i].wrong;
    }
    return sum;
}

static void increment(struct worker *w, struct fixture *f, int i)
{
    (void)i;
    if (exec_sql(f, "UPDATE t_sum SET n = n + 1", BIND()) == E_OK)
        w->kept++;
    else
        w->wrong++;
}

static void increments_add_up(void **state)
{
    struct fixture *f = *state;

    make_table(f, "DROP TABLE IF EXISTS t_sum", "CREATE TABLE t_sum (n BIGINT)");
    assert_int_equal(exec_sql(f, "INSERT INTO t_sum VALUES (0)", BIND()), E_OK);
    struct worker sum = run_workers(f, increment);
    assert_int_equal(sum.wrong, 0);
    assert_int_equal(int_sql(f, "SELECT n FROM t_sum", BIND()), THREADS * ROUNDS);
}

/* Reads, then writes what it read and one more: right only where nobody comes between. */
static enum err read_then_write(struct cx *cx, struct tx *tx, void *arg)
{
    int64_t n;

    (void)cx;
    (void)arg;
    TRY(tx_lock(tx, "sum", S("1")));
    TRY(tx_one_int(tx, "SELECT n FROM t_sum", BIND(), &n));
    return tx_exec(tx, "UPDATE t_sum SET n = $1", BIND(INT(n + 1)), NULL);
}

static void read_then_write_once(struct worker *w, struct fixture *f, int i)
{
    (void)i;
    if (store_run(&f->cx, read_then_write, NULL) != E_OK)
        w->wrong++;
}

static void a_lock_lets_nobody_come_between(void **state)
{
    struct fixture *f = *state;

    make_table(f, "DROP TABLE IF EXISTS t_sum", "CREATE TABLE t_sum (n BIGINT)");
    assert_int_equal(exec_sql(f, "INSERT INTO t_sum VALUES (0)", BIND()), E_OK);
    assert_int_equal(run_workers(f, read_then_write_once).wrong, 0);
    assert_int_equal(int_sql(f, "SELECT n FROM t_sum", BIND()), THREADS * ROUNDS);
}

struct neighbour {
    int64_t id;
    int kind;
};

enum { KIND_GOOD, KIND_CONFLICT, KIND_REFUSED, KIND_MISUSED, KIND_READING, KINDS };

static enum err be_a_neighbour(struct cx *cx, struct tx *tx, void *arg)
{
    const struct neighbour *n = arg;
    int64_t count;

    if (n->kind == KIND_READING)
        return tx_one_int(tx, count_unique, BIND(), &count);
    TRY(tx_exec(tx, insert_unique, BIND(INT(n->id), TEXT(STR_NONE)), NULL));
    switch (n->kind) {
    case KIND_CONFLICT:
        return tx_exec(tx, insert_unique, BIND(INT(-1), TEXT(STR_NONE)), NULL);
    case KIND_REFUSED:
        return fail(cx, E_LAST_ADMIN, "%d", (int)n->id);
    case KIND_MISUSED:
        return tx_exec(tx, "INSERT INTO no_such_table VALUES (1)", BIND(), NULL);
    default:
        return E_OK;
    }
}

static void live_beside_failures(struct worker *w, struct fixture *f, int i)
{
    static const enum err expected[] = {E_OK, E_STORE_CONFLICT, E_LAST_ADMIN, E_INTERNAL_ERROR,
                                        E_OK};
    struct neighbour n = {.id = w->number * ROUNDS + i, .kind = (w->number + i) % KINDS};
    enum err e = i % 10 == 9 ? store_run_large(&f->cx, be_a_neighbour, &n)
                             : store_run(&f->cx, be_a_neighbour, &n);

    if (e != expected[n.kind])
        w->wrong++;
    else if (n.kind == KIND_GOOD)
        w->kept++;
    if (n.kind == KIND_REFUSED &&
        !str_eq(f->cx.failure.detail, arena_printf(f->arena, "%d", (int)n.id)))
        w->wrong++;
    if (n.kind == KIND_GOOD && f->cx.failure.detail.n)
        w->wrong++;
}

static void a_failure_does_not_hurt_its_neighbours(void **state)
{
    struct fixture *f = *state;

    make_unique_table(f);
    assert_int_equal(exec_sql(f, insert_unique, BIND(INT(-1), TEXT(STR_NONE))), E_OK);
    struct worker sum = run_workers(f, live_beside_failures);
    assert_int_equal(sum.wrong, 0);
    assert_int_equal(int_sql(f, count_unique, BIND()), sum.kept + 1);
}

static void read_and_write(struct worker *w, struct fixture *f, int i)
{
    struct one o = {"SELECT a - b FROM t_pair", BIND(), -1};

    if (w->number < 8) {
        if (exec_sql(f, "UPDATE t_pair SET a = a + 1, b = b + 1", BIND()) != E_OK)
            w->wrong++;
    } else if (store_read(&f->cx, one_int, &o) != E_OK || o.number != 0) {
        w->wrong++;
    }
    (void)i;
}

static void more_readers_than_connections_all_get_their_turn(void **state)
{
    struct fixture *f = *state;

    make_table(f, "DROP TABLE IF EXISTS t_pair", "CREATE TABLE t_pair (a BIGINT, b BIGINT)");
    assert_int_equal(exec_sql(f, "INSERT INTO t_pair VALUES (0, 0)", BIND()), E_OK);
    assert_int_equal(run_workers(f, read_and_write).wrong, 0);
    assert_int_equal(int_sql(f, "SELECT a FROM t_pair", BIND()), 8 * ROUNDS);
}

/* ---- the schema ---- */

static void opening_again_migrates_nothing(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "SELECT count(*) FROM schema_migration";
    static const char latest[] = "SELECT max(applied_at_ms) FROM schema_migration";
    int64_t n = int_sql(f, sql, BIND()), at_ms = int_sql(f, latest, BIND());

    assert_true(n >= 1);
    store_drop(&f->store);
    usleep(2000);
    fixture_open(f);
    assert_int_equal(int_sql(f, sql, BIND()), n);
    assert_int_equal(int_sql(f, latest, BIND()), at_ms);
}

static void expect_refused(struct fixture *f, const char *words)
{
    str why = STR_NONE;

    store_drop(&f->store);
    assert_int_equal(fixture_try_open(f, &why), E_STORE_DOWN);
    if (!why.p || !strstr(why.p, words)) {
        print_error("\"%.*s\" does not say \"%s\"\n", STR_ARG(why), words);
        assert_true(false);
    }
}

static void a_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        exec_sql(f, "INSERT INTO schema_migration VALUES (900, 'of_tomorrow', 'x', 0)", BIND()),
        E_OK);
    expect_refused(f, "schema 900 (of_tomorrow)");
}

static void an_edited_migration_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        exec_sql(f, "UPDATE schema_migration SET digest = 'x' WHERE number = 1", BIND()), E_OK);
    expect_refused(f, "migration 1 (first) is not the one");
}

static void a_migration_that_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    /* What the first one makes is there already, as if it had been made by hand. */
    assert_int_equal(exec_sql(f, "DELETE FROM schema_migration", BIND()), E_OK);
    expect_refused(f, "migration 1 (first) failed");
}

static void a_url_of_no_engine_is_refused(void **state)
{
    struct fixture *f = *state;

    snprintf(f->url, sizeof f->url, "oracle:x");
    expect_refused(f, "write sqlite:");
}

int main(void)
{
#define ON_A_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_A_STORE(values_bind_in_any_order_and_repeatedly),
        ON_A_STORE(the_number_of_values_must_be_right),
        ON_A_STORE(values_come_back_as_they_went),
        ON_A_STORE(text_that_is_no_text_is_refused),
        ON_A_STORE(no_row_is_absent),
        ON_A_STORE(changed_counts_rows),
        ON_A_STORE(a_unique_constraint_is_a_conflict),
        ON_A_STORE(a_failure_leaves_nothing_and_keeps_its_words),
        ON_A_STORE(a_failed_statement_ends_the_transaction),
        ON_A_STORE(on_conflict_do_nothing_goes_on),
        ON_A_STORE(busy_work_runs_again_and_not_for_ever),
        ON_A_STORE(a_guard_is_for_one_change_that_succeeds),
        ON_A_STORE(a_guard_that_refuses_leaves_nothing_of_the_change),
        ON_A_STORE(a_guard_begins_again_with_work_that_does),
        ON_A_STORE(large_work_is_written_whole),
        ON_A_STORE(what_is_answered_is_there_after_opening_again),
        ON_A_STORE(the_store_answers),
        ON_A_STORE(a_reader_sees_one_state),
        ON_A_STORE(writing_while_reading_fails),
        ON_A_STORE(rows_may_be_dropped_early),
        ON_A_STORE(returning_has_happened_though_nobody_reads),
        ON_A_STORE(rows_outlive_the_values_they_were_asked_with),
        ON_A_STORE(many_statements_are_told_apart),
        ON_A_STORE(a_text_changed_in_place_is_another_statement),
        ON_A_STORE(increments_add_up),
        ON_A_STORE(a_lock_lets_nobody_come_between),
        ON_A_STORE(a_failure_does_not_hurt_its_neighbours),
        ON_A_STORE(more_readers_than_connections_all_get_their_turn),
        ON_A_STORE(opening_again_migrates_nothing),
        ON_A_STORE(a_newer_schema_is_refused),
        ON_A_STORE(an_edited_migration_is_refused),
        ON_A_STORE(a_migration_that_fails_leaves_nothing),
        ON_A_STORE(a_url_of_no_engine_is_refused),
    };

    quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
