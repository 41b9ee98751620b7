/* backup/: every row of a store, whatever the tables are; and one transaction on the way back. */
#include "fixture.h"

#include <sys/stat.h>

#include "backup/backup.h"
#include "base/json.h"
#include "store/catalog.h"

enum { PEOPLE = 2345, PATH_BYTES = 128 };

struct files {
    char folder[64];
    char a[PATH_BYTES], b[PATH_BYTES];
};

static void files_init(struct files *f)
{
    snprintf(f->folder, sizeof f->folder, "/tmp/sallyport-backup-XXXXXX");
    if (!mkdtemp(f->folder))
        abort();
    snprintf(f->a, sizeof f->a, "%s/a", f->folder);
    snprintf(f->b, sizeof f->b, "%s/b", f->folder);
}

static void files_done(struct files *f)
{
    unlink(f->a);
    unlink(f->b);
    assert_int_equal(rmdir(f->folder), 0); /* nothing else was left in it */
}

static void expect_fine(struct fixture *f, enum err e)
{
    if (e != E_OK)
        print_error("%.*s\n", STR_ARG(f->cx.failure.detail));
    assert_int_equal(e, E_OK);
}

static void expect_refused(struct fixture *f, enum err e, const char *with)
{
    assert_int_equal(e, E_INVALID_REQUEST);
    if (!strstr(f->cx.failure.detail.p, with))
        print_error("%s\n", f->cx.failure.detail.p);
    assert_non_null(strstr(f->cx.failure.detail.p, with));
}

/* ---- rows ---- */

static enum err add_people(struct cx *cx, struct tx *tx, void *arg)
{
    static const char employer[] =
        "INSERT INTO employer (id, name, is_active, is_approved, created_at_ms) VALUES ($1, $2, 1, 1, $3)";
    static const char person[] =
        "INSERT INTO person (id, employer_id, role, email, email_folded, is_active, first_name,"
        " created_at_ms, updated_at_ms) VALUES ($1, $2, 'PATIENT', $1, $1, 1, $3, $4, $5)";
    static const char refused[] = "INSERT INTO refused_email VALUES ($1, $2, $3)";
    str id = S("emp_1");

    (void)arg;
    TRY(tx_exec(tx, employer, BIND(TEXT(id), TEXT(S("")), INT(INT64_MIN)), NULL));
    for (int i = 0; i < PEOPLE; i++) {
        str name = i % 3 ? arena_printf(cx->arena, "\"%d\"\n\\ü€𝄞\x7f", i) : STR_NONE;
        TRY(tx_exec(tx, person,
                    BIND(TEXT(arena_printf(cx->arena, "%d", i)), TEXT(id), TEXT(name),
                         INT(INT64_MAX), INT(-i)),
                    NULL));
        TRY(tx_exec(tx, refused, BIND(TEXT(id), INT(i - PEOPLE / 2), INT(i)), NULL));
    }
    return E_OK;
}

static void fill(struct fixture *f)
{
    expect_fine(f, store_run_large(&f->cx, add_people, NULL));
}

static void open_bare(struct fixture *f)
{
    str why = STR_NONE;

    fixture_init(f);
    assert_int_equal(
        store_open_bare(f->arena, &(struct store_options){.url = f->url}, &f->store, &why), E_OK);
    f->cx = (struct cx){.arena = f->arena, .now_ms = time_now_ms(), .store = f->store};
}

/* The same time for both files, so that they are the same to the last byte. */
static void expect_same_backup(struct fixture *a, struct fixture *b, struct files *files)
{
    struct backup_summary summary;
    char command[4 * PATH_BYTES];

    unlink(files->a);
    unlink(files->b);
    a->cx.now_ms = b->cx.now_ms;
    expect_fine(a, backup_write(&a->cx, files->a, &summary));
    expect_fine(b, backup_write(&b->cx, files->b, &summary));
    snprintf(command, sizeof command, "cmp '%s' '%s'", files->a, files->b);
    assert_int_equal(system(command), 0);
}

