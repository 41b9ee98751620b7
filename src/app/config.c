/* Reading the settings: defaults, file, environment, flags; then what follows from them. */
#include "app/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config_issuers.h"
#include "app/config_values.h"
#include "app/file.h"
#include "app/near.h"
#include "base/banned.h"
#include "base/mem.h"

enum {
    PROBLEMS_MAX_BYTES = 256 * 1024,
    FILE_MAX_BYTES = 1024 * 1024,
    FILE_LINE_MAX_BYTES = 8192,
    SHOWN_VALUE_MAX_BYTES = 100,
    SOCKET_PATH_MAX_BYTES = 107, /* unix(7): sun_path holds 108, with the NUL */
};

#define ENVIRONMENT_PREFIX S("SALLYPORT_")

/* ENVIRONMENT_PREFIX and these are not settings, but are known. */
static const char *const other_variables[] = {"CONFIG", "BIN"};

struct loader {
    struct arena *arena;
    const struct config_input *in;
    struct config *config;
    struct buf problems;
    size_t n_problems;
    const char *file;              /* named by flag or environment, else NULL */
    struct config_issuer *section; /* the lines now read are of this issuer; NULL: of none */
    bool is_section_bad;           /* they are of a section that has been refused */
    /* flags are met before the file they come after: kept, and set last */
    struct flag_value {
        bool is_given;
        char *value;
    } flags[SETTINGS_END];
};

/* ---- problems ---- */

/* What others wrote, made safe for a terminal and for one line. */
static str shown(struct arena *arena, str value)
{
    bool is_cut = value.n > SHOWN_VALUE_MAX_BYTES;
    str copy = arena_printf(arena, "\"%.*s%s\"", STR_ARG(str_sub(value, 0, SHOWN_VALUE_MAX_BYTES)),
                            is_cut ? "…" : "");

    for (char *p = (char *)copy.p; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return copy;
}

/* where is STR_NONE for a default. */
static void problem(struct loader *l, str name, str value, str where, str reason)
{
    buf_printf(&l->problems, "  %.*s", STR_ARG(name));
    if (!str_is_none(value))
        buf_printf(&l->problems, " = %.*s", STR_ARG(value));
    if (!str_is_none(where))
        buf_printf(&l->problems, "  (%.*s)", STR_ARG(where));
    buf_printf(&l->problems, "\n      %.*s\n", STR_ARG(reason));
    l->n_problems++;
}

static void set(struct loader *l, enum setting setting, enum config_source source, str where,
                str value)
{
    const struct config_spec *spec = config_spec(setting);
    str reason = config_set(l->arena, l->config, setting, value);

    if (str_is_none(reason) && l->config->sources[setting] == source && source != CONFIG_DEFAULT)
        reason = S("is given twice; give it once");
    if (!str_is_none(reason))
        problem(l, spec->info.name,
                spec->kind == CONFIG_SECRET ? S("(not shown)") : shown(l->arena, value), where,
                reason);
    l->config->sources[setting] = source;
}

static struct config_issuer *issuer_named(struct loader *l, str name, str value, str where)
{
    str reason = STR_NONE;
    struct config_issuer *issuer = config_issuer_named(l->arena, l->config, name, &reason);

    if (!issuer)
        problem(l, S("issuer"), value, where, reason);
    return issuer;
}

static void set_issuer(struct loader *l, struct config_issuer *issuer, enum issuer_setting setting,
                       enum config_source source, str where, str value)
{
    const struct config_spec *spec = config_issuer_spec(setting);
    str reason = config_issuer_set(l->arena, issuer, setting, value);

    if (str_is_none(reason) && issuer->sources[setting] == source)
        reason = S("is given twice; give it once");
    if (!str_is_none(reason))
        problem(l,
                arena_printf(l->arena, "issuer.%.*s.%.*s", STR_ARG(issuer->name),
                             STR_ARG(spec->info.name)),
                shown(l->arena, value), where, reason);
    issuer->sources[setting] = source;
}

static str not_a_setting(struct loader *l, str name, const char *before, bool is_upper)
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

/* ---- flags ---- */

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
        problem(l, setting_info(setting)->name, STR_NONE, where, S("needs a value after the flag"));
        return;
    }
    if (flag->is_given)
        problem(l, setting_info(setting)->name, STR_NONE, where, S("is given twice; give it once"));
    if (flag->is_given && config_spec(setting)->kind == CONFIG_SECRET)
        mem_wipe(flag->value, strlen(flag->value));
    *flag = (struct flag_value){true, value};
}

