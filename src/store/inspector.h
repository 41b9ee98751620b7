/* Inside inspect*.c: a connection that answers questions. Others include store/inspect.h. */
#ifndef SALLYPORT_STORE_INSPECTOR_H
#define SALLYPORT_STORE_INSPECTOR_H

#include "store/inspect.h"

struct inspector {
    struct arena *arena;
    void *db;
    bool is_postgres;
    /* The first value of the first row, as text; STR_NONE: no row, NULL, or a failure. */
    str (*ask)(const struct inspector *inspector, const char *sql);
};

/* Schema, instance key, time. */
void inspect_content(const struct inspector *inspector, struct store_facts *out);

/* 0 where it is no number. */
int64_t inspect_int(const struct inspector *inspector, const char *sql);

void inspect_sqlite(struct arena *arena, str path, bool checks_content, struct store_facts *out);
void inspect_postgres(struct arena *arena, str url, struct store_facts *out);

#endif
