/* What only SQLite does: the file and its lock, shared commits, kill -9, full and failing disks. */
#include "fixture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- the disk: SQLite's calls to make data durable come through here ---- */

static atomic_int n_syncs;
static atomic_bool syncs_fail;

static int sync_it(int fd, long number)
{
    if (atomic_load(&syncs_fail)) {
        errno = EIO;
        return -1;
    }
    atomic_fetch_add(&n_syncs, 1);
    return (int)syscall(number, fd);
}

int fsync(int fd)
{
    return sync_it(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_it(fd, SYS_fdatasync);
}

static int64_t count_rows(struct fixture *f)
{
    return int_sql(f, "SELECT count(*) FROM t", BIND());
}

static void make_t(struct fixture *f)
{
    make_table(f, "DROP TABLE IF EXISTS t",
               "CREATE TABLE t (caller BIGINT, number BIGINT, filler BYTEA)");
}

static enum err insert(struct fixture *f, int64_t caller, int64_t number)
{
    return exec_sql(f, "INSERT INTO t VALUES ($1, $2, NULL)", BIND(INT(caller), INT(number)));
}

/* ---- the file ---- */

static mode_t mode_of(struct fixture *f, const char *name)
{
    struct stat s;

    assert_int_equal(stat(arena_printf(f->arena, "%s/%s", f->folder, name).p, &s), 0);
    return s.st_mode & 07777;
}

static void missing_folders_are_made_and_nobody_else_may_look(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    snprintf(f.url, sizeof f.url, "sqlite:%s/a/b/c.db", f.folder);
    fixture_open(&f);
    make_t(&f);
    assert_int_equal(mode_of(&f, "a"), 0700);
    assert_int_equal(mode_of(&f, "a/b"), 0700);
    assert_int_equal(mode_of(&f, "a/b/c.db"), 0600);
    assert_int_equal(mode_of(&f, "a/b/c.db-wal"), 0600);
    assert_int_equal(mode_of(&f, "a/b/c.db.lock"), 0600);
    fixture_done(&f);
}

static void expect_why(const char *url, const char *words)
{
    struct arena *arena = arena_new();
    struct store *store = NULL;
    str why = STR_NONE;

    assert_int_equal(store_open(arena, &(struct store_options){.url = url}, &store, &why),
                     E_STORE_DOWN);
    if (!why.p || !strstr(why.p, words)) {
        print_error("\"%.*s\" does not say \"%s\"\n", STR_ARG(why), words);
        assert_true(false);
    }
    arena_drop(&arena);
}

static void what_cannot_be_opened_says_why(void **state)
{
    struct fixture *f = *state;
    FILE *text;

    expect_why("", "names no store");
    expect_why("sqlite:", "names no file");
    expect_why("sqlite::memory:", "names no file");
    expect_why(arena_printf(f->arena, "sqlite:%s/", f->folder).p, "is a folder");
    expect_why(arena_printf(f->arena, "sqlite:%s", f->folder).p, "is a folder");
    expect_why(arena_printf(f->arena, "sqlite:%s/test.db/x", f->folder).p, "Not a directory");
    expect_why("sqlite:/proc/nowhere/x.db", "cannot make the folder /proc/nowhere");
    text = fopen(arena_printf(f->arena, "%s/text", f->folder).p, "w");
    for (int i = 0; i < 1000; i++)
        fputs("not a database\n", text);
    fclose(text);
    expect_why(arena_printf(f->arena, "sqlite:%s/text", f->folder).p, "is not a database");
}

static void a_second_opening_in_one_process_is_refused(void **state)
{
    struct fixture *f = *state;

    expect_why(f->url,
               arena_printf(f->arena, "in use by another sallyport (pid %d)", (int)getpid()).p);
    assert_int_equal(symlink("test.db", arena_printf(f->arena, "%s/link.db", f->folder).p), 0);
    expect_why(arena_printf(f->arena, "sqlite:%s/link.db", f->folder).p, "in use by another");
    make_t(f); /* and the first is none the worse for it */
}

/* A child that opens the store, says so, and then goes on until it is killed. */
static pid_t start_child(struct fixture *f, int *from_child, void (*go_on)(struct fixture *, int))
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        fixture_open(f);
        go_on(f, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    *from_child = fds[0];
    return pid;
}

static void kill_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void hold(struct fixture *f, int out)
{
    (void)f;
    assert_int_equal(write(out, "x", 1), 1);
    for (;;)
        pause();
}

static void a_second_process_is_refused_until_the_first_is_gone(void **state)
{
    struct fixture f;
    int from_child;
    char c;

    (void)state;
    fixture_init(&f);
    pid_t pid = start_child(&f, &from_child, hold);
    assert_int_equal(read(from_child, &c, 1), 1);
    expect_why(f.url, arena_printf(f.arena, "in use by another sallyport (pid %d)", pid).p);
    kill_child(pid);
    close(from_child);
    fixture_open(&f);
    make_t(&f);
    fixture_done(&f);
}

/* ---- kill -9 ---- */

enum { CRASH_ROUNDS = 20, CRASH_CALLERS = 8 };

struct ack {
    int32_t round, caller, number;
};

struct crasher {
    pthread_t thread;
    struct fixture *f;
    int out, caller;
};

static int crash_round;

static enum err insert_two(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "INSERT INTO crash VALUES ($1, $2, $3)";
    const struct ack *a = arg;
    int64_t id = a->round * 1000 + a->caller;

    (void)cx;
    TRY(tx_exec(tx, sql, BIND(INT(id), INT(a->number), INT(1)), NULL));
    return tx_exec(tx, sql, BIND(INT(id), INT(a->number), INT(2)), NULL);
}

static void *insert_for_ever(void *arg)
{
    struct crasher *c = arg;
    struct cx cx = {.arena = arena_new(), .store = c->f->store};
    struct ack ack = {crash_round, c->caller, 0};

    for (;; ack.number++) {
        if (store_run(&cx, insert_two, &ack) != E_OK)
            _exit(1);
        if (write(c->out, &ack, sizeof ack) != sizeof ack)
            _exit(1);
        arena_reset(cx.arena);
    }
    return NULL;
}

static void acknowledge(struct fixture *f, int out)
{
    static struct crasher callers[CRASH_CALLERS];

    if (exec_sql(f, "CREATE TABLE IF NOT EXISTS crash (id BIGINT, number BIGINT, half BIGINT)",
                 BIND()) != E_OK)
        _exit(1);
    for (int i = 0; i < CRASH_CALLERS; i++) {
        callers[i] = (struct crasher){.f = f, .out = out, .caller = i};
        pthread_create(&callers[i].thread, NULL, insert_for_ever, &callers[i]);
    }
    for (;;)
        pause();
}

/* The last number that each caller was told is kept; -1: none. */
static void read_acks(int from_child, pid_t child, int alive_ms, int32_t last[CRASH_CALLERS])
{
    int64_t until_ms = time_mono_ms() + alive_ms;
    bool is_alive = true;
    struct ack ack;

    for (int i = 0; i < CRASH_CALLERS; i++)
        last[i] = -1;
    for (;;) {
        struct pollfd p = {.fd = from_child, .events = POLLIN};
        int left_ms = (int)(until_ms - time_mono_ms());
        if (is_alive && left_ms <= 0) {
            kill_child(child);
            is_alive = false;
        }
        if (is_alive && poll(&p, 1, left_ms) == 0)
            continue;
        if (read(from_child, &ack, sizeof ack) != sizeof ack)
            break;
        last[ack.caller] = ack.number;
    }
    assert_false(is_alive);
}

/* All up to the last acknowledged, nothing by halves, and one more at most that was on its way. */
static int64_t check_what_is_left(struct fixture *f, int64_t id, int32_t last)
{
    static const char upto[] = "SELECT count(*) FROM crash WHERE id = $1 AND number <= $2";
    static const char halves[] = "SELECT count(*) FROM (SELECT number FROM crash WHERE id = $1"
                                 " GROUP BY number HAVING count(*) <> 2)";
    static const char newest[] = "SELECT max(number) FROM crash WHERE id = $1";

    if (last < 0)
        return 0;
    assert_int_equal(int_sql(f, upto, BIND(INT(id), INT(last))), 2 * (last + 1));
    assert_int_equal(int_sql(f, halves, BIND(INT(id))), 0);
    assert_in_range(int_sql(f, newest, BIND(INT(id))), last, last + 1);
    return last + 1;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct fixture f;
    int32_t last[CRASH_CALLERS];
    int64_t n_acks = 0;
    int from_child;

    (void)state;
    srand(1);
    fixture_init(&f);
    for (crash_round = 0; crash_round < CRASH_ROUNDS; crash_round++) {
        pid_t child = start_child(&f, &from_child, acknowledge);
        read_acks(from_child, child, 60 + rand() % 120, last);
        close(from_child);
        fixture_open(&f);
        for (int i = 0; i < CRASH_CALLERS; i++)
            n_acks += check_what_is_left(&f, crash_round * 1000 + i, last[i]);
        store_drop(&f.store);
    }
    print_message("%d acknowledged over %d crashes\n", (int)n_acks, CRASH_ROUNDS);
    assert_true(n_acks > CRASH_ROUNDS);
    fixture_done(&f);
}

/* ---- shared commits ---- */

enum { CALLERS = 64, CALLS = 50 };

struct caller {
    pthread_t thread;
    struct fixture *f;
    int number;
    int calls;
    int answers[E_ABSENT + 1];
    int told_to_wait;
    int64_t filler_bytes;
    const void *filler;
};

static void *call(void *arg)
{
    static const char sql[] = "INSERT INTO t VALUES ($1, $2, $3)";
    struct caller *c = arg;
    struct fixture f = *c->f;

    f.arena = f.cx.arena = arena_new();
    for (int i = 0; i < c->calls; i++) {
        enum err e = exec_sql(
            &f, sql, BIND(INT(c->number), INT(i), BLOB(c->filler, (size_t)c->filler_bytes)));
        c->answers[e]++;
        if (e == E_STORE_DOWN && f.cx.failure.retry_after_s > 0 && f.cx.failure.detail.n)
            c->told_to_wait++;
        arena_reset(f.arena);
    }
    arena_drop(&f.arena);
    return NULL;
}

static struct caller call_from_many(struct fixture *f, int calls, const void *filler,
                                    int64_t filler_bytes)
{
    static struct caller callers[CALLERS];
    struct caller sum = {0};

    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){
            .f = f, .number = i, .calls = calls, .filler = filler, .filler_bytes = filler_bytes};
        pthread_create(&callers[i].thread, NULL, call, &callers[i]);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        sum.told_to_wait += callers[i].told_to_wait;
        for (int e = 0; e <= E_ABSENT; e++)
            sum.answers[e] += callers[i].answers[e];
    }
    return sum;
}

