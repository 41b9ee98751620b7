/* Help, from the table of commands. */
#include <stdio.h>

#include "app/cli.h"
#include "app/columns.h"
#include "base/banned.h"

str cli_name(struct arena *arena, const struct cli_command *command)
{
    return arena_printf(arena, "sallyport %s%s%s", command->group ? command->group : "",
                        command->group ? " " : "", command->verb);
}

static str flag_usage(struct arena *arena, const struct cli_flag *flag)
{
    return arena_printf(arena, "--%s%s%s", flag->name, flag->value ? " " : "",
                        flag->value ? flag->value : "");
}

str cli_usage(struct arena *arena, const struct cli_command *command)
{
    str usage = cli_name(arena, command);

    if (command->argument)
        usage = arena_printf(arena, "%.*s %s", STR_ARG(usage), command->argument);
    for (const struct cli_flag *f = command->flags; f->name; f++) {
        str flag = flag_usage(arena, f);
        usage = arena_printf(arena, "%.*s %s%.*s%s%s", STR_ARG(usage), f->is_required ? "" : "[",
                             STR_ARG(flag), f->is_required ? "" : "]", f->repeats ? " ..." : "");
    }
    return usage;
}

static void put_heading(struct cli_show *show, str text)
{
    put_tinted(show->out, text, TINT_BOLD, show->is_coloured);
    buf_put_byte(show->out, '\n');
}

/* Two columns, the first indented. */
static struct columns pairs(const struct cli_show *show)
{
    struct columns table;

    columns_init(&table, show->arena, 2);
    table.is_coloured = show->is_coloured;
    table.width = show->width;
    return table;
}

static void put_pair(struct cli_show *show, struct columns *table, str left, str right)
{
    left = arena_printf(show->arena, "  %.*s", STR_ARG(left));
    columns_row(table, (const struct cell[]){{left, TINT_NOTE}, {right, TINT_NONE}});
}

static void help_all(struct cli_show *show)
{
    struct columns table = pairs(show);
    struct arena *arena = show->arena;

    buf_printf(show->out, "sallyport %s: an API-key gate and partner integration server.\n\n",
               SALLYPORT_VERSION);
    put_heading(show, S("Commands"));
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        str left = arena_printf(arena, "%s%s%s%s%s", c->group ? c->group : "", c->group ? " " : "",
                                c->verb, c->argument ? " " : "", c->argument ? c->argument : "");
        put_pair(show, &table, left, str_of(c->meaning));
    }
    columns_write(&table, show->out);
    buf_put(
        show->out,
        S("\nCommands talk to the running server; without one they open the database themselves."
          "\n--json prints exactly what the API answers. Every setting is a flag as well:"
          "\nsallyport help settings.\n\n"));
    put_heading(show, S("First steps"));
    buf_put(show->out, S("  sallyport employers create --name 'Acme Health'\n"
                         "  sallyport keys create --name first --scope cohort:read\n"
                         "  sallyport serve\n"));
}

static void help_command(struct cli_show *show, const struct cli_command *command)
{
    struct columns table = pairs(show);

    put_heading(show, cli_usage(show->arena, command));
    buf_printf(show->out, "  %s\n", command->meaning);
    for (const struct cli_flag *f = command->flags; f->name; f++)
        put_pair(show, &table, flag_usage(show->arena, f), str_of(f->meaning));
    columns_write(&table, show->out);
    buf_printf(show->out, "  Example: %s\n", command->example);
}

static bool help_group(struct cli_show *show, str group)
{
    bool is_first = true;

    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        if (!str_eq(str_of(c->group), group))
            continue;
        if (!is_first)
            buf_put_byte(show->out, '\n');
        is_first = false;
        help_command(show, c);
    }
    return !is_first;
}

static void help_settings(struct cli_show *show)
{
    struct columns table;

    columns_init(&table, show->arena, 4);
    table.is_coloured = show->is_coloured;
    table.width = show->width;
    buf_put(
        show->out,
        S("A setting is taken from its flag, else the environment, else sallyport.conf:\n\n"
          "  --session-lifetime 8h    SALLYPORT_SESSION_LIFETIME=8h    session_lifetime = 8h\n\n"
          "--config FILE, or SALLYPORT_CONFIG, names another file. sallyport config shows the\n"
          "values in force.\n\n"));
    columns_row(&table, (const struct cell[]){{S("SETTING"), TINT_DIM},
                                              {S("DEFAULT"), TINT_DIM},
                                              {S("UNIT"), TINT_DIM},
                                              {S("MEANING"), TINT_DIM}});
    for (int s = 0; s < SETTINGS_END; s++) {
        const struct setting_info *info = setting_info((enum setting)s);
        columns_row(&table, (const struct cell[]){{info->name, TINT_NOTE},
                                                  {info->if_absent, TINT_NONE},
                                                  {info->unit, TINT_NONE},
                                                  {info->meaning, TINT_NONE}});
    }
    columns_write(&table, show->out);
}

bool cli_help(struct cli_show *show, str group, str verb)
{
    const struct cli_command *command =
        str_is_none(verb) ? cli_find(STR_NONE, group) : cli_find(group, verb);

    if (str_is_none(group))
        help_all(show);
    else if (command)
        help_command(show, command);
    else if (str_is_none(verb) && str_eq(group, S("settings")))
        help_settings(show);
    else
        return str_is_none(verb) && help_group(show, group);
    return true;
}