/* Takes the settings' flags out; other words stay, in their order. */
static void take_flags(struct loader *l)
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
            problem(l, S("--config"), STR_NONE, STR_NONE, S("needs the path of a settings file"));
        arg += n_taken;
    }
    while (*arg)
        *kept++ = *arg++;
    *kept = NULL;
}

static void set_flags(struct loader *l)
{
    for (int s = 0; s < SETTINGS_END; s++) {
        struct flag_value *flag = &l->flags[s];
        if (!flag->is_given)
            continue;
        str where = arena_printf(l->arena, "--%.*s", STR_ARG(setting_info((enum setting)s)->name));
        for (char *p = (char *)where.p; *p; p++)
            *p = *p == '_' ? '-' : *p;
        set(l, (enum setting)s, CONFIG_FLAG, where, str_of(flag->value));
        if (config_spec((enum setting)s)->kind == CONFIG_SECRET)
            mem_wipe(flag->value, strlen(flag->value));
    }
}

/* ---- the environment ---- */

/* SALLYPORT_CONFIG is wanted before the file, the others after it. */
static void find_file_variable(struct loader *l)
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
    struct config_issuer *issuer = issuer_named(l, name, STR_NONE, where);
    if (issuer)
        set_issuer(l, issuer, setting, CONFIG_ENVIRONMENT, where,
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
        problem(l, name, STR_NONE, S("environment"), not_a_setting(l, rest, "SALLYPORT_", true));
        return false;
    }
    set(l, setting, CONFIG_ENVIRONMENT, arena_printf(l->arena, "environment, %.*s", STR_ARG(name)),
        str_is_none(value) ? S("") : value);
    if (config_spec(setting)->kind != CONFIG_SECRET)
        return false;
    mem_wipe(entry + name.n, strlen(entry + name.n));
    return true;
}

static void set_variables(struct loader *l)
{
    char **kept = l->in->environment;

    for (char **entry = l->in->environment; *entry; entry++)
        if (!set_variable(l, *entry))
            *kept++ = *entry;
    *kept = NULL;
}

/* ---- the file ---- */

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
        set_issuer(l, l->section, setting, CONFIG_FILE, line->where, value);
    else
        problem(l, shown(l->arena, name), STR_NONE, line->where,
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
        problem(l, shown(l->arena, str_of(name)), STR_NONE, line->where,
                not_a_setting(l, str_of(name), "", false));
    else if (is_quoted(str_of(value)))
        problem(l, str_of(name), STR_NONE, line->where,
                S("is in quotes; values are written as they are, without quotes"));
    else
        set(l, setting, CONFIG_FILE, line->where, str_of(value));
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
        l->section = issuer_named(l, str_trim(name), shown(l->arena, text), where);
    else
        problem(l, S("the line"), shown(l->arena, text), where,
                S("starts a section that is not known; sections are [issuer NAME]"));
    l->is_section_bad = is_issuer && !l->section;
}

