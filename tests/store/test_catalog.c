/* store/catalog.h: what a store tells of itself, and opening it beside the one who serves it. */
#include "fixture.h"

#include <sys/stat.h>

#include "store/catalog.h"

struct found {
    struct arena *arena;
    struct catalog catalog;
    int64_t schema;
};

static enum err find_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct found *found = arg;

    TRY(schema_find(cx, tx, &found->schema));
    return catalog_read(cx, tx, found->arena, &found->catalog);
}

static struct found found_in(struct fixture *f)
{
    struct found found = {.arena = f->arena};

    assert_int_equal(store_read(&f->cx, find_in_tx, &found), E_OK);
    return found;
}

static size_t place_of(const struct catalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_tables; i++)
        if (str_eq(c->tables[i].name, str_of(name)))
            return i;
    print_error("there is no table %s\n", name);
    assert_true(false);
    return 0;
}

static void expect_column(const struct table *t, size_t i, const char *name, enum column_type type,
                          int key_place)
{
    assert_true(i < t->n_columns);
    assert_true(str_eq(t->columns[i].name, str_of(name)));
    assert_int_equal(t->columns[i].type, type);
    assert_int_equal(t->columns[i].key_place, key_place);
}

static void all_tables_but_the_record_of_migrations_are_told(void **state)
{
    struct found found = found_in(*state);
    static const char *const tables[] = {"employer",       "person",   "session",      "api_key",
                                         "api_key_secret", "instance", "refused_email"};

    assert_int_equal(found.schema, schema_newest());
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        assert_non_null(catalog_find(&found.catalog, str_of(tables[i])));
    assert_null(catalog_find(&found.catalog, S("schema_migration")));
    assert_null(catalog_find(&found.catalog, S("person_by_employer")));
}

static void no_table_comes_before_one_that_its_rows_refer_to(void **state)
{
    struct found found = found_in(*state);
    const struct catalog *c = &found.catalog;
    size_t n_parents = 0;

    assert_true(place_of(c, "employer") < place_of(c, "person"));
    assert_true(place_of(c, "person") < place_of(c, "session"));
    assert_true(place_of(c, "api_key") < place_of(c, "api_key_secret"));
    for (size_t i = 0; i < c->n_tables; i++)
        for (size_t p = 0; p < c->tables[i].n_parents; p++, n_parents++) {
            char name[128];
            snprintf(name, sizeof name, "%.*s", STR_ARG(c->tables[i].parents[p]));
            assert_true(place_of(c, name) < i);
        }
    assert_true(n_parents >= 5);
}

static void columns_have_their_order_type_and_place_in_the_key(void **state)
{
    struct fixture *f = *state;

    make_table(f, "DROP TABLE IF EXISTS odd",
               on_sqlite() ? "CREATE TABLE odd (b TEXT NOT NULL, bytes BLOB, n BIGINT NOT NULL,"
                             " \"order\" TEXT, PRIMARY KEY (n, b))"
                           : "CREATE TABLE odd (b TEXT NOT NULL, bytes BYTEA, n BIGINT NOT NULL,"
                             " \"order\" TEXT, PRIMARY KEY (n, b))");
    struct found found = found_in(f);
    const struct table *odd = catalog_find(&found.catalog, S("odd"));
    assert_non_null(odd);
    assert_int_equal(odd->n_columns, 4);
    expect_column(odd, 0, "b", COLUMN_TEXT, 2);
    expect_column(odd, 1, "bytes", COLUMN_BLOB, 0);
    expect_column(odd, 2, "n", COLUMN_INT, 1);
    expect_column(odd, 3, "order", COLUMN_TEXT, 0);
}

static void a_type_that_is_none_of_ours_and_a_circle_are_refused(void **state)
{
    struct fixture *f = *state;
    struct found found = {.arena = f->arena};

    make_table(f, "DROP TABLE IF EXISTS odd", "CREATE TABLE odd (n BIGINT PRIMARY KEY, x NUMERIC)");
    assert_int_equal(store_read(&f->cx, find_in_tx, &found), E_INTERNAL_ERROR);
    assert_non_null(strstr(f->cx.failure.detail.p, "the column x of odd"));
    make_table(f, "DROP TABLE IF EXISTS odd",
               "CREATE TABLE odd (n BIGINT PRIMARY KEY REFERENCES odd (n))");
    assert_int_equal(store_read(&f->cx, find_in_tx, &found), E_OK);
    make_table(f, "DROP TABLE IF EXISTS one", "CREATE TABLE one (n BIGINT PRIMARY KEY)");
    make_table(f, "DROP TABLE IF EXISTS odd",
               "CREATE TABLE odd (n BIGINT PRIMARY KEY REFERENCES one (n))");
    assert_int_equal(store_read(&f->cx, find_in_tx, &found), E_OK);
    assert_true(place_of(&found.catalog, "one") < place_of(&found.catalog, "odd"));
    if (on_sqlite())
        make_table(f, "DROP TABLE one",
                   "CREATE TABLE one (n BIGINT PRIMARY KEY REFERENCES odd (n))");
    else
        make_table(f, "SELECT 1",
                   "ALTER TABLE one ADD FOREIGN KEY (n) REFERENCES odd (n) DEFERRABLE");
    assert_int_equal(store_read(&f->cx, find_in_tx, &found), E_INTERNAL_ERROR);
    assert_non_null(strstr(f->cx.failure.detail.p, "in a circle"));
}

