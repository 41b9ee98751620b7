/* The manual pages, sallyport(1) and sallyport.conf(5), from the tables of commands and settings.
 */
#include "app/cli.h"
#include "base/banned.h"

/* groff_man(7): a backslash, a hyphen that is one, and a full stop or quote that begins a line. */
static void put(struct buf *out, str text)
{
    if (text.n && (text.p[0] == '.' || text.p[0] == '\''))
        buf_put(out, S("\\&"));
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\')
            buf_put(out, S("\\e"));
        else if (c == '-')
            buf_put(out, S("\\-"));
        else
            buf_put_byte(out, c);
    }
}

static void put_line(struct buf *out, str text)
{
    put(out, text);
    buf_put_byte(out, '\n');
}

static void put_bold(struct buf *out, str text)
{
    buf_put(out, S(".B "));
    put_line(out, text);
}

static void put_head(struct buf *out, const char *name, const char *section, const char *what)
{
    buf_printf(out, ".TH %s %s \"\" \"sallyport %s\"\n.SH NAME\n", name, section,
               SALLYPORT_VERSION);
    put_line(out, str_of(what));
}

static void put_flag(struct buf *out, str name, str value, str meaning)
{
    buf_put(out, S(".TP\n.B "));
    put(out, S("--"));
    put(out, name);
    if (!str_is_none(value)) {
        buf_put_byte(out, ' ');
        put(out, value);
    }
    buf_put_byte(out, '\n');
    put_line(out, meaning);
}

static void put_commands(struct arena *arena, struct buf *out)
{
    buf_put(out, S(".SH COMMANDS\n"));
    for (const struct cli_command *c = cli_commands; c->verb; c++) {
        str usage = cli_usage(arena, c);
        str_cut(&usage, S(" "));
        buf_put(out, S(".SS "));
        put_line(out, usage);
        put_line(out, str_of(c->meaning));
        for (const struct cli_flag *f = c->flags; f->name; f++)
            put_flag(out, str_of(f->name), str_of(f->value), str_of(f->meaning));
        buf_put(out, S(".PP\nExample:\n"));
        put_bold(out, str_of(c->example));
    }
}

static void put_sallyport(struct arena *arena, struct buf *out)
{
    put_head(out, "SALLYPORT", "1", "sallyport - an API-key gate and partner integration server");
    buf_put(out, S(".SH SYNOPSIS\n.B sallyport\n.I command\n.RI [ flags ]\n.SH DESCRIPTION\n"
                   "Commands talk to the running server over its control socket; without one they "
                   "open the database themselves.\nThe caller there is the operator, who may do "
                   "everything: root, and the user the server runs as.\n"));
    put_commands(arena, out);
    buf_put(out, S(".SH OPTIONS\n"));
    put_flag(out, S("json"), STR_NONE,
             S("Print exactly what the API answers, the result or the problem."));
    put_flag(out, S("config"), S("FILE"), S("Read the settings from this file."));
    buf_put(out, S(".PP\nEvery setting of\n.BR sallyport.conf (5)\nis a flag as well: "
                   "session_lifetime is\n"));
    put_bold(out, S("--session-lifetime"));
    buf_put(out, S(".SH EXIT STATUS\n0 done, 1 refused or failed, 2 wrong usage or settings.\n"
                   ".SH SIGNALS\nOf\n.BR \"sallyport serve\" :\n.TP\n.BR SIGTERM \", \" SIGINT\n"
                   "Take no more connections, finish what is running within shutdown_timeout, "
                   "exit with 0.\n.TP\n.B SIGHUP\nRead the settings file again. The log says what "
                   "was changed, and what needs a restart.\n"
                   ".SH ENVIRONMENT\n.TP\n.B SALLYPORT_*\nEvery setting: session_lifetime is\n"
                   ".BR SALLYPORT_SESSION_LIFETIME .\n.TP\n.B SALLYPORT_CONFIG\nThe settings "
                   "file.\n.TP\n.B NO_COLOR\nNo colours on a terminal.\n"
                   ".SH FILES\n.TP\n.I sallyport.conf\nIn the folder that the program is started "
                   "in, else\n.IR /etc/sallyport/sallyport.conf .\n"
                   ".SH SEE ALSO\n.BR sallyport.conf (5)\n"));
}

static void put_setting(struct buf *out, enum setting setting)
{
    const struct setting_info *info = setting_info(setting);

    buf_put(out, S(".TP\n.B "));
    put(out, info->name);
    buf_put(out, S("\n"));
    put_line(out, info->meaning);
    if (setting_reloads(setting))
        buf_put(out, S("Reloads on SIGHUP.\n"));
    buf_put(out, S(".br\nUnit: "));
    put(out, info->unit);
    buf_put(out, S(". Default: "));
    put(out, info->if_absent.n ? info->if_absent : S("not set"));
    buf_put(out, S(".\n"));
}

static void put_settings(struct buf *out)
{
    put_head(out, "SALLYPORT.CONF", "5", "sallyport.conf - settings of sallyport");
    buf_put(out, S(".SH DESCRIPTION\nEach line is\n.BR \"name = value\" ;\na line that starts with "
                   "# or ; is a comment.\nEverything after the = is the value, without the spaces "
                   "around it: there are no quotes, no comments behind a value, and no sections.\n"
                   ".PP\nA setting is taken from its flag\n.RB ( \\-\\-session\\-lifetime ),\nelse "
                   "from the environment\n.RB ( SALLYPORT_SESSION_LIFETIME ),\nelse from this "
                   "file, else it has its default.\nTimes are a number and ms, s, m, h or d; sizes "
                   "a number and B, KiB, MiB or GiB.\n.SH SETTINGS\n"));
    for (int s = 0; s < SETTINGS_END; s++)
        put_setting(out, (enum setting)s);
    buf_put(out, S(".SH FILES\n.I ./sallyport.conf\n.br\n.I /etc/sallyport/sallyport.conf\n"
                   ".SH SEE ALSO\n.BR sallyport (1)\n"));
}

bool cli_manual(struct cli_show *show, str section)
{
    if (str_eq(section, S("1")))
        put_sallyport(show->arena, show->out);
    else if (str_eq(section, S("5")))
        put_settings(show->out);
    else
        return false;
    return true;
}