static void read_line(struct loader *l, str text, size_t number)
{
    struct line line = {.loader = l, .text = text};

    line.where = arena_printf(l->arena, "%.*s:%zu", STR_ARG(l->config->file), number);
    if (text.n > FILE_LINE_MAX_BYTES - 3 || str_has_byte(text, '\0'))
        problem(l, S("the line"), STR_NONE, line.where, S("is too long, or holds a NUL byte"));
    else if (str_starts(str_trim(text), S("[")))
        start_section(l, str_trim(str_ends(text, S("\r")) ? str_sub(text, 0, text.n - 1) : text),
                      line.where);
    else if (ini_parse_stream(give_line, &line, take_line, &line) != 0)
        problem(l, S("the line"), STR_NONE, line.where, S("must be: name = value"));
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

static void read_file(struct loader *l)
{
    const char *path = l->file ? l->file : l->in->default_file;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct buf text;

    if (!path || (fd < 0 && errno == ENOENT && !l->file))
        return;
    buf_init(&text, FILE_MAX_BYTES);
    if (fd < 0 || !file_read(fd, &text)) {
        problem(l, shown(l->arena, str_of(path)), STR_NONE, STR_NONE,
                arena_printf(l->arena, "cannot be read as a settings file: %s", strerror(errno)));
    } else {
        l->config->file = arena_dup(l->arena, str_of(path));
        read_lines(l, buf_str(&text));
    }
    buf_drop(&text);
    if (fd >= 0)
        close(fd);
}

/* ---- what follows from the settings ---- */

static void derive_public_url(struct loader *l)
{
    struct config *c = l->config;
    str host = c->listen_host;
    bool is_any = str_eq(host, S("0.0.0.0")) || str_eq(host, S("::"));

    str scheme = c->tls_cert.n ? S("https") : S("http");

    if (c->public_url.n == 0 && is_any)
        c->public_url =
            arena_printf(l->arena, "%.*s://localhost:%d", STR_ARG(scheme), (int)c->listen_port);
    else if (c->public_url.n == 0)
        c->public_url = arena_printf(l->arena, "%.*s://%.*s", STR_ARG(scheme), STR_ARG(c->listen));
    /* RFC 6454 section 6.2: an origin is lower case and names no default port. */
    for (char *p = (char *)c->public_url.p; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    if (str_ends(c->public_url, S("/")))
        c->public_url.n--;
    c->public_url_is_https = str_starts(c->public_url, S("https:"));
    str port = c->public_url_is_https ? S(":443") : S(":80");
    if (str_ends(c->public_url, port))
        c->public_url.n -= port.n;
    c->public_url = arena_dup(l->arena, c->public_url);
}

/* Beside "sqlite:var/sallyport.db" is "var/sallyport.sock"; with a database that is elsewhere, it
 * is in the folder the server is started in. */
static str beside_database(struct loader *l, const char *name)
{
    str path = str_sub(l->config->database_url, S("sqlite:").n, l->config->database_url.n);

    if (config_is_postgres(l->config->database_url))
        path = S("");
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return arena_printf(l->arena, "%.*s%s", STR_ARG(path), name);
}

static void derive_audit_folder(struct loader *l)
{
    if (l->config->audit_archive_folder.n == 0)
        l->config->audit_archive_folder = beside_database(l, "audit");
}

static void derive_key_file(struct loader *l)
{
    if (l->config->key_file.n == 0)
        l->config->key_file = beside_database(l, "instance.key");
}

static void derive_control_socket(struct loader *l)
{
    if (l->config->control_socket.n)
        return;
    l->config->control_socket = beside_database(l, "sallyport.sock");
    if (l->config->control_socket.n > SOCKET_PATH_MAX_BYTES)
        problem(l, S("control_socket"), shown(l->arena, l->config->control_socket),
                S("beside the database"),
                S("is longer than a Unix socket's path may be; set control_socket to a shorter "
                  "one"));
}

static struct net_cidr *read_blocks(struct arena *arena, const struct config_list *list, size_t *n)
{
    struct net_cidr *blocks = arena_array(arena, list->n, sizeof *blocks);

    for (size_t i = 0; i < list->n; i++)
        net_cidr_parse(list->texts[i], &blocks[i]);
    *n = list->n;
    return blocks;
}

static void derive_blocks(struct arena *arena, struct config *c)
{
    c->proxies = read_blocks(arena, &c->trusted_proxies, &c->n_proxies);
    c->gateways = read_blocks(arena, &c->gate_peers, &c->n_gateways);
}

static void check_tls(struct loader *l)
{
    const struct config *c = l->config;

    if (c->tls_cert.n && c->tls_key.n == 0)
        problem(l, S("tls_key"), STR_NONE, STR_NONE, S("is missing; tls_cert needs it"));
    if (c->tls_cert.n == 0 && (c->tls_key.n || c->tls_client_ca.n))
        problem(l, S("tls_cert"), STR_NONE, STR_NONE,
                S("is missing; without it tls_key and tls_client_ca mean nothing"));
    if (str_eq(c->tls_client_certificates, S("required")) && c->tls_client_ca.n == 0)
        problem(l, S("tls_client_ca"), STR_NONE, STR_NONE,
                S("is missing; tls_client_certificates = required needs it"));
}

static void derive_log(struct loader *l)
{
    static const str levels[] = {{"debug", 5}, {"info", 4}, {"warn", 4}, {"error", 5}};
    struct config *c = l->config;

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (str_eq(levels[i], c->log_level))
            c->log_least = (enum log_level)i;
    c->log_is_json = str_eq(c->log_format, S("json")) ||
                     (str_eq(c->log_format, S("auto")) && !l->in->stderr_is_terminal);
}

/* What only the whole section can have wrong: told once all of it has been read. */
static void derive_issuers(struct loader *l)
{
    struct config *c = l->config;

    for (size_t i = 0; i < c->n_issuers; i++) {
        str setting = STR_NONE;
        str reason = config_issuer_complete(l->arena, c, &c->issuers[i], &setting);
        if (!str_is_none(reason))
            problem(l,
                    arena_printf(l->arena, "issuer.%.*s.%.*s", STR_ARG(c->issuers[i].name),
                                 STR_ARG(setting)),
                    STR_NONE, STR_NONE, reason);
    }
}

static void derive(struct loader *l)
{
    l->config->key_environment =
        str_eq(l->config->environment, S("production")) ? S("live") : S("test");
    config_split_listen(l->config->listen, &l->config->listen_host, &l->config->listen_port);
    l->config->listen_host = arena_dup(l->arena, l->config->listen_host);
    derive_public_url(l);
    derive_key_file(l);
    derive_audit_folder(l);
    derive_control_socket(l);
    derive_blocks(l->arena, l->config);
    check_tls(l);
    derive_log(l);
    if (l->n_problems == 0)
        derive_issuers(l);
}

/* ---- */

static void set_defaults(struct loader *l)
{
    for (int s = 0; s < SETTINGS_END; s++)
        set(l, (enum setting)s, CONFIG_DEFAULT, STR_NONE, setting_info((enum setting)s)->if_absent);
}

/* True: the settings are fit, and in *out. */
static bool finish(struct loader *l, struct config *out, str *problems)
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
    struct loader l = {.arena = arena, .in = in, .config = &config};

    buf_init(&l.problems, PROBLEMS_MAX_BYTES);
    take_flags(&l);
    find_file_variable(&l);
    set_defaults(&l);
    read_file(&l);
    set_variables(&l);
    set_flags(&l);
    derive(&l);
    return finish(&l, out, problems);
}

/* ---- reading the file again ---- */

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
    struct loader l = {.arena = arena, .in = in, .config = &config, .file = running->file.p};

    buf_init(&l.problems, PROBLEMS_MAX_BYTES);
    set_defaults(&l);
    read_file(&l);
    for (int s = 0; s < SETTINGS_END; s++)
        if (running->sources[s] > CONFIG_FILE)
            copy_field(&config, running, (enum setting)s);
    config_issuers_keep(arena, &config, running);
    derive(&l);
    return finish(&l, out, problems);
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
    derive_blocks(arena, config);
}

void config_drop(struct config *config)
{
    for (int s = 0; s < SETTINGS_END; s++)
        if (config_spec((enum setting)s)->kind == CONFIG_SECRET)
            secret_drop((struct secret *)((char *)config + config_spec((enum setting)s)->offset));
}
