/* idempotency/ on a store: the change and its kept answer are one. STORE_URL picks the engine. */
#include "fixture.h"

#include <semaphore.h>

#include "crypto/instance_key.h"
#include "http/reply.h"
#include "idempotency/idempotency.h"
#include "idempotency/queries.h"
#include "idempotency/rules.h"

static const struct principal caller = {
    .kind = PRINCIPAL_KEY, .id = {"key_1", 5}, .employer_id = {"emp_1", 5}};

static const char insert[] = "INSERT INTO t (n) VALUES ($1)";

/* ---- a route of our own: it inserts a row, and answers with its number ---- */

/* What the next call does. */
static struct {
    int64_t row;
    enum err fails_with;
    int busy_times;
    bool has_secret;
    bool answers_no_text; /* which no store takes */
    bool has_no_body;
    void (*before_change)(struct fixture *f);
    struct fixture *fixture;
} plan;
static atomic_int n_runs;

static enum err insert_row(struct cx *cx, struct tx *tx, void *arg)
{
    (void)arg;
    TRY(tx_exec(tx, insert, BIND(INT(plan.row)), NULL));
    if (plan.busy_times > 0) {
        plan.busy_times--;
        return E_STORE_BUSY;
    }
    return plan.fails_with == E_OK ? E_OK : fail(cx, plan.fails_with, "as planned");
}

static void write_row(struct cx *cx, struct json_out *j, const void *what)
{
    static const char no_text[] = {(char)0xff};
    DROP(secret) struct secret secret = {0};

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), S("row_1"));
    json_put_int(j, S("n"), *(const int64_t *)what);
    json_put_personal(j, S("email"), S("kim@example.org"));
    if (plan.has_secret) {
        secret_set(&secret, S("hush"));
        json_put_secret(j, S("secret"), &secret);
    }
    if (plan.answers_no_text)
        json_put_text(j, S("name"), (str){no_text, 1});
    json_close_object(j);
}

static enum err post_row(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    int64_t row = plan.row;

    (void)req;
    n_runs++;
    http_reply_plan(out, plan.has_no_body ? 204 : 201, plan.has_no_body ? NULL : write_row, &row);
    if (plan.before_change)
        plan.before_change(plan.fixture);
    TRY(store_run(cx, insert_row, NULL));
    return http_reply_write(cx, out);
}

static enum err refill_row(struct cx *cx, json_t *answer)
{
    (void)cx;
    json_object_set_new(answer, "email", json_string("kim@example.org"));
    return E_OK;
}

static const struct route rows_route = {HTTP_POST, "/rows", ROLE(MEMBER), post_row,
                                        .refill = refill_row};

/* ---- calling it ---- */

struct answer {
    enum err err;
    int status;
    char body[256];
    bool is_replayed;
    struct failure failure;
};

static struct answer call_as(struct fixture *f, const struct principal *who, const char *key,
                             const char *body)
{
    struct http_req req = {.method = HTTP_POST, .target = S("/rows"), .body = str_of(body)};
    struct cx cx = f->cx;
    struct answer answer = {0};
    struct http_reply reply;

    cx.who = who;
    http_reply_init(&reply);
    answer.err = idempotency_handle(&cx, &rows_route, &req, str_of(key), &reply);
    assert_null(cx.guard);
    answer.failure = cx.failure;
    answer.status = reply.status;
    assert_true(reply.body.n < sizeof answer.body);
    if (reply.body.n)
        memcpy(answer.body, reply.body.p, reply.body.n);
    for (size_t i = 0; i < reply.n_fields; i++)
        answer.is_replayed |= str_eq(reply.fields[i].name, S("idempotency-replayed"));
    http_reply_drop(&reply);
    return answer;
}

static struct answer call(struct fixture *f, const char *key, const char *body)
{
    return call_as(f, &caller, key, body);
}

static int64_t rows_of(struct fixture *f)
{
    return int_sql(f, "SELECT count(*) FROM t", BIND());
}

static int64_t kept_of(struct fixture *f)
{
    return int_sql(f, "SELECT count(*) FROM idempotency", BIND());
}

#define FIRST_ROW "{\"id\":\"row_1\",\"n\":1,\"email\":\"kim@example.org\"}"

