/* Settings as variables of the environment: SALLYPORT_SESSION_LIFETIME=8h. */
#include <string.h>

#include "app/config_loader.h"
#include "base/banned.h"
#include "base/mem.h"

#define ENVIRONMENT_PREFIX S("SALLYPORT_")

/* ENVIRONMENT_PREFIX and these are not settings, but are known. */
static const char *const other_variables[] = {"CONFIG", "BIN"};

void loader_find_file(struct loader *l)
{
    for (char **entry = l->in->environment; !l->file && *entry; entry++)
        if (str_starts(str_of(*entry), S("SALLYPORT_CONFIG=")) && (*entry)[17])
            l->file = *entry + 17;
}

static bool is_other_variable(str rest)
{
    for (size_t i = 0; i < sizeof other_variables / sizeof *other_variables; i++)
        if (str_eq(rest, str_of(other_variables[i])))
            return true;
    return str_starts(rest, S("TEST_"));
}

/* LISTEN for listen */
static enum setting setting_of_variable(str rest)
{
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] >= 'a' && rest.p[i] <= 'z')
            return SETTINGS_END;
    for (int s = 0; s < SETTINGS_END; s++)
        if (str_ieq(setting_info((enum setting)s)->name, rest))
            return (enum setting)s;
    /* The short name of the one that is mostly given so. */
    return str_eq(rest, S("KEY")) ? SETTING_instance_key : SETTINGS_END;
}

/* ISSUER_CLERK_KIND: false if it is not of that form. */
static bool set_issuer_variable(struct loader *l, str variable, str rest, str value)
{
    enum issuer_setting setting;
    str name;

    if (!config_issuer_split(l->arena, rest, &name, &setting))
        return false;
    str where = arena_printf(l->arena, "environment, %.*s", STR_ARG(variable));
    struct config_issuer *issuer = loader_issuer(l, name, STR_NONE, where);
    if (issuer)
        loader_set_issuer(l, issuer, setting, CONFIG_ENVIRONMENT, where,
                          str_is_none(value) ? S("") : value);
    return true;
}

/* True if the entry held a secret: it is wiped, and must go. */
static bool set_variable(struct loader *l, char *entry)
{
    str value = str_of(entry);
    str name = str_cut(&value, S("="));
    str rest = str_sub(name, ENVIRONMENT_PREFIX.n, name.n);

    if (!str_starts(name, ENVIRONMENT_PREFIX) || is_other_variable(rest))
        return false;
    enum setting setting = setting_of_variable(rest);
    if (setting == SETTINGS_END && set_issuer_variable(l, name, rest, value))
        return false;
    if (setting == SETTINGS_END) {
        /* Without the value: this may be a secret's name misspelt. */
        loader_problem(l, name, STR_NONE, S("environment"),
                       loader_not_a_setting(l, rest, "SALLYPORT_", true));
        return false;
    }
    loader_set(l, setting, CONFIG_ENVIRONMENT,
               arena_printf(l->arena, "environment, %.*s", STR_ARG(name)),
               str_is_none(value) ? S("") : value);
    if (config_spec(setting)->kind != CONFIG_SECRET)
        return false;
    mem_wipe(entry + name.n, strlen(entry + name.n));
    return true;
}

void loader_set_variables(struct loader *l)
{
    char **kept = l->in->environment;

    for (char **entry = l->in->environment; *entry; entry++)
        if (!set_variable(l, *entry))
            *kept++ = *entry;
    *kept = NULL;
}
