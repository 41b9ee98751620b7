/* Words to command: which one, and with which flags. */
#include <string.h>

#include "app/cli.h"
#include "app/near.h"
#include "base/banned.h"

enum { PROBLEMS_MAX_BYTES = 64 * 1024 };

/* Known to every command that answers with JSON. */
static const struct cli_flag json_flag = {"json", NULL, "print exactly what the API answers"};

struct parser {
    struct arena *arena;
    char **words; /* what is left */
    struct cli_args *out;
    struct buf problems;
    bool has_unknown_flag;
    bool is_past_flags; /* after "--" */
};

static bool is_flag(const struct parser *p, const char *word)
{
    return !p->is_past_flags && str_starts(str_of(word), S("--")) && word[2];
}

/* ---- which command ---- */

static void suggest_command(struct parser *p, str group, str word)
{
    struct near near;

    near_init(&near, word);
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        if (str_is_none(group))
            near_try(&near, str_of(c->group ? c->group : c->verb));
        else if (str_eq(str_of(c->group), group))
            near_try(&near, str_of(c->verb));
    }
    buf_printf(&p->problems, "there is no command %.*s%s%.*s", STR_ARG(group), group.n ? " " : "",
               STR_ARG(word));
    if (!str_is_none(near.best))
        buf_printf(&p->problems, "; did you mean %.*s%s%.*s?", STR_ARG(group), group.n ? " " : "",
                   STR_ARG(near.best));
    buf_put_byte(&p->problems, '\n');
}

/* The next word that is no flag, taken out; flags may come before the command. */
static str take_word(struct parser *p)
{
    char **word = p->words;

    while (*word && is_flag(p, *word))
        word++;
    if (!*word)
        return STR_NONE;
    str taken = str_of(*word);
    for (; *word; word++)
        word[0] = word[1];
    return taken;
}

static bool find_command(struct parser *p)
{
    str word = take_word(p);
    str group = STR_NONE;

    if (cli_is_group(word)) {
        group = word;
        word = take_word(p);
    }
    p->out->command = cli_find(group, word);
    p->out->topic[0] = p->out->command ? STR_NONE : group;
    if (p->out->command)
        return true;
    if (str_is_none(word))
        buf_printf(&p->problems, "%.*s: which of its commands?\n", STR_ARG(group));
    else
        suggest_command(p, group, word);
    return false;
}

/* ---- flags ---- */

/* The printed name of a command without "sallyport " before it. */
static str short_name(const struct parser *p)
{
    str name = cli_name(p->arena, p->out->command);

    str_cut(&name, S(" "));
    return name;
}

static const struct cli_flag *find_flag(const struct cli_command *command, str name)
{
    for (const struct cli_flag *f = command->flags; f->name; f++)
        if (str_eq(str_of(f->name), name))
            return f;
    return cli_takes_json(command) && str_eq(name, S("json")) ? &json_flag : NULL;
}