static void concurrent_callers_share_commits(void **state)
{
    struct fixture *f = *state;
    struct store_stats before, after;

    make_t(f);
    store_count(f->store, &before);
    int syncs = atomic_load(&n_syncs);
    struct caller sum = call_from_many(f, CALLS, NULL, 0);
    syncs = atomic_load(&n_syncs) - syncs;
    store_count(f->store, &after);
    int commits = (int)(after.commits - before.commits);
    print_message("%d requests, %d commits, %d syncs\n", CALLERS * CALLS, commits, syncs);
    assert_int_equal(sum.answers[E_OK], CALLERS * CALLS);
    assert_int_equal(after.requests - before.requests, CALLERS * CALLS);
    assert_true(commits * 4 < CALLERS * CALLS);
    assert_true(commits * 64 >= CALLERS * CALLS);
    assert_true(syncs >= commits);
    assert_int_equal(count_rows(f), CALLERS * CALLS);
}

static void no_answer_comes_before_the_disk_has_it(void **state)
{
    struct fixture *f = *state;

    make_t(f);
    for (int i = 0; i < 50; i++) {
        int syncs = atomic_load(&n_syncs);
        assert_int_equal(insert(f, 0, i), E_OK);
        assert_true(atomic_load(&n_syncs) > syncs);
    }
}

