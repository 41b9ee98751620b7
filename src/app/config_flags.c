/* Settings as flags of the command line: --session-lifetime 8h. */
#include <string.h>

#include "app/config_loader.h"
#include "base/banned.h"
#include "base/mem.h"

/* session-lifetime for session_lifetime */
static bool is_flag_of(str flag, str setting)
{
    if (flag.n != setting.n)
        return false;
    for (size_t i = 0; i < flag.n; i++)
        if (flag.p[i] != (setting.p[i] == '_' ? '-' : setting.p[i]))
            return false;
    return true;
}

static enum setting setting_of_flag(str flag)
{
    int s = 0;

    while (s < SETTINGS_END && !is_flag_of(flag, setting_info((enum setting)s)->name))
        s++;
    return (enum setting)s;
}

/* The value after "=", else the next word if it is no flag, which is then taken too. */
static char *flag_value(char **arg, int *n_taken)
{
    char *equals = strchr(*arg, '=');

    *n_taken = 1;
    if (equals)
        return equals + 1;
    if (!arg[1] || str_starts(str_of(arg[1]), S("--")))
        return NULL;
    *n_taken = 2;
    return arg[1];
}

static void keep_flag(struct loader *l, enum setting setting, str name, char *value)
{
    struct flag_value *flag = &l->flags[setting];
    str where = arena_printf(l->arena, "--%.*s", STR_ARG(name));

    if (!value) {
        loader_problem(l, setting_info(setting)->name, STR_NONE, where,
                       S("needs a value after the flag"));
        return;
    }
    if (flag->is_given)
        loader_problem(l, setting_info(setting)->name, STR_NONE, where,
                       S("is given twice; give it once"));
    if (flag->is_given && config_spec(setting)->kind == CONFIG_SECRET)
        mem_wipe(flag->value, strlen(flag->value));
    *flag = (struct flag_value){true, value};
}

void loader_take_flags(struct loader *l)
{
    char **kept = l->in->args;
    char **arg = l->in->args;
    int n_taken;

    while (*arg && !str_eq(str_of(*arg), S("--"))) {
        str rest = str_of(*arg);
        str name = str_cut(&rest, S("="));
        bool is_flag = str_starts(name, S("--"));
        name = str_sub(name, 2, name.n);
        enum setting setting = is_flag ? setting_of_flag(name) : SETTINGS_END;
        bool is_file = is_flag && str_eq(name, S("config"));

        if (setting == SETTINGS_END && !is_file) {
            *kept++ = *arg++;
            continue;
        }
        char *value = flag_value(arg, &n_taken);
        if (!is_file)
            keep_flag(l, setting, name, value);
        else if (value && *value)
            l->file = value;
        else
            loader_problem(l, S("--config"), STR_NONE, STR_NONE,
                           S("needs the path of a settings file"));
        arg += n_taken;
    }
    while (*arg)
        *kept++ = *arg++;
    *kept = NULL;
}

void loader_set_flags(struct loader *l)
{
    for (int s = 0; s < SETTINGS_END; s++) {
        struct flag_value *flag = &l->flags[s];
        if (!flag->is_given)
            continue;
        str where = arena_printf(l->arena, "--%.*s", STR_ARG(setting_info((enum setting)s)->name));
        for (char *p = (char *)where.p; *p; p++)
            *p = *p == '_' ? '-' : *p;
        loader_set(l, (enum setting)s, CONFIG_FLAG, where, str_of(flag->value));
        if (config_spec((enum setting)s)->kind == CONFIG_SECRET)
            mem_wipe(flag->value, strlen(flag->value));
    }
}
