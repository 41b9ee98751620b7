/* Settings as lines of a file, one "name = value" each, and sections of issuers. */
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>
#include <unistd.h>

#include "app/config_loader.h"
#include "app/file.h"
#include "base/banned.h"
#include "base/mem.h"

enum { FILE_MAX_BYTES = 1024 * 1024, FILE_LINE_MAX_BYTES = 8192 };

/* One line, as inih asks for it; the copy in inih's own memory is wiped when it asks for more. */
struct line {
    struct loader *loader;
    str text;
    str where;
    bool is_read;
};

static char *give_line(char *out, int size, void *stream)
{
    struct line *line = stream;

    if (line->is_read) {
        mem_wipe(out, (size_t)size);
        return NULL;
    }
    line->is_read = true;
    memcpy(out, line->text.p, line->text.n);
    out[line->text.n] = '\0';
    return out;
}

static bool is_quoted(str value)
{
    return value.n > 1 && str_starts(value, S("\"")) && str_ends(value, S("\""));
}

static void take_issuer_line(struct line *line, str name, str value)
{
    struct loader *l = line->loader;
    enum issuer_setting setting = config_issuer_setting_find(name);

    if (l->is_section_bad)
        return;
    if (setting != ISSUER_SETTINGS_END && !is_quoted(value))
        loader_set_issuer(l, l->section, setting, CONFIG_FILE, line->where, value);
    else
        loader_problem(l, loader_shown(l->arena, name), STR_NONE, line->where,
                       setting != ISSUER_SETTINGS_END
                           ? S("is in quotes; values are written as they are, without quotes")
                       : setting_find(name) != SETTINGS_END
                           ? S("is a setting of the server; it belongs above the first section")
                           : S("is not a setting of an issuer; docs/settings.md lists them"));
}

static int take_line(void *self, const char *section, const char *name, const char *value)
{
    struct line *line = self;
    struct loader *l = line->loader;
    enum setting setting = setting_find(str_of(name));

    (void)section;
    if (l->section || l->is_section_bad)
        take_issuer_line(line, str_of(name), str_of(value));
    else if (setting == SETTINGS_END)
        loader_problem(l, loader_shown(l->arena, str_of(name)), STR_NONE, line->where,
                       loader_not_a_setting(l, str_of(name), "", false));
    else if (is_quoted(str_of(value)))
        loader_problem(l, str_of(name), STR_NONE, line->where,
                       S("is in quotes; values are written as they are, without quotes"));
    else
        loader_set(l, setting, CONFIG_FILE, line->where, str_of(value));
    return 1;
}

/* [issuer NAME]. Below a section that is none, lines are read as if it were not there. */
static void start_section(struct loader *l, str text, str where)
{
    bool is_closed = str_ends(text, S("]"));
    str name = str_sub(text, 1, text.n - (is_closed ? 2 : 1));
    bool is_issuer = is_closed && str_eq(str_cut(&name, S(" ")), S("issuer"));

    l->section = NULL;
    if (is_issuer)
        l->section = loader_issuer(l, str_trim(name), loader_shown(l->arena, text), where);
    else
        loader_problem(l, S("the line"), loader_shown(l->arena, text), where,
                       S("starts a section that is not known; sections are [issuer NAME]"));
    l->is_section_bad = is_issuer && !l->section;
}

static void read_line(struct loader *l, str text, size_t number)
{
    struct line line = {.loader = l, .text = text};

    line.where = arena_printf(l->arena, "%.*s:%zu", STR_ARG(l->config->file), number);
    if (text.n > FILE_LINE_MAX_BYTES - 3 || str_has_byte(text, '\0'))
        loader_problem(l, S("the line"), STR_NONE, line.where,
                       S("is too long, or holds a NUL byte"));
    else if (str_starts(str_trim(text), S("[")))
        start_section(l, str_trim(str_ends(text, S("\r")) ? str_sub(text, 0, text.n - 1) : text),
                      line.where);
    else if (ini_parse_stream(give_line, &line, take_line, &line) != 0)
        loader_problem(l, S("the line"), STR_NONE, line.where, S("must be: name = value"));
}

/*
 * Each line is parsed alone, so that every bad one is found and named. Everything after "=" is the
 * value: with comments there, a password could not hold " ;".
 */
static void read_lines(struct loader *l, str text)
{
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_max_line = ini_initial_alloc = FILE_LINE_MAX_BYTES;
    for (size_t number = 1; !str_is_none(text); number++)
        read_line(l, str_cut(&text, S("\n")), number);
}

void loader_read_file(struct loader *l)
{
    const char *path = l->file ? l->file : l->in->default_file;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct buf text;

    if (!path || (fd < 0 && errno == ENOENT && !l->file))
        return;
    buf_init(&text, FILE_MAX_BYTES);
    if (fd < 0 || !file_read(fd, &text)) {
        loader_problem(
            l, loader_shown(l->arena, str_of(path)), STR_NONE, STR_NONE,
            arena_printf(l->arena, "cannot be read as a settings file: %s", strerror(errno)));
    } else {
        l->config->file = arena_dup(l->arena, str_of(path));
        read_lines(l, buf_str(&text));
    }
    buf_drop(&text);
    if (fd >= 0)
        close(fd);
}