static void work_that_writes_nothing_is_no_commit(void **state)
{
    struct fixture *f = *state;
    struct one o = {"SELECT 1", BIND(), 0};
    struct store_stats before, after;

    store_count(f->store, &before);
    assert_int_equal(store_run(&f->cx, one_int, &o), E_OK);
    store_count(f->store, &after);
    assert_int_equal(after.commits, before.commits);
}

static void the_log_is_moved_into_the_database(void **state)
{
    static const char filler[20000];
    struct fixture *f = *state;
    struct store_stats stats;
    struct stat wal;

    make_t(f);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(exec_sql(f, "INSERT INTO t VALUES (1, $1, $2)",
                                  BIND(INT(i), BLOB(filler, sizeof filler))),
                         E_OK);
    store_count(f->store, &stats);
    assert_int_equal(stat(arena_printf(f->arena, "%s/test.db-wal", f->folder).p, &wal), 0);
    print_message("%d checkpoints, the log has %d KiB\n", (int)stats.checkpoints,
                  (int)(wal.st_size / 1024));
    assert_true(stats.checkpoints > 0);
    assert_true(wal.st_size < 60 * 1000 * 1000);
    assert_int_equal(count_rows(f), 3000);
}

/* ---- disks that are full, or fail ---- */

static void set_page_limit(struct fixture *f, int more_pages)
{
    int64_t pages = int_sql(f, "SELECT page_count FROM pragma_page_count", BIND());
    const char *sql =
        arena_printf(f->arena, "PRAGMA max_page_count = %d", (int)pages + more_pages).p;

    assert_int_equal(exec_sql(f, sql, BIND()), E_OK);
}

