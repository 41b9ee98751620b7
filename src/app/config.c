/* Reading the settings: defaults, file, environment, flags; then what follows from them. */
#include "app/config.h"

#include "app/config_loader.h"
#include "app/near.h"
#include "base/banned.h"

enum { PROBLEMS_MAX_BYTES = 256 * 1024, SHOWN_VALUE_MAX_BYTES = 100 };

/* ---- one setting, or what is wrong with it ---- */

str loader_shown(struct arena *arena, str value)
{
    bool is_cut = value.n > SHOWN_VALUE_MAX_BYTES;
    str copy = arena_printf(arena, "\"%.*s%s\"", STR_ARG(str_sub(value, 0, SHOWN_VALUE_MAX_BYTES)),
                            is_cut ? "…" : "");

    for (char *p = (char *)copy.p; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return copy;
}

void loader_problem(struct loader *l, str name, str value, str where, str reason)
{
    buf_printf(&l->problems, "  %.*s", STR_ARG(name));
    if (!str_is_none(value))
        buf_printf(&l->problems, " = %.*s", STR_ARG(value));
    if (!str_is_none(where))
        buf_printf(&l->problems, "  (%.*s)", STR_ARG(where));
    buf_printf(&l->problems, "\n      %.*s\n", STR_ARG(reason));
    l->n_problems++;
}

void loader_set(struct loader *l, enum setting setting, enum config_source source, str where,
                str value)
{
    const struct config_spec *spec = config_spec(setting);
    str reason = config_set(l->arena, l->config, setting, value);

    if (str_is_none(reason) && l->config->sources[setting] == source && source != CONFIG_DEFAULT)
        reason = S("is given twice; give it once");
    if (!str_is_none(reason))
        loader_problem(l, spec->info.name,
                       spec->kind == CONFIG_SECRET ? S("(not shown)")
                                                   : loader_shown(l->arena, value),
                       where, reason);
    l->config->sources[setting] = source;
}

struct config_issuer *loader_issuer(struct loader *l, str name, str value, str where)
{
    str reason = STR_NONE;
    struct config_issuer *issuer = config_issuer_named(l->arena, l->config, name, &reason);

    if (!issuer)
        loader_problem(l, S("issuer"), value, where, reason);
    return issuer;
}

void loader_set_issuer(struct loader *l, struct config_issuer *issuer, enum issuer_setting setting,
                       enum config_source source, str where, str value)
{
    const struct config_spec *spec = config_issuer_spec(setting);
    str reason = config_issuer_set(l->arena, issuer, setting, value);

    if (str_is_none(reason) && issuer->sources[setting] == source)
        reason = S("is given twice; give it once");
    if (!str_is_none(reason))
        loader_problem(l,
                       arena_printf(l->arena, "issuer.%.*s.%.*s", STR_ARG(issuer->name),
                                    STR_ARG(spec->info.name)),
                       loader_shown(l->arena, value), where, reason);
    issuer->sources[setting] = source;
}

str loader_not_a_setting(struct loader *l, str name, const char *before, bool is_upper)
{
    struct near near;

    near_init(&near, name);
    for (int s = 0; s < SETTINGS_END; s++)
        near_try(&near, setting_info((enum setting)s)->name);
    if (str_is_none(near.best))
        return S("is not a setting; sallyport config lists them");
    str best = arena_dup(l->arena, near.best);
    for (char *p = (char *)best.p; is_upper && *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    return arena_printf(l->arena, "is not a setting; did you mean %s%.*s?", before, STR_ARG(best));
}

/* ---- all of them ---- */

void loader_set_defaults(struct loader *l)
{
    for (int s = 0; s < SETTINGS_END; s++)
        loader_set(l, (enum setting)s, CONFIG_DEFAULT, STR_NONE,
                   setting_info((enum setting)s)->if_absent);
}

void loader_open(struct loader *l, struct arena *arena, const struct config_input *in,
                 struct config *config)
{
    *l = (struct loader){.arena = arena, .in = in, .config = config};
    buf_init(&l->problems, PROBLEMS_MAX_BYTES);
}

bool loader_close(struct loader *l, struct config *out, str *problems)
{
    bool is_fit = l->n_problems == 0;

    if (is_fit) {
        *out = *l->config;
    } else {
        *problems = arena_printf(l->arena, "%zu %s with the settings:\n\n%.*s", l->n_problems,
                                 l->n_problems == 1 ? "problem" : "problems",
                                 STR_ARG(buf_str(&l->problems)));
        config_drop(l->config);
    }
    buf_drop(&l->problems);
    return is_fit;
}

bool config_load(struct arena *arena, const struct config_input *in, struct config *out,
                 str *problems)
{
    struct config config = {0};
    struct loader l;

    loader_open(&l, arena, in, &config);
    loader_take_flags(&l);
    loader_find_file(&l);
    loader_set_defaults(&l);
    loader_read_file(&l);
    loader_set_variables(&l);
    loader_set_flags(&l);
    loader_derive(&l);
    return loader_close(&l, out, problems);
}

void config_drop(struct config *config)
{
    for (int s = 0; s < SETTINGS_END; s++)
        if (config_spec((enum setting)s)->kind == CONFIG_SECRET)
            secret_drop((struct secret *)((char *)config + config_spec((enum setting)s)->offset));
}