static int setup(void **state)
{
    DROP(instance_key) struct instance_key key;

    fixture_setup(state);
    struct fixture *f = *state;
    assert_int_equal(exec_sql(f, "CREATE TABLE t (n BIGINT)", BIND()), E_OK);
    instance_key_make(&key);
    instance_key_set(&key);
    idempotency_start(DAY_MS);
    memset(&plan, 0, sizeof plan);
    plan.row = 1;
    plan.fixture = f;
    n_runs = 0;
    return 0;
}

static int teardown(void **state)
{
    instance_key_unset();
    return fixture_teardown(state);
}

/* ---- answering again ---- */

static void a_change_is_made_once_and_answered_alike(void **state)
{
    struct fixture *f = *state;
    struct answer first = call(f, "k", "{}"), second = call(f, "k", "{}");

    assert_int_equal(first.err, E_OK);
    assert_int_equal(first.status, 201);
    assert_string_equal(first.body, FIRST_ROW);
    assert_false(first.is_replayed);
    assert_int_equal(second.err, E_OK);
    assert_int_equal(second.status, 201);
    assert_string_equal(second.body, FIRST_ROW);
    assert_true(second.is_replayed);
    assert_int_equal(n_runs, 1);
    assert_int_equal(rows_of(f), 1);
}

static void an_answer_without_a_body_is_given_again_without_one(void **state)
{
    struct fixture *f = *state;

    plan.has_no_body = true;
    assert_int_equal(call(f, "k", "").status, 204);
    struct answer second = call(f, "k", "");
    assert_int_equal(second.err, E_OK);
    assert_int_equal(second.status, 204);
    assert_string_equal(second.body, "");
    assert_true(second.is_replayed);
    assert_int_equal(rows_of(f), 1);
}