static void a_full_disk_is_answered_and_got_over(void **state)
{
    static const char filler[30000];
    struct fixture *f = *state;

    make_t(f);
    set_page_limit(f, 100);
    struct caller sum = call_from_many(f, 3, filler, sizeof filler);
    int kept = sum.answers[E_OK];
    print_message("%d kept, %d answered STORE_DOWN\n", kept, sum.answers[E_STORE_DOWN]);
    assert_int_equal(kept + sum.answers[E_STORE_DOWN], CALLERS * 3);
    assert_true(sum.answers[E_STORE_DOWN] > 0);
    assert_int_equal(sum.told_to_wait, sum.answers[E_STORE_DOWN]);
    assert_true(kept >= 10); /* what fits is kept, though its group was lost */
    assert_int_equal(count_rows(f), kept);

    set_page_limit(f, 100000);
    sum = call_from_many(f, 3, filler, sizeof filler);
    assert_int_equal(sum.answers[E_OK], CALLERS * 3);
    assert_int_equal(count_rows(f), kept + CALLERS * 3);
}

static void a_commit_that_cannot_be_made_durable_is_not_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;

    make_t(f);
    assert_int_equal(insert(f, 0, 0), E_OK);
    atomic_store(&syncs_fail, true);
    struct caller sum = call_from_many(f, 3, NULL, 0);
    assert_int_equal(sum.answers[E_STORE_DOWN], CALLERS * 3);
    assert_int_equal(sum.told_to_wait, CALLERS * 3);
    assert_int_equal(count_rows(f), 1);
    assert_int_equal(store_check(&f->cx), E_STORE_DOWN);
    store_count(f->store, &stats);
    assert_true(stats.failed_commits > 0);

    atomic_store(&syncs_fail, false);
    assert_int_equal(store_check(&f->cx), E_OK);
    assert_int_equal(insert(f, 0, 1), E_OK);
    assert_int_equal(count_rows(f), 2);
    store_drop(&f->store);
    fixture_open(f);
    assert_int_equal(count_rows(f), 2);
}

static void a_reference_to_nothing_is_a_fault_of_ours(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(exec_sql(f, "INSERT INTO session VALUES ('d', 'nobody', 0, 0)", BIND()),
                     E_INTERNAL_ERROR);
    assert_int_equal(exec_sql(f, "SELECT 1; SELECT 2", BIND()), E_INTERNAL_ERROR);
    assert_int_equal(exec_sql(f, "SELECT \"no such name\"", BIND()), E_INTERNAL_ERROR);
}

/* ---- work before a commit ---- */

/* Of the writer's thread, and read after it answered. */
static int n_closings;
static bool closing_fails;

