/* Reading the settings' file again while the server runs. */
#include <string.h>

#include "app/config_loader.h"
#include "base/banned.h"

static size_t size_of(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
        return sizeof(str);
    case CONFIG_BOOL:
        return sizeof(bool);
    case CONFIG_LIST:
        return sizeof(struct config_list);
    default:
        return sizeof(int64_t);
    }
}

static void copy_field(struct config *to, const struct config *from, enum setting setting)
{
    const struct config_spec *spec = config_spec(setting);

    to->sources[setting] = from->sources[setting];
    if (spec->kind != CONFIG_SECRET)
        memcpy((char *)to + spec->offset, (const char *)from + spec->offset, size_of(spec->kind));
}

bool config_reload(struct arena *arena, const struct config_input *in, const struct config *running,
                   struct config *out, str *problems)
{
    struct config config = {0};
    struct loader l;

    loader_open(&l, arena, in, &config);
    l.file = running->file.p;
    loader_set_defaults(&l);
    loader_read_file(&l);
    for (int s = 0; s < SETTINGS_END; s++)
        if (running->sources[s] > CONFIG_FILE)
            copy_field(&config, running, (enum setting)s);
    config_issuers_keep(arena, &config, running);
    loader_derive(&l);
    return loader_close(&l, out, problems);
}

bool config_is_same(const struct config *a, const struct config *b, enum setting setting)
{
    const struct config_spec *spec = config_spec(setting);
    const void *of_a = (const char *)a + spec->offset, *of_b = (const char *)b + spec->offset;
    const struct config_list *list_a = of_a, *list_b = of_b;

    switch (spec->kind) {
    case CONFIG_SECRET:
        return true;
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
        return str_eq(*(const str *)of_a, *(const str *)of_b);
    case CONFIG_LIST:
        for (size_t i = 0; list_a->n == list_b->n && i < list_a->n; i++)
            if (!str_eq(list_a->texts[i], list_b->texts[i]))
                return false;
        return list_a->n == list_b->n;
    default:
        return memcmp(of_a, of_b, size_of(spec->kind)) == 0;
    }
}

/* What a field points to, into memory that lives as long as what it is copied into. */
static void own_field(struct arena *arena, struct config *config, enum setting setting)
{
    const struct config_spec *spec = config_spec(setting);
    void *field = (char *)config + spec->offset;

    if (spec->kind == CONFIG_TEXT || spec->kind == CONFIG_CHOICE) {
        *(str *)field = arena_dup(arena, *(str *)field);
    } else if (spec->kind == CONFIG_LIST) {
        struct config_list *list = field;
        str *texts = arena_array(arena, list->n, sizeof *texts);
        for (size_t i = 0; i < list->n; i++)
            texts[i] = arena_dup(arena, list->texts[i]);
        list->texts = texts;
    }
}

void config_take_over(struct arena *arena, struct config *config, const struct config *from)
{
    for (int s = 0; s < SETTINGS_END; s++) {
        if (!setting_reloads((enum setting)s))
            continue;
        copy_field(config, from, (enum setting)s);
        own_field(arena, config, (enum setting)s);
    }
    config->log_least = from->log_least;
    config->log_is_json = from->log_is_json;
    config_derive_lists(arena, config);
}