static void another_payload_under_the_key_is_refused(void **state)
{
    struct fixture *f = *state;

    call(f, "k", "{\"a\":1}");
    assert_int_equal(call(f, "k", "{\"a\":2}").err, E_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(call(f, "k", "{\"a\":1}").err, E_OK);
    assert_int_equal(rows_of(f), 1);
}

static void another_caller_employer_or_key_is_another_call(void **state)
{
    struct principal other_key = {.id = S("key_2"), .employer_id = S("emp_1")};
    struct principal other_employer = {.id = S("key_1"), .employer_id = S("emp_2")};
    struct fixture *f = *state;

    assert_false(call(f, "k", "{}").is_replayed);
    assert_false(call_as(f, &other_key, "k", "{}").is_replayed);
    assert_false(call_as(f, &other_employer, "k", "{}").is_replayed);
    assert_false(call(f, "K", "{}").is_replayed);
    assert_int_equal(rows_of(f), 4);
}

static void a_secret_is_neither_kept_nor_given_again(void **state)
{
    struct fixture *f = *state;

    plan.has_secret = true;
    assert_non_null(strstr(call(f, "k", "{}").body, "hush"));
    struct answer second = call(f, "k", "{}");
    assert_int_equal(second.err, E_IDEMPOTENCY_SECRET_GONE);
    assert_true(str_eq(second.failure.members, S("\"resourceId\":\"row_1\"")));
    assert_int_equal(rows_of(f), 1);
    assert_int_equal(
        int_sql(f, "SELECT count(*) FROM idempotency WHERE answer LIKE '%hush%'", BIND()), 0);
    /* Another payload says nothing of what was made. */
    assert_int_equal(call(f, "k", "{ }").err, E_IDEMPOTENCY_KEY_REUSED);
}

static void personal_data_is_not_kept(void **state)
{
    struct fixture *f = *state;

    call(f, "k", "{}");
    assert_int_equal(int_sql(f, "SELECT count(*) FROM idempotency WHERE answer = $1",
                             BIND(TEXT(S("{\"id\":\"row_1\",\"n\":1,\"email\":null}")))),
                     1);
}

static void rotate_instance_key(void)
{
    DROP(instance_key) struct instance_key former = {0};
    DROP(instance_key) struct instance_key made = {0};

    instance_key_get(&former);
    instance_key_rotate(&former, &made);
    instance_key_set(&made);
}

static void a_payload_is_compared_as_long_as_its_instance_key_is_there(void **state)
{
    struct fixture *f = *state;

    call(f, "k", "{}");
    rotate_instance_key();
    assert_true(call(f, "k", "{}").is_replayed);
    assert_int_equal(call(f, "k", "{ }").err, E_IDEMPOTENCY_KEY_REUSED);
    rotate_instance_key();
    struct answer third = call(f, "k", "{}");
    assert_int_equal(third.err, E_IDEMPOTENCY_KEY_REUSED);
    assert_non_null(strstr(third.failure.detail.p, "rotated twice"));
    assert_int_equal(rows_of(f), 1);
}

/* ---- both or neither ---- */

static void a_change_that_fails_leaves_its_key_free(void **state)
{
    struct fixture *f = *state;

    plan.fails_with = E_LAST_ADMIN;
    assert_int_equal(call(f, "k", "{}").err, E_LAST_ADMIN);
    assert_int_equal(rows_of(f), 0);
    assert_int_equal(kept_of(f), 0);
    plan.fails_with = E_OK;
    assert_false(call(f, "k", "{\"repaired\":true}").is_replayed);
    assert_int_equal(rows_of(f), 1);
}

static void a_change_whose_answer_cannot_be_kept_is_not_made(void **state)
{
    struct fixture *f = *state;

    plan.answers_no_text = true;
    assert_int_not_equal(call(f, "k", "{}").err, E_OK);
    assert_int_equal(rows_of(f), 0);
    assert_int_equal(kept_of(f), 0);
}

static void work_that_runs_again_keeps_one_answer(void **state)
{
    struct fixture *f = *state;

    plan.busy_times = 2;
    assert_int_equal(call(f, "k", "{}").err, E_OK);
    assert_true(call(f, "k", "{}").is_replayed);
    assert_int_equal(rows_of(f), 1);
    assert_int_equal(kept_of(f), 1);
}

/* ---- time ---- */

static void an_answer_is_kept_to_its_exact_millisecond(void **state)
{
    struct fixture *f = *state;

    idempotency_start(1000);
    call(f, "k", "{}");
    f->cx.now_ms += 999;
    assert_true(call(f, "k", "{}").is_replayed);
    f->cx.now_ms += 1;
    plan.row = 2;
    struct answer late = call(f, "k", "{\"other\":true}");
    assert_int_equal(late.err, E_OK);
    assert_false(late.is_replayed);
    assert_int_equal(rows_of(f), 2);
    assert_int_equal(kept_of(f), 1);
    assert_true(call(f, "k", "{\"other\":true}").is_replayed);
}

static enum err keep_many(struct cx *cx, struct tx *tx, void *arg)
{
    const int *n = arg;

    for (int i = 0; i < *n; i++) {
        str id = arena_printf(cx->arena, "id %d", i);
        bool is_ours;
        TRY(idempotency_claim(tx, &(struct claim){id, S("ik"), S("mac")}, cx->now_ms,
                              cx->now_ms + (i == 0 ? 2000 : 1000), &is_ours));
        assert_true(is_ours);
    }
    return E_OK;
}

static void all_that_has_expired_is_swept_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    int n = 2500; /* more than two batches */

    assert_int_equal(store_run_large(&f->cx, keep_many, &n), E_OK);
    assert_int_equal(idempotency_sweep(&f->cx), E_OK);
    assert_int_equal(kept_of(f), n);
    f->cx.now_ms += 1000;
    assert_int_equal(idempotency_sweep(&f->cx), E_OK);
    assert_int_equal(kept_of(f), 1);
}

/* ---- at once ---- */

struct meeting {
    struct fixture *f;
    sem_t inside, go_on;
    struct answer answer;
};

static struct meeting *meeting;

static void wait_inside(struct fixture *f)
{
    (void)f;
    sem_post(&meeting->inside);
    while (sem_wait(&meeting->go_on) != 0)
        continue;
}

static void *call_in_thread(void *arg)
{
    struct meeting *m = arg;
    struct fixture own = *m->f;

    own.arena = own.cx.arena = arena_new();
    m->answer = call(&own, "k", "{}");
    arena_drop(&own.arena);
    return NULL;
}

static void a_call_that_is_still_running_is_said_to_be(void **state)
{
    struct fixture *f = *state;
    struct meeting m = {.f = f};
    pthread_t thread;

    sem_init(&m.inside, 0, 0);
    sem_init(&m.go_on, 0, 0);
    meeting = &m;
    plan.before_change = wait_inside;
    pthread_create(&thread, NULL, call_in_thread, &m);
    sem_wait(&m.inside);
    struct answer second = call(f, "k", "{}");
    assert_int_equal(second.err, E_IDEMPOTENCY_IN_PROGRESS);
    assert_int_equal(second.failure.retry_after_s, 1);
    sem_post(&m.go_on);
    pthread_join(thread, NULL);
    assert_int_equal(m.answer.err, E_OK);
    assert_false(m.answer.is_replayed);
    plan.before_change = NULL;
    assert_true(call(f, "k", "{}").is_replayed);
    assert_int_equal(rows_of(f), 1);
    sem_destroy(&m.inside);
    sem_destroy(&m.go_on);
}

