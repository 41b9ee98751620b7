/* What is asked of both engines. */
#include <inttypes.h>

#include "store/engine.h"
#include "store/inspector.h"
#include "store/migrate.h"

#include "base/banned.h"

int64_t store_schema_known(void)
{
    return (int64_t)n_migrations;
}

int64_t inspect_int(const struct inspector *inspector, const char *sql)
{
    uint64_t value = 0;

    str_parse_u64(inspector->ask(inspector, sql), INT64_MAX, &value);
    return (int64_t)value;
}

static void check_migrations(const struct inspector *inspector, struct store_facts *out)
{
    struct arena *arena = inspector->arena;

    for (size_t i = 0; i < n_migrations && (int64_t)i < out->schema; i++) {
        int number = migrations[i].number;
        str sql =
            arena_printf(arena, "SELECT digest FROM schema_migration WHERE number = %d", number);
        str digest = migration_digest(arena, &migrations[i], inspector->is_postgres);
        if (!str_eq(inspector->ask(inspector, sql.p), digest))
            out->schema_fault = arena_printf(arena, "%d (%s)", number, migrations[i].name);
    }
}

void inspect_content(const struct inspector *inspector, struct store_facts *out)
{
    static const char newest[] = "SELECT max(number) FROM schema_migration";
    static const char latest[] = "SELECT max(applied_at_ms) FROM schema_migration";
    static const char key[] = "SELECT key_id FROM instance WHERE id = 1";
    static const char key_since[] = "SELECT key_since_ms FROM instance WHERE id = 1";
    static const char session[] = "SELECT max(created_at_ms) FROM session";

    out->schema = inspect_int(inspector, newest);
    if (out->schema == 0)
        return;
    check_migrations(inspector, out);
    out->key_id = inspector->ask(inspector, key);
    const char *const instants[] = {latest, key_since, session};
    for (size_t i = 0; i < sizeof instants / sizeof *instants; i++) {
        int64_t at_ms = inspect_int(inspector, instants[i]);
        if (at_ms > out->newest_ms)
            out->newest_ms = at_ms;
    }
}

void store_inspect(struct arena *arena, str url, bool checks_content, struct store_facts *out)
{
    str path = url;

    *out = (struct store_facts){0};
    if (engine_of(url) == &postgres_engine) {
        inspect_postgres(arena, url, out);
        return;
    }
    str_cut(&path, S(":"));
    inspect_sqlite(arena, path, checks_content, out);
}
