/* Shell completion, from the tables of commands, settings and errors. */
#include <string.h>

#include "app/cli.h"
#include "app/config_values.h"
#include "base/banned.h"

static str flag_of(struct arena *arena, str setting)
{
    str flag = arena_printf(arena, "--%.*s", STR_ARG(setting));

    for (char *c = (char *)flag.p; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return flag;
}

/* "debug|info", "true or false" with spaces between; STR_NONE where any text may stand. */
static str choices_of(struct arena *arena, enum setting setting)
{
    const struct config_spec *spec = config_spec(setting);
    str words = arena_dup(arena, spec->info.unit);

    if (spec->kind == CONFIG_BOOL)
        return S("true false");
    if (spec->kind != CONFIG_CHOICE)
        return STR_NONE;
    for (char *c = (char *)words.p; *c; c++)
        *c = *c == '|' ? ' ' : *c;
    return words;
}

/* Is it the first of its group, or a command of one word? */
static bool is_first_word(const struct cli_command *command)
{
    for (const struct cli_command *c = cli_commands; c != command; c++)
        if (command->group && c->group && strcmp(c->group, command->group) == 0)
            return false;
    return true;
}

static const char *first_word(const struct cli_command *command)
{
    return command->group ? command->group : command->verb;
}

static void put_codes(struct buf *out)
{
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++)
        buf_printf(out, "%s%.*s", e > E_OK + 1 ? " " : "", STR_ARG(err_info((enum err)e)->code));
}

/* What may stand for the word after a command, where that is one of a few. */
static void put_arguments(struct buf *out, const struct cli_command *command)
{
    if (command->kind == CLI_EXPLAIN)
        put_codes(out);
    else if (command->kind == CLI_COMPLETION)
        buf_put(out, S("bash zsh"));
    else if (command->kind == CLI_MANUAL)
        buf_put(out, S("1 5"));
    else if (command->kind == CLI_HELP)
        for (const struct cli_command *c = cli_commands; c->verb; c++)
            if (is_first_word(c))
                buf_printf(out, "%s ", first_word(c));
}

/* ---- bash ---- */

static void bash_words(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++)
        if (is_first_word(c))
            buf_printf(out, "%s%s", c == cli_commands ? "" : " ", first_word(c));
}

static void bash_groups(struct buf *out)
{
    const char *before = "";

    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        if (!c->group || !is_first_word(c))
            continue;
        buf_printf(out, "%s%s", before, c->group);
        before = " | ";
    }
}

static void bash_verbs(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        if (!c->group || !is_first_word(c))
            continue;
        buf_printf(out, "        %s) words=\"", c->group);
        for (const struct cli_command *v = c; v->verb; v++)
            if (v->group && strcmp(v->group, c->group) == 0)
                buf_printf(out, "%s%s", v == c ? "" : " ", v->verb);
        buf_put(out, S("\" ;;\n"));
    }
}

static void bash_flags(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        buf_printf(out, "    \"%s%s%s\") words=\"", c->group ? c->group : "", c->group ? " " : "",
                   c->verb);
        put_arguments(out, c);
        for (const struct cli_flag *f = c->flags; f->name; f++)
            buf_printf(out, " --%s", f->name);
        buf_printf(out, "%s\" ;;\n", cli_takes_json(c) ? " --json" : "");
    }
}

static void bash_values(struct arena *arena, struct buf *out)
{
    for (int s = 0; s < SETTINGS_END; s++) {
        str words = choices_of(arena, (enum setting)s);
        if (!str_is_none(words))
            buf_printf(out, "    %.*s) words=\"%.*s\" ;;\n",
                       STR_ARG(flag_of(arena, setting_info((enum setting)s)->name)),
                       STR_ARG(words));
    }
}

static void put_bash(struct arena *arena, struct buf *out)
{
    buf_put(out, S("# bash completion for sallyport, made by: sallyport completion bash\n"
                   "_sallyport() {\n"
                   "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                   "    local command=${COMP_WORDS[1]} words=\"\" settings=\""));
    for (int s = 0; s < SETTINGS_END; s++)
        buf_printf(out, "%.*s ", STR_ARG(flag_of(arena, setting_info((enum setting)s)->name)));
    buf_put(out, S("--config\"\n\n    case $command in\n"
                   "    "));
    bash_groups(out);
    buf_put(out, S(") command=\"$command ${COMP_WORDS[2]}\" ;;\n    esac\n"
                   "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\""));
    bash_words(out);
    buf_put(out, S("\"\n    elif [ \"$COMP_CWORD\" -eq 2 ]; then\n        case $prev in\n"));
    bash_verbs(out);
    buf_put(out, S("        esac\n    fi\n    [ -n \"$words\" ] || case $command in\n"));
    bash_flags(out);
    buf_put(out, S("    esac\n"
                   "    case $cur in --*) words=\"$words $settings\" ;; esac\n"
                   "    case $prev in\n"));
    bash_values(arena, out);
    buf_put(out, S("    --config | --key-file | --control-socket | import)\n"
                   "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                   "        return\n        ;;\n    esac\n"
                   "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                   "}\n"
                   "complete -F _sallyport sallyport\n"));
}