/* Another node carries out the same call: what it writes in one transaction, without our list of
 * running calls. */
struct other_node {
    struct fixture *f;
    struct fixture own; /* a copy: a cx belongs to one thread */
    const char *body;
    bool gives_up; /* its transaction is rolled back */
    bool waits;    /* until somebody waits for it; PostgreSQL only */
    sem_t claimed;
    enum err err;
};

static str hex_of(struct arena *arena, struct sha256 digest)
{
    char *hex = arena_alloc(arena, 2 * SHA256_BYTES);

    hex_write(digest.bytes, SHA256_BYTES, hex);
    return (str){hex, 2 * SHA256_BYTES};
}

static struct claim claim_of(struct arena *arena, const char *body)
{
    struct http_req req = {.target = S("/rows"), .body = str_of(body)};
    struct instance_key_id *key_id = ARENA_NEW(arena, struct instance_key_id);
    str subject = idempotency_subject(arena, &caller, &rows_route, S("k"));
    struct sha256 mac =
        instance_key_mac(INSTANCE_KEY_IDEMPOTENCY, idempotency_payload(arena, &req), key_id);

    return (struct claim){hex_of(arena, digest_sha256(subject)), instance_key_id_text(key_id),
                          hex_of(arena, mac)};
}

/* Until a connection to the test's database waits for a lock. */
static void wait_for_a_waiter(struct fixture *f)
{
    static const char sql[] = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
                              " AND wait_event_type = 'Lock'";

    while (int_sql(f, sql, BIND(TEXT(str_of(f->database)))) == 0)
        usleep(2000);
}

static void *watch_for_a_waiter(void *arg)
{
    struct fixture own = *(struct fixture *)arg;

    own.arena = own.cx.arena = arena_new();
    wait_for_a_waiter(&own);
    arena_drop(&own.arena);
    return NULL;
}

static enum err carry_out_elsewhere(struct cx *cx, struct tx *tx, void *arg)
{
    static const struct kept kept = {.status = 201, .answer = {FIRST_ROW, sizeof FIRST_ROW - 1}};
    struct other_node *node = arg;
    struct claim claim = claim_of(cx->arena, node->body);
    bool is_ours = false;
    pthread_t watch;

    TRY(idempotency_claim(tx, &claim, cx->now_ms, cx->now_ms + DAY_MS, &is_ours));
    assert_true(is_ours);
    TRY(tx_exec(tx, insert, BIND(INT(1)), NULL));
    sem_post(&node->claimed);
    if (node->waits) {
        pthread_create(&watch, NULL, watch_for_a_waiter, &node->own);
        pthread_join(watch, NULL);
    }
    TRY(idempotency_keep(tx, claim.id, &kept));
    return node->gives_up ? E_LAST_ADMIN : E_OK;
}

static void *run_other_node(void *arg)
{
    struct other_node *node = arg;
    struct fixture own = node->own;

    own.arena = own.cx.arena = arena_new();
    node->err = store_run(&own.cx, carry_out_elsewhere, node);
    arena_drop(&own.arena);
    return NULL;
}

static void start_other_node(struct other_node *node, pthread_t *thread)
{
    node->own = *node->f;
    pthread_create(thread, NULL, run_other_node, node);
}

static struct other_node *other_node;

static void let_other_node_win(struct fixture *f)
{
    pthread_t thread;

    (void)f;
    start_other_node(other_node, &thread);
    pthread_join(thread, NULL);
}

static struct answer call_between(struct fixture *f, const char *elsewhere)
{
    struct other_node node = {.f = f, .body = elsewhere};

    sem_init(&node.claimed, 0, 0);
    other_node = &node;
    plan.before_change = let_other_node_win;
    struct answer answer = call(f, "k", "{}");
    plan.before_change = NULL;
    sem_destroy(&node.claimed);
    assert_int_equal(node.err, E_OK);
    return answer;
}

