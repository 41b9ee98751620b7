/* Bringing the schema up to date, one migration to a transaction. */
#include "store/migrate.h"

#include <assert.h>
#include <inttypes.h>

#include "base/banned.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "store/engine.h"

static bool is_postgres(const struct cx *cx)
{
    return cx->store->engine == &postgres_engine;
}

static const char *text_of(const struct migration *m, bool is_for_postgres)
{
    return is_for_postgres && m->postgres ? m->postgres : m->sql;
}

str migration_digest(struct arena *arena, const struct migration *m, bool is_for_postgres)
{
    struct sha256 digest = digest_sha256(str_of(text_of(m, is_for_postgres)));
    char *hex = arena_alloc(arena, 2 * SHA256_BYTES);

    hex_write(digest.bytes, SHA256_BYTES, hex);
    return (str){hex, 2 * SHA256_BYTES};
}

static enum err check_recorded(struct cx *cx, int64_t number, str name, str digest, size_t place)
{
    if (number > (int64_t)n_migrations)
        return fail(cx, E_STORE_DOWN,
                    "the database has schema %" PRId64 " (%.*s), and this sallyport knows %zu at "
                    "most: run the newer sallyport, or restore a backup made before it",
                    number, STR_ARG(name), n_migrations);
    if (number != (int64_t)place + 1)
        return fail(cx, E_STORE_DOWN,
                    "the database records schema %" PRId64 " without schema %zu before it", number,
                    place + 1);
    if (!str_eq(digest, migration_digest(cx->arena, &migrations[place], is_postgres(cx))))
        return fail(cx, E_STORE_DOWN,
                    "migration %" PRId64 " (%.*s) is not the one that this database was made with: "
                    "run the sallyport that made it, or restore a backup",
                    number, STR_ARG(name));
    return E_OK;
}

/* All that is recorded, the newest last, so that a newer schema is seen whatever comes before. */
enum err migrate_count(struct cx *cx, struct tx *tx, size_t *out)
{
    static const char newest[] = "SELECT number, name FROM schema_migration WHERE number > $1"
                                 " ORDER BY number DESC LIMIT 1";
    static const char all[] = "SELECT number, name, digest FROM schema_migration ORDER BY number";
    enum err e = E_OK;
    size_t place = 0;

    {
        DROP(rows) struct rows *rows = NULL;
        TRY(tx_query(tx, newest, BIND(INT((int64_t)n_migrations)), &rows));
        if (rows_next(rows, &e))
            return check_recorded(cx, rows_int(rows, 0), rows_text(rows, 1), STR_NONE, 0);
        TRY(e);
    }
    DROP(rows) struct rows *rows = NULL;
    TRY(tx_query(tx, all, BIND(), &rows));
    for (; rows_next(rows, &e); place++)
        TRY(check_recorded(cx, rows_int(rows, 0), rows_text(rows, 1), rows_text(rows, 2), place));
    TRY(e);
    *out = place;
    return E_OK;
}

static enum err apply(struct cx *cx, struct tx *tx, const struct migration *m)
{
    static const char sql[] = "INSERT INTO schema_migration (number, name, digest, applied_at_ms)"
                              " VALUES ($1, $2, $3, $4)";

    const char *text = text_of(m, is_postgres(cx));
    enum err e = tx->engine->script(tx, text);
    if (e != E_OK)
        return fail(cx, e == E_STORE_BUSY ? e : E_STORE_DOWN,
                    "migration %d (%s) failed, nothing of it was kept; the log says why", m->number,
                    m->name);
    return tx_exec(tx, sql,
                   BIND(INT(m->number), TEXT(str_of(m->name)),
                        TEXT(migration_digest(cx->arena, m, is_postgres(cx))), INT(cx->now_ms)),
                   NULL);
}

/* How many have run, in a store that may never have had one. */
static enum err prepare(struct cx *cx, struct tx *tx, size_t *recorded)
{
    static const char make[] = "CREATE TABLE IF NOT EXISTS schema_migration ("
                               "number BIGINT PRIMARY KEY, name TEXT NOT NULL,"
                               " digest TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)";

    TRY(tx->engine->lock_schema(tx));
    TRY(tx_exec(tx, make, BIND(), NULL));
    return migrate_count(cx, tx, recorded);
}

enum err migrate_in_tx(struct cx *cx, struct tx *tx, size_t number)
{
    size_t recorded = 0;

    TRY(prepare(cx, tx, &recorded));
    for (; recorded < number && recorded < n_migrations; recorded++)
        TRY(apply(cx, tx, &migrations[recorded]));
    return E_OK;
}

/* arg: the number of the migration that was applied, 0 when there was none left. */
static enum err apply_next(struct cx *cx, struct tx *tx, void *arg)
{
    int *applied = arg;
    size_t recorded = 0;

    *applied = 0;
    TRY(prepare(cx, tx, &recorded));
    if (recorded == n_migrations)
        return E_OK;
    assert(migrations[recorded].number == (int)recorded + 1);
    TRY(apply(cx, tx, &migrations[recorded]));
    *applied = migrations[recorded].number;
    return E_OK;
}

enum err migrate(struct cx *cx)
{
    int applied;

    do {
        TRY(store_run_large(cx, apply_next, &applied));
        if (applied)
            log_event(cx, LOG_INFO, "store.migrated", F("number", applied),
                      F("name", migrations[applied - 1].name));
    } while (applied);
    return E_OK;
}