static enum err close_group(struct cx *cx, struct tx *tx, void *arg)
{
    (void)arg;
    n_closings++;
    TRY(tx_exec(tx, "INSERT INTO t_closed VALUES (1)", BIND(), NULL));
    return closing_fails ? fail(cx, E_INTERNAL_ERROR, "as asked") : E_OK;
}

static enum err insert_and_close(struct cx *cx, struct tx *tx, void *arg)
{
    enum err *answer = arg;

    (void)cx;
    TRY(tx_exec(tx, "INSERT INTO t_line VALUES (1)", BIND(), NULL));
    tx_closes(tx);
    return *answer;
}

static void set_up_closing(struct fixture *f)
{
    n_closings = 0;
    closing_fails = false;
    store_set_closing(f->store, close_group);
    make_table(f, "DROP TABLE IF EXISTS t_line", "CREATE TABLE t_line (n BIGINT)");
    make_table(f, "DROP TABLE IF EXISTS t_closed", "CREATE TABLE t_closed (n BIGINT)");
}

static void what_belongs_before_a_commit_runs_where_it_is_asked_for(void **state)
{
    struct fixture *f = *state;
    enum err answer = E_OK;

    set_up_closing(f);
    assert_int_equal(exec_sql(f, "INSERT INTO t_line VALUES (2)", BIND()), E_OK);
    assert_int_equal(n_closings, 0);
    assert_int_equal(store_run(&f->cx, insert_and_close, &answer), E_OK);
    assert_int_equal(store_run_large(&f->cx, insert_and_close, &answer), E_OK);
    assert_int_equal(n_closings, 2);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM t_closed", BIND()), 2);
}

/* The caller's own words stay, whatever the closing of its group does. */
static enum err fail_after_closing(struct cx *cx, struct tx *tx, void *arg)
{
    TRY(insert_and_close(cx, tx, arg));
    return fail(cx, E_API_KEY_LIMIT, "my own words");
}

static void work_that_failed_keeps_its_answer(void **state)
{
    struct fixture *f = *state;
    enum err answer = E_OK;

    set_up_closing(f);
    assert_int_equal(store_run(&f->cx, fail_after_closing, &answer), E_API_KEY_LIMIT);
    assert_true(str_eq(f->cx.failure.detail, S("my own words")));
    assert_int_equal(int_sql(f, "SELECT count(*) FROM t_line", BIND()), 0);
}

static void a_commit_is_not_made_without_what_belongs_before_it(void **state)
{
    struct fixture *f = *state;
    enum err answer = E_OK;

    set_up_closing(f);
    closing_fails = true;
    assert_int_equal(store_run(&f->cx, insert_and_close, &answer), E_STORE_DOWN);
    assert_int_equal(store_run_large(&f->cx, insert_and_close, &answer), E_STORE_DOWN);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM t_line", BIND()), 0);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM t_closed", BIND()), 0);
    closing_fails = false;
    assert_int_equal(store_run(&f->cx, insert_and_close, &answer), E_OK);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM t_line", BIND()), 1);
}

int main(void)
{
#define ON_A_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_process_is_refused_until_the_first_is_gone),
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
        cmocka_unit_test(missing_folders_are_made_and_nobody_else_may_look),
        ON_A_STORE(what_cannot_be_opened_says_why),
        ON_A_STORE(a_second_opening_in_one_process_is_refused),
        ON_A_STORE(concurrent_callers_share_commits),
        ON_A_STORE(no_answer_comes_before_the_disk_has_it),
        ON_A_STORE(work_that_writes_nothing_is_no_commit),
        ON_A_STORE(the_log_is_moved_into_the_database),
        ON_A_STORE(a_full_disk_is_answered_and_got_over),
        ON_A_STORE(a_commit_that_cannot_be_made_durable_is_not_acknowledged),
        ON_A_STORE(a_reference_to_nothing_is_a_fault_of_ours),
        ON_A_STORE(what_belongs_before_a_commit_runs_where_it_is_asked_for),
        ON_A_STORE(work_that_failed_keeps_its_answer),
        ON_A_STORE(a_commit_is_not_made_without_what_belongs_before_it),
    };

    unsetenv("STORE_URL");
    quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