/* ---- zsh ---- */

/* Inside single quotes; "[", "]" and ":" have a meaning to _arguments and _describe. */
static void put_zsh(struct buf *out, str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\'')
            buf_put(out, S("'\\''"));
        else if (str_has_byte(S("[]:\\"), c))
            buf_printf(out, "\\%c", c);
        else
            buf_put_byte(out, c);
    }
}

/* A group is described by what its commands have in common: nothing but its name. */
static void zsh_described(struct buf *out, const char *word, str meaning)
{
    buf_printf(out, "        '%s:", word);
    put_zsh(out, meaning);
    buf_put(out, S("'\n"));
}

static void zsh_words(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++)
        if (is_first_word(c))
            zsh_described(out, first_word(c), c->group ? S("…") : str_of(c->meaning));
}

static void zsh_verbs(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        if (!c->group || !is_first_word(c))
            continue;
        buf_printf(out, "    %s)\n        list=(\n", c->group);
        for (const struct cli_command *v = c; v->verb; v++)
            if (v->group && strcmp(v->group, c->group) == 0)
                zsh_described(out, v->verb, str_of(v->meaning));
        buf_put(out, S("        )\n        if (( CURRENT == 3 )); then\n"
                       "            _describe command list\n            return\n        fi\n"
                       "        command=\"$words[2] $words[3]\" ;;\n"));
    }
}

static void zsh_flag(struct buf *out, str name, str meaning, str value, str choices, bool repeats)
{
    buf_printf(out, "            '%s--%.*s%s[", repeats ? "*" : "", STR_ARG(name),
               str_is_none(value) ? "" : "=");
    put_zsh(out, meaning);
    buf_put_byte(out, ']');
    if (!str_is_none(value)) {
        buf_put_byte(out, ':');
        put_zsh(out, value);
        buf_put_byte(out, ':');
        if (choices.n)
            buf_printf(out, "(%.*s)", STR_ARG(choices));
        else if (str_eq(value, S("FILE")) || str_eq(value, S("path")))
            buf_put(out, S("_files"));
    }
    buf_put(out, S("'\n"));
}

static void zsh_flags(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        buf_printf(out, "    \"%s%s%s\")\n        flags+=(\n", c->group ? c->group : "",
                   c->group ? " " : "", c->verb);
        for (const struct cli_flag *f = c->flags; f->name; f++)
            zsh_flag(out, str_of(f->name), str_of(f->meaning), str_of(f->value), STR_NONE,
                     f->repeats);
        if (cli_takes_json(c))
            zsh_flag(out, S("json"), S("print exactly what the API answers"), STR_NONE, STR_NONE,
                     false);
        if (c->argument && str_eq(str_of(c->argument), S("FILE"))) {
            buf_put(out, S("            '*:FILE:_files'\n"));
        } else if (c->argument) {
            buf_printf(out, "            '*:%s:(", c->argument);
            put_arguments(out, c);
            buf_put(out, S(")'\n"));
        }
        buf_put(out, S("        ) ;;\n"));
    }
}

static void zsh_settings(struct arena *arena, struct buf *out)
{
    for (int s = 0; s < SETTINGS_END; s++) {
        const struct setting_info *info = setting_info((enum setting)s);
        str flag = flag_of(arena, info->name);
        zsh_flag(out, str_sub(flag, 2, flag.n), info->meaning, info->unit,
                 choices_of(arena, (enum setting)s), false);
    }
    zsh_flag(out, S("config"), S("the settings file"), S("FILE"), STR_NONE, false);
}

static void put_zsh_script(struct arena *arena, struct buf *out)
{
    buf_put(out, S("#compdef sallyport\n# made by: sallyport completion zsh\n\n"
                   "_sallyport() {\n    local command=$words[2]\n    local -a list flags\n\n"
                   "    if (( CURRENT == 2 )); then\n        list=(\n"));
    zsh_words(out);
    buf_put(out, S("        )\n        _describe command list\n        return\n    fi\n"
                   "    case $command in\n"));
    zsh_verbs(out);
    buf_put(out, S("    esac\n    flags=(\n"));
    zsh_settings(arena, out);
    buf_put(out, S("    )\n    case $command in\n"));
    zsh_flags(out);
    buf_put(out, S("    esac\n    _arguments $flags\n}\n\n_sallyport \"$@\"\n"));
}

bool cli_completion(struct cli_show *show, str shell)
{
    if (str_eq(shell, S("bash")))
        put_bash(show->arena, show->out);
    else if (str_eq(shell, S("zsh")))
        put_zsh_script(show->arena, show->out);
    else
        return false;
    return true;
}
