/* The audit on every engine: sealing, refusing, telling. STORE_URL picks the engine. */
#include "fixture.h"

#include <sys/stat.h>

#include "audit/ops.h"
#include "audit/seal.h"
#include "base/json.h"
#include "crypto/instance_key.h"

enum { WRITERS = 8, LINES_EACH = 25 };

struct audited {
    struct fixture f;
    char archives[64];
};

static enum err allow_opening(struct cx *cx, struct tx *tx, void *arg)
{
    (void)cx;
    (void)arg;
    return audit_allow_opening(tx);
}

static int setup_retaining(void **state, int64_t retention_ms)
{
    struct audited *a = calloc(1, sizeof *a);
    struct instance_key key;

    fixture_init(&a->f);
    fixture_open(&a->f);
    snprintf(a->archives, sizeof a->archives, "/tmp/sallyport-audit-XXXXXX");
    assert_non_null(mkdtemp(a->archives));
    instance_key_make(&key);
    instance_key_set(&key);
    audit_start(&(struct audit_settings){.retention_ms = retention_ms,
                                         .archive_folder = a->archives,
                                         .key_form = {S("mt"), S("live")}});
    a->f.cx.doing = "testing";
    assert_int_equal(store_run(&a->f.cx, allow_opening, NULL), E_OK);
    assert_int_equal(audit_open(&a->f.cx), E_OK);
    assert_int_equal(audit_seal(&a->f.cx), E_OK);
    *state = a;
    return 0;
}

static int setup(void **state)
{
    return setup_retaining(state, 0);
}

static int setup_archiving(void **state)
{
    return setup_retaining(state, 1);
}

static int teardown(void **state)
{
    struct audited *a = *state;
    char command[128];

    audit_stop();
    instance_key_unset();
    fixture_done(&a->f);
    snprintf(command, sizeof command, "rm -r '%s'", a->archives);
    assert_int_equal(system(command), 0);
    free(a);
    return 0;
}

/* ---- helpers ---- */

static enum err write_one(struct cx *cx, struct tx *tx, void *arg)
{
    return audit_write(cx, tx,
                       &(struct audit_line){.action = "test.done",
                                            .target_kind = "test",
                                            .target_id = *(str *)arg,
                                            .employer_id = S("emp_1"),
                                            .detail = audit_detail(cx, F("n", 1))});
}

static void write_line(struct fixture *f, const char *target)
{
    str id = str_of(target);

    f->cx.now_ms++;
    assert_int_equal(store_run(&f->cx, write_one, &id), E_OK);
}

static void write_lines(struct fixture *f, int n)
{
    char id[32];

    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "t_%d", i);
        write_line(f, id);
    }
    assert_int_equal(audit_seal(&f->cx), E_OK);
}

static struct audit_report *verify(struct fixture *f)
{
    struct audit_report *report = ARENA_NEW(f->arena, struct audit_report);

    assert_int_equal(audit_verify(&f->cx, &(struct audit_asked){.archive = STR_NONE}, report),
                     E_OK);
    return report;
}

static void must_be_sound(struct fixture *f, int64_t lines)
{
    struct audit_report *report = verify(f);

    for (size_t i = 0; i < report->n; i++)
        print_error("%.*s\n", STR_ARG(report->list[i].problem));
    assert_int_equal(report->n_findings, 0);
    assert_int_equal(report->lines, lines);
    assert_int_equal(report->sealed, lines);
    assert_int_equal(report->waiting, 0);
}

static void must_tell(struct fixture *f, const char *problem)
{
    struct audit_report *report = verify(f);

    for (size_t i = 0; i < report->n; i++)
        if (strstr(arena_dup(f->arena, report->list[i].problem).p, problem))
            return;
    for (size_t i = 0; i < report->n; i++)
        print_error("found: %.*s\n", STR_ARG(report->list[i].problem));
    print_error("not found: %s\n", problem);
    assert_true(false);
}

static void disarm(struct fixture *f)
{
    static const char *const sqlite[] = {
        "DROP TRIGGER audit_update",      "DROP TRIGGER audit_delete",
        "DROP TRIGGER audit_seal_update", "DROP TRIGGER audit_seal_delete",
        "DROP TRIGGER audit_head_update", "DROP TRIGGER audit_head_delete"};
    static const char *const postgres[] = {"ALTER TABLE audit DISABLE TRIGGER ALL",
                                           "ALTER TABLE audit_seal DISABLE TRIGGER ALL",
                                           "ALTER TABLE audit_head DISABLE TRIGGER ALL"};

    for (size_t i = 0; on_sqlite() && i < sizeof sqlite / sizeof sqlite[0]; i++)
        assert_int_equal(exec_sql(f, sqlite[i], BIND()), E_OK);
    for (size_t i = 0; !on_sqlite() && i < sizeof postgres / sizeof postgres[0]; i++)
        assert_int_equal(exec_sql(f, postgres[i], BIND()), E_OK);
}

