/* Inside cli_show*.c: what answers of the API are told to people with. Others include app/cli.h. */
#ifndef SALLYPORT_APP_CLI_SHOW_H
#define SALLYPORT_APP_CLI_SHOW_H

#include "app/cli.h"
#include "app/columns.h"
#include "base/json.h"

/* ---- members ---- */

str show_text(const json_t *object, const char *name);
int64_t show_number(const json_t *object, const char *name);

/* "2026-03-05T09:30:00.000Z" as "2026-03-05 09:30Z"; null as what it means. */
str show_time(struct cli_show *show, const json_t *object, const char *name, const char *if_null);

/* Texts with commas between; and a key's "rateLimit". */
str show_joined(struct cli_show *show, const json_t *list);
str show_rate(struct cli_show *show, const json_t *key);

struct cell plain(str text);
struct cell show_status(const json_t *object);

/* ---- layout ---- */

struct fact {
    const char *name;
    struct cell value;
};

/* "  name   value" lines, the names aligned; a name of NULL ends them. */
void show_facts(struct cli_show *show, const struct fact *facts);
void show_line(struct cli_show *show, str text, enum tint tint);

/* "Created the API key "nightly"." */
void show_done(struct cli_show *show, const char *what, str name);

/* A list of an answer as a table. */
struct show_list {
    const char *member;
    const char *if_empty; /* what is said instead of a table without rows */
    const char *names[COLUMNS_MAX];
    void (*row)(struct cli_show *show, const json_t *item, struct cell *cells);
};

void show_list(struct cli_show *show, const json_t *answer, const struct show_list *list);

#endif