static void every_row_of_many_pages_comes_back(void **state)
{
    struct fixture *f = *state, g;
    struct backup_summary summary;
    struct files files;

    files_init(&files);
    fill(f);
    expect_fine(f, backup_write(&f->cx, files.a, &summary));
    assert_int_equal(summary.rows, 1 + 2 * PEOPLE);
    assert_int_equal(summary.schema, schema_newest());
    assert_true(str_is_none(summary.instance_key_id));
    open_bare(&g);
    expect_fine(&g, backup_restore(&g.cx, files.a, &summary));
    assert_int_equal(summary.rows, 1 + 2 * PEOPLE);
    expect_same_backup(f, &g, &files);
    fixture_done(&g);
    files_done(&files);
}

static void a_store_that_was_restored_is_not_empty_and_stays_as_it_is(void **state)
{
    struct fixture *f = *state, g;
    struct backup_summary summary;
    struct files files;

    files_init(&files);
    fill(f);
    expect_fine(f, backup_write(&f->cx, files.a, &summary));
    open_bare(&g);
    expect_fine(&g, backup_restore(&g.cx, files.a, &summary));
    expect_refused(&g, backup_restore(&g.cx, files.a, &summary), "the store is not empty");
    expect_refused(f, backup_restore(&f->cx, files.a, &summary), "the store is not empty");
    expect_same_backup(f, &g, &files);
    fixture_done(&g);
    files_done(&files);
}

/* One that was migrated and never used. */
static void an_empty_store_of_the_same_schema_takes_a_backup(void **state)
{
    struct fixture *f = *state, g;
    struct backup_summary summary;
    struct files files;

    files_init(&files);
    fill(f);
    expect_fine(f, backup_write(&f->cx, files.a, &summary));
    fixture_init(&g);
    fixture_open(&g);
    expect_fine(&g, backup_restore(&g.cx, files.a, &summary));
    expect_same_backup(f, &g, &files);
    fixture_done(&g);
    files_done(&files);
}

/* ---- an older schema ---- */

static enum err raise_to_first(struct cx *cx, struct tx *tx, void *arg)
{
    TRY(schema_raise(cx, tx, 1));
    return add_people(cx, tx, arg);
}

static enum err find_schema(struct cx *cx, struct tx *tx, void *arg)
{
    return schema_find(cx, tx, arg);
}

static void an_older_schema_is_written_as_it_is_and_restored_up_to_date(void **state)
{
    struct fixture old, g, *newest = *state;
    struct backup_summary summary;
    struct files files;
    int64_t schema;

    files_init(&files);
    open_bare(&old);
    expect_fine(&old, store_run_large(&old.cx, raise_to_first, NULL));
    expect_fine(&old, backup_write(&old.cx, files.a, &summary));
    assert_int_equal(summary.schema, 1);
    open_bare(&g);
    expect_fine(&g, backup_restore(&g.cx, files.a, &summary));
    expect_fine(&g, store_read(&g.cx, find_schema, &schema));
    assert_int_equal(schema, schema_newest());
    assert_int_equal(int_sql(&g, "SELECT count(*) FROM person", BIND()), PEOPLE);
    expect_refused(newest, backup_restore(&newest->cx, files.a, &summary), "already");
    fixture_done(&old);
    fixture_done(&g);
    files_done(&files);
}

/* ---- tables that no migration of today has ---- */