/* ---- sealing ---- */

static void an_audit_opens_once_with_a_line_of_its_own(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;

    must_be_sound(f, 1);
    assert_int_equal(audit_open(&f->cx), E_OK);
    must_be_sound(f, 1);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM audit WHERE action = 'audit.opened'", BIND()),
                     1);
}

struct writer_thread {
    struct cx cx; /* a copy: a cx belongs to one thread */
    pthread_t thread;
    int n;
};

static void *write_many(void *arg)
{
    struct writer_thread *t = arg;
    struct arena *arena = arena_new();
    struct cx cx = t->cx;
    char id[32];

    cx.arena = arena;
    for (int i = 0; i < LINES_EACH; i++) {
        snprintf(id, sizeof id, "t_%d_%d", t->n, i);
        str target = str_of(id);
        assert_int_equal(store_run(&cx, write_one, &target), E_OK);
        if (i % 5 == t->n % 5)
            assert_int_equal(audit_seal(&cx), E_OK);
    }
    arena_drop(&arena);
    return NULL;
}

static void lines_of_many_writers_and_sealers_are_one_chain(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;
    struct writer_thread threads[WRITERS];

    for (int i = 0; i < WRITERS; i++) {
        threads[i] = (struct writer_thread){.cx = f->cx, .n = i};
        pthread_create(&threads[i].thread, NULL, write_many, &threads[i]);
    }
    for (int i = 0; i < 5; i++) /* while they write: what is not sealed yet only waits */
        assert_int_equal(verify(f)->n_findings, 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i].thread, NULL);
    assert_int_equal(audit_seal(&f->cx), E_OK);
    must_be_sound(f, WRITERS * LINES_EACH + 1);
    assert_int_equal(int_sql(f, "SELECT max(number) FROM audit_seal", BIND()),
                     WRITERS * LINES_EACH + 1);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM audit_pending", BIND()), 0);
}

static enum err write_and_fail(struct cx *cx, struct tx *tx, void *arg)
{
    TRY(write_one(cx, tx, arg));
    return E_API_KEY_LIMIT;
}

static void what_is_rolled_back_leaves_no_line(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;
    str id = S("t_1");

    assert_int_equal(store_run(&f->cx, write_and_fail, &id), E_API_KEY_LIMIT);
    assert_int_equal(store_run_large(&f->cx, write_and_fail, &id), E_API_KEY_LIMIT);
    must_be_sound(f, 1);
}

static enum err write_a_thousand(struct cx *cx, struct tx *tx, void *arg)
{
    for (int i = 0; i < 1200; i++)
        TRY(write_one(cx, tx, arg));
    return E_OK;
}

static void more_lines_than_a_batch_are_sealed_together(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;
    str id = S("t_1");

    assert_int_equal(store_run_large(&f->cx, write_a_thousand, &id), E_OK);
    if (!on_sqlite())
        assert_int_equal(verify(f)->waiting, 1200);
    assert_int_equal(audit_seal(&f->cx), E_OK);
    must_be_sound(f, 1201);
}

static enum err rekey(struct cx *cx, struct tx *tx, void *arg)
{
    return audit_rekey(cx, tx, arg);
}

static void a_rekey_keeps_all_that_was_sealed_verified(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;

    for (int i = 0; i < 4; i++) {
        struct instance_key former, made;
        instance_key_get(&former);
        instance_key_rotate(&former, &made);
        write_lines(f, 2);
        assert_int_equal(store_run(&f->cx, rekey, &made), E_OK);
        instance_key_set(&made);
        assert_int_equal(audit_open(&f->cx), E_OK);
    }
    write_lines(f, 2);
    must_be_sound(f, 11);
    assert_int_equal(int_sql(f, "SELECT count(DISTINCT key_id) FROM audit", BIND()), 5);
}

/* ---- the triggers ---- */

static void no_statement_changes_or_deletes(void **state)
{
    static const char *const statements[] = {
        "UPDATE audit SET actor_id = 'x'",
        "UPDATE audit SET at_ms = 1 WHERE action = 'audit.opened'",
        "DELETE FROM audit",
        "UPDATE audit_seal SET link = ''",
        "DELETE FROM audit_seal",
        "UPDATE audit_head SET number = number - 1",
        "UPDATE audit_head SET link = ''",
        "DELETE FROM audit_head",
        "DELETE FROM audit_key",
    };
    struct fixture *f = &((struct audited *)*state)->f;

    write_lines(f, 3);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        struct one o = {.sql = statements[i], .binds = BIND()};
        assert_int_equal(store_run(&f->cx, one_exec, &o), E_INTERNAL_ERROR);
    }
    must_be_sound(f, 4);
}