static str with_dashes(struct arena *arena, str setting)
{
    str flag = arena_dup(arena, setting);

    for (char *c = (char *)flag.p; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return flag;
}

/* The value is not shown: this may be a secret's flag misspelt. */
static void unknown_flag(struct parser *p, str name)
{
    struct near near;
    str command = short_name(p);

    near_init(&near, name);
    for (const struct cli_flag *f = p->out->command->flags; f->name; f++)
        near_try(&near, str_of(f->name));
    near_try(&near, S("json"));
    near_try(&near, S("config"));
    for (int s = 0; s < SETTINGS_END; s++)
        near_try(&near, with_dashes(p->arena, setting_info((enum setting)s)->name));
    buf_printf(&p->problems, "%.*s: --%.*s is not a flag of this command", STR_ARG(command),
               STR_ARG(name));
    if (!str_is_none(near.best))
        buf_printf(&p->problems, "; did you mean --%.*s?", STR_ARG(near.best));
    buf_put_byte(&p->problems, '\n');
    p->has_unknown_flag = true;
}

static void take_given(struct parser *p, const struct cli_flag *flag, str value)
{
    struct cli_args *out = p->out;
    str command = short_name(p);

    if (flag == &json_flag) {
        out->is_json = true;
        return;
    }
    if (out->n_given == CLI_GIVEN_MAX || (!flag->repeats && cli_has(out, flag->name))) {
        buf_printf(&p->problems, "%.*s: --%s is given %s\n", STR_ARG(command), flag->name,
                   flag->repeats ? "too often" : "twice; give it once");
        return;
    }
    out->given[out->n_given++] = (struct cli_given){flag, value};
}

static void read_flag(struct parser *p)
{
    str value = str_of(*p->words++ + 2);
    str name = str_cut(&value, S("="));
    const struct cli_flag *flag = find_flag(p->out->command, name);

    if (!flag) {
        unknown_flag(p, name);
        return;
    }
    if (!flag->value && !str_is_none(value)) {
        buf_printf(&p->problems, "%.*s: --%s takes no value\n", STR_ARG(short_name(p)), flag->name);
        return;
    }
    if (flag->value && str_is_none(value) && *p->words && !is_flag(p, *p->words))
        value = str_of(*p->words++);
    if (flag->value && str_is_none(value)) {
        buf_printf(&p->problems, "%.*s: --%s needs a value: --%s %s\n", STR_ARG(short_name(p)),
                   flag->name, flag->name, flag->value);
        return;
    }
    take_given(p, flag, flag->value ? value : S(""));
}

/* ---- words that are no flags ---- */

static void read_argument(struct parser *p, str word)
{
    struct cli_args *out = p->out;
    str command = short_name(p);

    if (out->command->kind == CLI_HELP && str_is_none(out->topic[1])) {
        out->topic[str_is_none(out->topic[0]) ? 0 : 1] = word;
    } else if (out->command->argument && str_is_none(out->argument)) {
        out->argument = word;
    } else if (!p->has_unknown_flag) { /* else it may be the value of that */
        const struct cli_flag *last = out->n_given ? out->given[out->n_given - 1].flag : NULL;
        buf_printf(&p->problems, "%.*s: unexpected word \"%.*s\"", STR_ARG(command), STR_ARG(word));
        if (last && last->repeats)
            buf_printf(&p->problems, "; write --%s before each", last->name);
        buf_put_byte(&p->problems, '\n');
    }
}

static void check_complete(struct parser *p)
{
    const struct cli_command *command = p->out->command;
    str name = short_name(p);

    if (command->argument && command->kind != CLI_HELP && str_is_none(p->out->argument))
        buf_printf(&p->problems, "%.*s: %s is missing\n", STR_ARG(name), command->argument);
    for (const struct cli_flag *f = command->flags; f->name; f++)
        if (f->is_required && !cli_has(p->out, f->name))
            buf_printf(&p->problems, "%.*s: --%s %s is missing\n", STR_ARG(name), f->name,
                       f->value);
}

/* --help, wherever it stands, asks for the help of the command it stands with. */
static bool asks_for_help(const struct parser *p)
{
    for (char **word = p->words; *word; word++)
        if (str_eq(str_of(*word), S("--help")) || str_eq(str_of(*word), S("-h")))
            return true;
    return false;
}

static void turn_into_help(struct parser *p)
{
    str word = take_word(p);

    p->out->command = cli_find(STR_NONE, S("help"));
    p->out->topic[0] = str_eq(word, S("-h")) ? take_word(p) : word;
    if (cli_is_group(p->out->topic[0]))
        p->out->topic[1] = take_word(p);
    if (str_eq(p->out->topic[1], S("-h")))
        p->out->topic[1] = STR_NONE;
}

static void read_words(struct parser *p)
{
    while (*p->words) {
        if (is_flag(p, *p->words))
            read_flag(p);
        else if (!p->is_past_flags && str_eq(str_of(*p->words), S("--")))
            p->is_past_flags = p->words++ != NULL;
        else
            read_argument(p, str_of(*p->words++));
    }
    if (!p->has_unknown_flag)
        check_complete(p);
}

bool cli_parse(struct arena *arena, char **words, struct cli_args *out, str *problems)
{
    struct parser p = {.arena = arena, .words = words, .out = out};

    *out = (struct cli_args){.argument = STR_NONE};
    buf_init(&p.problems, PROBLEMS_MAX_BYTES);
    if (asks_for_help(&p))
        turn_into_help(&p);
    else if (find_command(&p))
        read_words(&p);
    bool is_fit = p.problems.n == 0;
    if (!is_fit)
        *problems = arena_dup(arena, buf_str(&p.problems));
    buf_drop(&p.problems);
    return is_fit;
}