static void a_call_that_another_node_made_first_is_answered_as_there(void **state)
{
    struct fixture *f = *state;
    struct answer answer = call_between(f, "{}");

    assert_int_equal(answer.err, E_OK);
    assert_true(answer.is_replayed);
    assert_string_equal(answer.body, FIRST_ROW);
    assert_int_equal(n_runs, 1);
    assert_int_equal(rows_of(f), 1);
}

static void a_key_that_another_node_gave_to_another_call_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call_between(f, "{\"other\":true}").err, E_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(rows_of(f), 1);
}

/* ---- on PostgreSQL, where two transactions are open at once ---- */

static struct answer call_beside(struct other_node *node)
{
    pthread_t thread;

    sem_init(&node->claimed, 0, 0);
    node->waits = true;
    start_other_node(node, &thread);
    sem_wait(&node->claimed);
    struct answer answer = call(node->f, "k", "{}");
    pthread_join(thread, NULL);
    sem_destroy(&node->claimed);
    return answer;
}

static void a_claim_waits_for_the_first_and_answers_as_it_did(void **state)
{
    struct other_node node = {.f = *state, .body = "{}"};
    struct answer answer = call_beside(&node);

    assert_int_equal(node.err, E_OK);
    assert_int_equal(answer.err, E_OK);
    assert_true(answer.is_replayed);
    assert_string_equal(answer.body, FIRST_ROW);
    assert_int_equal(rows_of(*state), 1);
}

static void a_claim_waits_for_the_first_and_takes_its_place_if_it_failed(void **state)
{
    struct other_node node = {.f = *state, .body = "{}", .gives_up = true};
    struct answer answer = call_beside(&node);

    assert_int_equal(node.err, E_LAST_ADMIN);
    assert_int_equal(answer.err, E_OK);
    assert_false(answer.is_replayed);
    assert_int_equal(rows_of(*state), 1);
}

static void a_sweep_spares_a_key_that_is_being_claimed_anew(void **state)
{
    struct fixture *f = *state;
    struct other_node node = {.f = f, .body = "{}", .waits = true};
    pthread_t thread;

    idempotency_start(1000);
    call(f, "k", "{}");
    f->cx.now_ms += 1000;
    sem_init(&node.claimed, 0, 0);
    start_other_node(&node, &thread);
    sem_wait(&node.claimed);
    assert_int_equal(idempotency_sweep(&f->cx), E_OK);
    pthread_join(thread, NULL);
    sem_destroy(&node.claimed);
    assert_int_equal(node.err, E_OK);
    assert_int_equal(kept_of(f), 1);
    assert_true(call(f, "k", "{}").is_replayed);
}

int main(void)
{
#define ON_A_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_A_STORE(a_change_is_made_once_and_answered_alike),
        ON_A_STORE(an_answer_without_a_body_is_given_again_without_one),
        ON_A_STORE(another_payload_under_the_key_is_refused),
        ON_A_STORE(another_caller_employer_or_key_is_another_call),
        ON_A_STORE(a_secret_is_neither_kept_nor_given_again),
        ON_A_STORE(personal_data_is_not_kept),
        ON_A_STORE(a_payload_is_compared_as_long_as_its_instance_key_is_there),
        ON_A_STORE(a_change_that_fails_leaves_its_key_free),
        ON_A_STORE(a_change_whose_answer_cannot_be_kept_is_not_made),
        ON_A_STORE(work_that_runs_again_keeps_one_answer),
        ON_A_STORE(an_answer_is_kept_to_its_exact_millisecond),
        ON_A_STORE(all_that_has_expired_is_swept_and_nothing_else),
        ON_A_STORE(a_call_that_is_still_running_is_said_to_be),
        ON_A_STORE(a_call_that_another_node_made_first_is_answered_as_there),
        ON_A_STORE(a_key_that_another_node_gave_to_another_call_is_refused),
    };
    const struct CMUnitTest at_once[] = {
        ON_A_STORE(a_claim_waits_for_the_first_and_answers_as_it_did),
        ON_A_STORE(a_claim_waits_for_the_first_and_takes_its_place_if_it_failed),
        ON_A_STORE(a_sweep_spares_a_key_that_is_being_claimed_anew),
    };

    quiet();
    json_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* SQLite has one writer. */
    if (!on_sqlite())
        failed += cmocka_run_group_tests(at_once, NULL, NULL);
    return failed;
}