static void an_archive_on_record_frees_the_lines_it_covers_and_no_more(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;

    write_lines(f, 5);
    assert_int_equal(
        exec_sql(f,
                 "INSERT INTO audit_archive (through, first, previous_link, link, file, sha256,"
                 " archived_at_ms, key_id, mac) VALUES (2, 1, '', '', '', '', 1, '', '')",
                 BIND()),
        E_OK);
    assert_int_equal(exec_sql(f, "DELETE FROM audit", BIND()), E_INTERNAL_ERROR);
    assert_int_equal(
        exec_sql(f,
                 "DELETE FROM audit WHERE id IN (SELECT line_id FROM audit_seal WHERE number <= 2)",
                 BIND()),
        E_OK);
    assert_int_equal(exec_sql(f, "DELETE FROM audit_seal WHERE number <= 3", BIND()),
                     E_INTERNAL_ERROR);
    assert_int_equal(exec_sql(f, "DELETE FROM audit_seal WHERE number <= 2", BIND()), E_OK);
    assert_int_equal(exec_sql(f, "DELETE FROM audit_archive", BIND()), E_INTERNAL_ERROR);
    assert_int_equal(exec_sql(f, "UPDATE audit_archive SET mac = 'x'", BIND()), E_INTERNAL_ERROR);
    must_tell(f, "was changed or put in by somebody else");
}

/* ---- tampering ---- */

struct tampering {
    const char *statements[3];
    const char *problem;
};

static const struct tampering tamperings[] = {
    {{"UPDATE audit SET target_id = 'x' WHERE target_id = 't_2'"}, "was changed after"},
    {{"UPDATE audit SET at_ms = at_ms + 1 WHERE target_id = 't_2'"}, "was changed after"},
    {{"UPDATE audit SET detail = NULL WHERE target_id = 't_2'"}, "was changed after"},
    {{"UPDATE audit SET mac = key_id WHERE target_id = 't_2'"}, "was changed after"},
    {{"UPDATE audit SET key_id = 'ak_x' WHERE target_id = 't_2'"}, "names a key"},
    {{"DELETE FROM audit WHERE target_id = 't_2'"}, "was taken out"},
    {{"DELETE FROM audit_seal WHERE number = 3"}, "seal 3 is missing"},
    {{"DELETE FROM audit_seal WHERE number IN (3, 4, 5)"}, "seals 3 to 5 are missing"},
    {{"DELETE FROM audit_seal WHERE number = 3"}, "has lost its seal"},
    {{"DELETE FROM audit_seal WHERE number > 4"}, "cut off"},
    {{"DELETE FROM audit_seal WHERE number > 4",
      "UPDATE audit_head SET number = 4, link = (SELECT link FROM audit_seal WHERE number = 4)"},
     "head was changed"},
    {{"UPDATE audit_seal SET link = key_id WHERE number = 3"}, "seal 3 does not fit"},
    {{"UPDATE audit_seal SET key_id = 'ak_x' WHERE number = 3"}, "seal 3 names a key"},
    {{"UPDATE audit_seal SET number = 50 WHERE number = 3"}, "seal 3 is missing"},
    {{"DELETE FROM audit_head"}, "head was taken away"},
    {{"UPDATE audit_head SET mac = link"}, "head was changed"},
    {{"DELETE FROM audit", "DELETE FROM audit_seal", "DELETE FROM audit_head"}, "head was taken"},
    {{"INSERT INTO audit (id, at_ms, action, actor_kind, key_id, mac)"
      " SELECT 'aud_z', at_ms, action, actor_kind, key_id, mac FROM audit WHERE target_id = 't_2'"},
     "put in by somebody else"},
};

static void tamper_and_tell(const struct tampering *t)
{
    void *state = NULL;

    setup(&state);
    struct fixture *f = &((struct audited *)state)->f;
    write_lines(f, 6);
    disarm(f);
    must_be_sound(f, 7);
    for (int i = 0; i < 3 && t->statements[i]; i++) {
        struct one o = {.sql = t->statements[i], .binds = BIND()};
        assert_int_equal(store_run(&f->cx, one_exec, &o), E_OK);
        assert_true(o.number > 0);
    }
    must_tell(f, t->problem);
    teardown(&state);
}

static void every_tampering_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tamperings / sizeof tamperings[0]; i++)
        tamper_and_tell(&tamperings[i]);
}

static void a_forged_line_is_not_sealed_and_does_not_stop_the_sealer(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;

    assert_int_equal(exec_sql(f,
                              "INSERT INTO audit (id, at_ms, action, actor_kind, key_id, mac)"
                              " SELECT 'aud_0', at_ms, action, actor_kind, key_id, mac FROM audit",
                              BIND()),
                     E_OK);
    assert_int_equal(exec_sql(f, "INSERT INTO audit_pending VALUES ('aud_0')", BIND()), E_OK);
    assert_int_equal(exec_sql(f, "INSERT INTO audit_pending VALUES ('aud_gone')", BIND()), E_OK);
    write_lines(f, 3);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM audit_seal", BIND()), 4);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM audit_pending", BIND()), 0);
    must_tell(f, "put in by somebody else");
}