static void a_table_of_any_shape_is_written(void **state)
{
    static const char blob[] = "INSERT INTO odd VALUES ($1, $2, $3)";
    struct fixture *f = *state, g;
    struct backup_summary summary;
    struct files files;
    char bytes[256];

    files_init(&files);
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    make_table(f, "DROP TABLE IF EXISTS odd",
               on_sqlite() ? "CREATE TABLE odd (\"select\" BLOB, n BIGINT, t TEXT NOT NULL,"
                             " PRIMARY KEY (t))"
                           : "CREATE TABLE odd (\"select\" BYTEA, n BIGINT, t TEXT NOT NULL,"
                             " PRIMARY KEY (t))");
    expect_fine(f, exec_sql(f, blob, BIND(BLOB(bytes, 256), INT(1), TEXT(S("")))));
    expect_fine(f, exec_sql(f, blob, BIND(BLOB(NULL, 0), INT(2), TEXT(S("null")))));
    expect_fine(f, exec_sql(f, blob, BIND(BLOB("", 0), INT(3), TEXT(S("none")))));
    expect_fine(f, backup_write(&f->cx, files.a, &summary));
    assert_int_equal(summary.rows, 3);
    open_bare(&g);
    expect_refused(&g, backup_restore(&g.cx, files.a, &summary), "has the table odd");
    unlink(files.a);
    make_table(f, "DROP TABLE odd", "CREATE TABLE odd (n BIGINT, t TEXT)");
    assert_int_equal(backup_write(&f->cx, files.a, &summary), E_INTERNAL_ERROR);
    assert_non_null(strstr(f->cx.failure.detail.p, "odd has no primary key"));
    fixture_done(&g);
    files_done(&files);
}

/* SQLite takes any value in any column, and NULL in a primary key. */
static void what_no_other_engine_would_keep_is_told_and_not_written(void **state)
{
    static const struct {
        const char *add, *why;
    } cases[] = {
        {"INSERT INTO odd VALUES (1.5, 'a')", "a value in n that is no whole number"},
        {"INSERT INTO odd VALUES ('x', 'a')", "a value in n that is no whole number"},
        {"INSERT INTO odd VALUES (1, X'FF')", "a value in t that is no text"},
        {"INSERT INTO odd VALUES (1, X'6100')", "a value in t that is no text"},
    };
    struct fixture *f = *state;
    struct backup_summary summary;
    struct files files;

    if (!on_sqlite())
        return;
    files_init(&files);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_table(f, "DROP TABLE IF EXISTS odd",
                   "CREATE TABLE odd (n BIGINT NOT NULL, t TEXT, PRIMARY KEY (n))");
        expect_fine(f, exec_sql(f, cases[i].add, BIND()));
        assert_int_equal(backup_write(&f->cx, files.a, &summary), E_INTERNAL_ERROR);
        assert_non_null(strstr(f->cx.failure.detail.p, cases[i].why));
    }
    make_table(f, "DROP TABLE odd", "CREATE TABLE odd (t TEXT PRIMARY KEY)");
    for (int i = 0; i < 101; i++)
        expect_fine(f, exec_sql(f, "INSERT INTO odd VALUES (NULL)", BIND()));
    assert_int_equal(backup_write(&f->cx, files.a, &summary), E_INTERNAL_ERROR);
    assert_non_null(strstr(f->cx.failure.detail.p, "has 101 rows, and 100 were read"));
    files_done(&files);
}

/* ---- files ---- */

static void what_is_there_is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    struct backup_summary summary;
    struct files files;
    struct stat before, after;

    files_init(&files);
    expect_fine(f, backup_write(&f->cx, files.a, &summary));
    assert_int_equal(stat(files.a, &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);
    assert_int_equal(before.st_size, summary.bytes);
    expect_refused(f, backup_write(&f->cx, files.a, &summary), "is there already");
    assert_int_equal(symlink("/tmp/no/such/target", files.b), 0);
    expect_refused(f, backup_write(&f->cx, files.b, &summary), "is there already");
    assert_int_equal(stat(files.a, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    files_done(&files);
}

int main(void)
{
#define FRESH(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FRESH(every_row_of_many_pages_comes_back),
        FRESH(a_store_that_was_restored_is_not_empty_and_stays_as_it_is),
        FRESH(an_empty_store_of_the_same_schema_takes_a_backup),
        FRESH(an_older_schema_is_written_as_it_is_and_restored_up_to_date),
        FRESH(a_table_of_any_shape_is_written),
        FRESH(what_no_other_engine_would_keep_is_told_and_not_written),
        FRESH(what_is_there_is_not_overwritten),
    };

    quiet();
    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
