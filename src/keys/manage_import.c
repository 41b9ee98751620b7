#include "keys/manage_import.h"

#include <stdio.h>

#include "base/banned.h"
#include "keys/import.h"

static void read_line(struct form *f, struct order_import *line)
{
    manage_read_order(f, &line->order);
    import_read_secret(f, &line->order.api.form, &line->order.key, &line->secret);
}

enum err manage_import_read(struct cx *cx, const json_t *body, struct order_import **lines,
                            size_t *n, bool *is_dry_run)
{
    struct form form, line;
    char prefix[32];

    form_open(&form, cx, body);
    const json_t *list = form_value(&form, "keys");
    *n = json_array_size(list);
    *is_dry_run = form_bool(&form, "dry_run", false);
    if (form.object && (*n == 0 || *n > IMPORT_LINES_MAX))
        form_problem(&form, "keys", "must be a list of 1 to %d keys", IMPORT_LINES_MAX);
    *lines = arena_array(cx->arena, *n, sizeof **lines);
    for (size_t i = 0; i < *n && *n <= IMPORT_LINES_MAX; i++) {
        snprintf(prefix, sizeof prefix, "keys[%zu].", i);
        form_open_part(&line, &form, json_array_get(list, i), prefix);
        read_line(&line, &(*lines)[i]);
        form_close_part(&line);
    }
    return form_close(&form);
}

enum err manage_import_run(struct cx *cx, struct order_import *lines, size_t n, bool is_dry_run)
{
    struct form form;
    char member[32];
    size_t at = 0;
    enum err e = manage_import(cx, lines, n, is_dry_run, &at);

    if (e != E_STORE_CONFLICT)
        return e;
    form_open_blank(&form, cx);
    snprintf(member, sizeof member, "keys[%zu]", at);
    form_problem(&form, member, "exists already, here or earlier in this import");
    return form_close(&form);
}