static void an_alarm_stays_after_the_chain_went_on(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;

    write_lines(f, 3);
    disarm(f);
    assert_int_equal(exec_sql(f, "DELETE FROM audit_head", BIND()), E_OK);
    write_lines(f, 3);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM audit_head", BIND()), 1);
    must_tell(f, "the server noticed: the head was taken away");
    write_lines(f, 3);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM audit WHERE action = 'audit.alarm'", BIND()),
                     1);
}

/* ---- archives ---- */

static void what_is_archived_leaves_the_store_and_stays_verified(void **state)
{
    struct audited *a = *state;
    struct fixture *f = &a->f;
    struct audit_archiving done;

    write_lines(f, 20);
    f->cx.now_ms += 10;
    assert_int_equal(audit_archive(&f->cx, &done), E_OK);
    assert_int_equal(done.lines, 20); /* the newest stays */
    assert_int_equal(done.first, 1);
    assert_int_equal(done.through, 20);
    assert_int_equal(audit_seal(&f->cx), E_OK);
    must_be_sound(f, 2); /* and the line that says so */
    assert_int_equal(verify(f)->archived, 20);
    write_lines(f, 5);
    f->cx.now_ms += 10;
    assert_int_equal(audit_archive(&f->cx, &done), E_OK);
    assert_int_equal(done.first, 21);
    assert_int_equal(audit_seal(&f->cx), E_OK);
    must_be_sound(f, 2);

    struct audit_report *report = ARENA_NEW(f->arena, struct audit_report);
    assert_int_equal(audit_verify(&f->cx, &(struct audit_asked){.archive = done.file}, report),
                     E_OK);
    assert_int_equal(report->n_findings, 0);
}

/* No file is made, so nothing is deleted either. */
static void a_folder_that_cannot_be_written_keeps_the_lines(void **state)
{
    struct audited *a = *state;
    struct fixture *f = &a->f;
    struct audit_archiving done;
    char path[128];

    write_lines(f, 5);
    f->cx.now_ms += 10;
    snprintf(path, sizeof path, "%s/audit.%d.part", a->archives, (int)getpid());
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(audit_archive(&f->cx, &done), E_STORE_DOWN);
    assert_true(f->cx.failure.detail.n > 0);
    must_be_sound(f, 6);
}

/* ---- refusals ---- */

static void a_hundred_thousand_refusals_are_a_handful_of_lines(void **state)
{
    struct fixture *f = &((struct audited *)*state)->f;
    struct principal who = {.kind = PRINCIPAL_KEY, .employer_id = S("emp_1")};
    static const char *const ids[] = {"key_1", "key_2", "key_3"};

    for (int i = 0; i < 100000; i++) {
        DROP(arena) struct arena *arena = i % 1000 == 0 ? arena_new() : NULL;
        struct cx cx = f->cx;
        if (arena)
            cx.arena = arena;
        who.id = str_of(ids[i % 3]);
        cx.user_agent = STR_NONE;
        audit_note(&cx, &(struct audit_note){.action = "authorization.denied",
                                             .code = "INSUFFICIENT_SCOPE",
                                             .actor = &who,
                                             .employer_id = who.employer_id});
        if (i == 50000)
            assert_int_equal(audit_tick(&f->cx), E_OK);
    }
    assert_int_equal(audit_finish(&f->cx), E_OK);
    assert_int_equal(
        int_sql(f, "SELECT count(*) FROM audit WHERE action = 'authorization.denied'", BIND()), 6);
    must_be_sound(f, 7);
}

static int start(void **state)
{
    (void)state;
    quiet();
    json_start();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_audit_opens_once_with_a_line_of_its_own),
        TEST(lines_of_many_writers_and_sealers_are_one_chain),
        TEST(what_is_rolled_back_leaves_no_line),
        TEST(more_lines_than_a_batch_are_sealed_together),
        TEST(a_rekey_keeps_all_that_was_sealed_verified),
        TEST(no_statement_changes_or_deletes),
        TEST(an_archive_on_record_frees_the_lines_it_covers_and_no_more),
        cmocka_unit_test(every_tampering_is_told),
        TEST(a_forged_line_is_not_sealed_and_does_not_stop_the_sealer),
        TEST(an_alarm_stays_after_the_chain_went_on),
        cmocka_unit_test_setup_teardown(what_is_archived_leaves_the_store_and_stays_verified,
                                        setup_archiving, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_keeps_the_lines,
                                        setup_archiving, teardown),
        TEST(a_hundred_thousand_refusals_are_a_handful_of_lines),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