/* ---- opening for reading ---- */

static struct fixture beside(struct fixture *f)
{
    struct fixture other = {.arena = f->arena};
    str why = STR_NONE;

    if (store_open_reading(f->arena, &(struct store_options){.url = f->url}, &other.store, &why) !=
        E_OK) {
        print_error("%.*s\n", STR_ARG(why));
        assert_true(false);
    }
    other.cx = (struct cx){.arena = f->arena, .now_ms = f->cx.now_ms, .store = other.store};
    return other;
}

static void one_who_reads_sees_what_is_committed_beside_the_one_who_serves(void **state)
{
    struct fixture *f = *state;
    static const char add[] =
        "INSERT INTO employer (id, name, is_active, is_approved, created_at_ms) VALUES ($1, 'a', 1, 1, 0)";
    static const char count[] = "SELECT count(*) FROM employer";

    assert_int_equal(exec_sql(f, add, BIND(TEXT(S("emp_1")))), E_OK);
    struct fixture other = beside(f);
    assert_int_equal(int_sql(&other, count, BIND()), 1);
    assert_int_equal(exec_sql(f, add, BIND(TEXT(S("emp_2")))), E_OK);
    assert_int_equal(int_sql(&other, count, BIND()), 2);
    store_drop(&other.store);
    assert_int_equal(exec_sql(f, add, BIND(TEXT(S("emp_3")))), E_OK);
    assert_int_equal(int_sql(f, count, BIND()), 3);
}

static enum err add_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] =
        "INSERT INTO employer (id, name, is_active, is_approved, created_at_ms) VALUES ('emp_9', 'a', 1, 1, 0)";

    (void)cx;
    (void)arg;
    return tx_exec(tx, sql, BIND(), NULL);
}

static void one_who_reads_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct fixture other = beside(f);

    assert_int_equal(store_read(&other.cx, add_in_tx, NULL), E_INTERNAL_ERROR);
    if (on_sqlite())
        assert_int_equal(store_run(&other.cx, add_in_tx, NULL), E_INTERNAL_ERROR);
    store_drop(&other.store);
    assert_int_equal(int_sql(f, "SELECT count(*) FROM employer", BIND()), 0);
}

static void nothing_is_made_where_nothing_is(void **state)
{
    struct fixture f;
    struct store *store = NULL;
    struct stat there;
    str why = STR_NONE;

    (void)state;
    if (!on_sqlite())
        return;
    fixture_init(&f);
    assert_int_equal(
        store_open_reading(f.arena, &(struct store_options){.url = f.url}, &store, &why),
        E_STORE_DOWN);
    assert_non_null(strstr(why.p, "there is no database at"));
    assert_int_equal(stat(f.url + strlen("sqlite:"), &there), -1);
    fixture_done(&f);
}

/* ---- the schema, step by step ---- */

static enum err raise_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct found *found = arg;

    TRY(schema_find(cx, tx, &found->schema));
    assert_int_equal(found->schema, 0);
    TRY(schema_raise(cx, tx, 1));
    TRY(schema_find(cx, tx, &found->schema));
    assert_int_equal(found->schema, 1);
    TRY(catalog_read(cx, tx, found->arena, &found->catalog));
    assert_non_null(catalog_find(&found->catalog, S("employer")));
    assert_null(catalog_find(&found->catalog, S("instance")));
    return schema_raise(cx, tx, schema_newest());
}

static void a_bare_store_is_raised_in_the_callers_transaction(void **state)
{
    struct fixture f;
    struct found found;
    str why = STR_NONE;

    (void)state;
    fixture_init(&f);
    assert_int_equal(
        store_open_bare(f.arena, &(struct store_options){.url = f.url}, &f.store, &why), E_OK);
    f.cx = (struct cx){.arena = f.arena, .now_ms = time_now_ms(), .store = f.store};
    found = (struct found){.arena = f.arena};
    assert_int_equal(store_run_large(&f.cx, raise_in_tx, &found), E_OK);
    found = found_in(&f);
    assert_int_equal(found.schema, schema_newest());
    fixture_done(&f);
}

int main(void)
{
#define FRESH(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FRESH(all_tables_but_the_record_of_migrations_are_told),
        FRESH(no_table_comes_before_one_that_its_rows_refer_to),
        FRESH(columns_have_their_order_type_and_place_in_the_key),
        FRESH(a_type_that_is_none_of_ours_and_a_circle_are_refused),
        FRESH(one_who_reads_sees_what_is_committed_beside_the_one_who_serves),
        FRESH(one_who_reads_cannot_write),
        cmocka_unit_test(nothing_is_made_where_nothing_is),
        cmocka_unit_test(a_bare_store_is_raised_in_the_callers_transaction),
    };

    quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
