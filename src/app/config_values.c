/* Settings one at a time: what a value must be, by its kind and by what it is for. */
#include "app/config_values.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "app/units.h"
#include "base/banned.h"
#include "base/text.h"
#include "outbound/outbound.h"

static const struct config_spec specs[SETTINGS_END] = {
#define SETTING(id, kind, if_absent, unit, least, most, meaning)                                   \
    [SETTING_##id] = CONFIG_SPEC(config, id, kind, if_absent, unit, least, most, meaning),
#include "config.def"
#undef SETTING
};

const struct config_spec *config_spec(enum setting setting)
{
    return &specs[setting];
}

const struct setting_info *setting_info(enum setting setting)
{
    return &specs[setting].info;
}

bool setting_reloads(enum setting setting)
{
    static const bool reloads[SETTINGS_END] = {
#define SETTING(...)
#define RELOADS(name) [SETTING_##name] = true,
#include "config.def"
#undef SETTING
    };

    return reloads[setting];
}

enum setting setting_find(str name)
{
    int s = 0;

    while (s < SETTINGS_END && !str_eq(specs[s].info.name, name))
        s++;
    return (enum setting)s;
}

/* ---- what a text is for ---- */

static bool is_host_name(str host)
{
    bool has_letter = false;

    for (size_t i = 0; i < host.n; i++)
        has_letter = has_letter || (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'));
    return has_letter && text_is_plain(host, 253) && !str_has_byte(host, '_');
}

bool config_split_listen(str listen, str *host, int64_t *port)
{
    size_t colon = listen.n;
    uint64_t number;
    struct net_addr addr;

    while (colon > 0 && listen.p[colon - 1] != ':')
        colon--;
    if (colon == 0 || !str_parse_u64(str_sub(listen, colon, listen.n), 65535, &number))
        return false;
    *host = str_sub(listen, 0, colon - 1);
    *port = (int64_t)number;
    if (str_starts(*host, S("[")) && str_ends(*host, S("]"))) {
        *host = str_sub(*host, 1, host->n - 2);
        return str_has_byte(*host, ':') && net_addr_parse(*host, &addr);
    }
    return !str_has_byte(*host, ':') && (net_addr_parse(*host, &addr) || is_host_name(*host));
}

static str check_listen(struct arena *arena, str value)
{
    str host;
    int64_t port;

    (void)arena;
    if (config_split_listen(value, &host, &port))
        return STR_NONE;
    return S("must be an address and a port, like 127.0.0.1:8080, [::1]:8080, or 0.0.0.0:8080 for "
             "every address");
}

static str check_public_url(struct arena *arena, str value)
{
    str rest = value;
    str scheme = str_cut(&rest, S("://"));
    bool is_http = str_ieq(scheme, S("http")) || str_ieq(scheme, S("https"));

    (void)arena;
    if (str_ends(rest, S("/")))
        rest.n--;
    bool is_host_only = rest.n > 0;
    for (size_t i = 0; i < rest.n; i++)
        is_host_only = is_host_only && rest.p[i] > ' ' && !str_has_byte(S("/?#@\\\"<>"), rest.p[i]);
    if (is_http && is_host_only)
        return STR_NONE;
    return S(
        "must be http:// or https:// and a host, without a path, like https://api.example.org");
}

bool config_is_postgres(str database_url)
{
    return str_starts(database_url, S("postgresql://"));
}

static str check_database_url(struct arena *arena, str value)
{
    (void)arena;
    if (str_starts(value, S("sqlite:")) && value.n > S("sqlite:").n)
        return STR_NONE;
    if (config_is_postgres(value) && value.n > S("postgresql://").n)
        return STR_NONE;
    return S("must be sqlite: and the path of a file, like sqlite:var/sallyport.db, or "
             "postgresql://user@host/database");
}

static str check_name(struct arena *arena, str value)
{
    (void)arena;
    if (text_is_plain(value, 64))
        return STR_NONE;
    return S("must be letters, digits, \".\", \"_\" and \"-\" only");
}

static str check_email(struct arena *arena, str value)
{
    (void)arena;
    return text_is_email(value) ? STR_NONE : S("must be an address like admin@example.org");
}

static str check_blocks(struct arena *arena, const struct config_list *list)
{
    struct net_cidr block;

    for (size_t i = 0; i < list->n; i++) {
        switch (net_cidr_parse(list->texts[i], &block)) {
        case CIDR_OK:
            break;
        case CIDR_HOST_BITS:
            return arena_printf(arena,
                                "must be CIDR blocks; %.*s has bits set after its prefix: write "
                                "%.*s, or the address alone",
                                STR_ARG(list->texts[i]), STR_ARG(net_cidr_write(arena, &block)));
        default:
            return arena_printf(arena,
                                "must be addresses or CIDR blocks, like 10.0.0.0/8, fd00::/8; "
                                "\"%.*s\" is none",
                                STR_ARG(list->texts[i]));
        }
    }
    return STR_NONE;
}

enum { USER_MAX_BYTES = 64 };

bool config_find_uid(str user, int64_t *out)
{
    uint64_t uid;
    char name[USER_MAX_BYTES + 1];

    if (str_parse_u64(user, UINT32_MAX - 1, &uid)) {
        *out = (int64_t)uid;
        return true;
    }
    if (user.n > USER_MAX_BYTES)
        return false;
    memcpy(name, user.p, user.n);
    name[user.n] = '\0';
    const struct passwd *found = getpwnam(name);
    if (found)
        *out = found->pw_uid;
    return found != NULL;
}

static str check_users(struct arena *arena, const struct config_list *list)
{
    int64_t uid;

    for (size_t i = 0; i < list->n; i++)
        if (!config_find_uid(list->texts[i], &uid))
            return arena_printf(arena,
                                "must be users of this machine, by name or number; there is no "
                                "user \"%.*s\"",
                                STR_ARG(list->texts[i]));
    return STR_NONE;
}

static str check_allowed(struct arena *arena, const struct config_list *list)
{
    struct guard_entry entry;

    for (size_t i = 0; i < list->n; i++)
        if (!guard_entry_parse(arena, list->texts[i], &entry))
            return arena_printf(arena,
                                "must be names of hosts, addresses and CIDR blocks, like "
                                "hooks.internal or 10.0.0.0/8; \"%.*s\" is none",
                                STR_ARG(list->texts[i]));
    return STR_NONE;
}

static const struct config_checks checks[SETTINGS_END] = {
    [SETTING_listen] = {.text = check_listen},
    [SETTING_metrics_listen] = {.text = check_listen},
    [SETTING_public_url] = {.text = check_public_url},
    [SETTING_trusted_proxies] = {.list = check_blocks},
    [SETTING_gate_peers] = {.list = check_blocks},
    [SETTING_gate_uids] = {.list = check_users},
    [SETTING_outbound_allow] = {.list = check_allowed},
    [SETTING_database_url] = {.text = check_database_url},
    [SETTING_environment] = {.text = check_name},
    [SETTING_api_vendor] = {.text = check_name},
    [SETTING_admin_email] = {.text = check_email},
};

/* ---- kinds ---- */

static uint64_t bound(str text)
{
    uint64_t value = 0;

    str_parse_u64(text, INT64_MAX, &value);
    return value;
}

static str wrong_length(struct arena *arena, const struct config_spec *spec)
{
    return arena_printf(arena, "must have %.*s to %.*s bytes", STR_ARG(spec->least),
                        STR_ARG(spec->most));
}

static bool is_length_fit(const struct config_spec *spec, size_t n)
{
    return n >= bound(spec->least) && n <= bound(spec->most);
}

static str set_text(struct arena *arena, const struct config_spec *spec,
                    const struct config_checks *check, str value, str *out)
{
    if (!is_length_fit(spec, value.n))
        return wrong_length(arena, spec);
    if (value.n && text_fault(value, value.n))
        return arena_printf(arena, "must be a text; this one %s", text_fault(value, value.n));
    str reason = value.n && check->text ? check->text(arena, value) : STR_NONE;
    if (str_is_none(reason))
        *out = arena_dup(arena, value);
    return reason;
}

static str set_secret(struct arena *arena, const struct config_spec *spec, str value,
                      struct secret *out)
{
    if (!is_length_fit(spec, value.n))
        return wrong_length(arena, spec);
    secret_drop(out);
    if (value.n)
        secret_set(out, value);
    return STR_NONE;
}

static str set_choice(struct arena *arena, const struct config_spec *spec, str value, str *out)
{
    str rest = spec->info.unit;
    str list = STR_NONE;

    while (!str_is_none(rest)) {
        str choice = str_cut(&rest, S("|"));
        if (str_eq(choice, value)) {
            *out = arena_dup(arena, value);
            return STR_NONE;
        }
        list = str_is_none(list) ? choice
                                 : arena_printf(arena, "%.*s%s%.*s", STR_ARG(list),
                                                str_is_none(rest) ? " or " : ", ", STR_ARG(choice));
    }
    return arena_printf(arena, "must be %.*s", STR_ARG(list));
}

static str set_bool(str value, bool *out)
{
    if (!str_eq(value, S("true")) && !str_eq(value, S("false")))
        return S("must be true or false");
    *out = str_eq(value, S("true"));
    return STR_NONE;
}

static bool parse_int(str text, int64_t *out)
{
    uint64_t number;

    if (!str_parse_u64(text, INT64_MAX, &number))
        return false;
    *out = (int64_t)number;
    return true;
}

/* Whole numbers, durations and sizes differ in how they are written, and in the word for them. */
static str set_number(struct arena *arena, const struct config_spec *spec, str value,
                      bool (*parse)(str, int64_t *), const char *what, int64_t *out)
{
    int64_t least = 0, most = 0, number;

    parse(spec->least, &least);
    parse(spec->most, &most);
    if (parse(value, &number) && number >= least && number <= most) {
        *out = number;
        return STR_NONE;
    }
    return arena_printf(arena, "must be a %s from %.*s to %.*s", what, STR_ARG(spec->least),
                        STR_ARG(spec->most));
}

/* Commas, spaces and tabs, as many as there are. */
static str next_text(str *rest)
{
    size_t n = 0;

    while (rest->n && str_has_byte(S(", \t"), rest->p[0]))
        *rest = str_sub(*rest, 1, rest->n);
    while (n < rest->n && !str_has_byte(S(", \t"), rest->p[n]))
        n++;
    str text = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return text;
}

static str set_list(struct arena *arena, const struct config_spec *spec,
                    const struct config_checks *check, str value, struct config_list *out)
{
    /* Every text but the last takes two bytes at least. */
    str *texts = arena_array(arena, value.n / 2 + 1, sizeof *texts);
    struct config_list list = {texts, 0};
    str rest = arena_dup(arena, value);

    for (str text = next_text(&rest); text.n; text = next_text(&rest))
        texts[list.n++] = text;
    if (!is_length_fit(spec, list.n))
        return arena_printf(arena, "must be a list of %.*s to %.*s", STR_ARG(spec->least),
                            STR_ARG(spec->most));
    str reason = check->list ? check->list(arena, &list) : STR_NONE;
    if (str_is_none(reason))
        *out = list;
    return reason;
}

str config_set_field(struct arena *arena, const struct config_spec *spec,
                     const struct config_checks *check, void *base, str value)
{
    void *field = (char *)base + spec->offset;

    switch (spec->kind) {
    case CONFIG_TEXT:
        return set_text(arena, spec, check, value, field);
    case CONFIG_SECRET:
        return set_secret(arena, spec, value, field);
    case CONFIG_CHOICE:
        return set_choice(arena, spec, value, field);
    case CONFIG_INT:
        return set_number(arena, spec, value, parse_int, "whole number", field);
    case CONFIG_BOOL:
        return set_bool(value, field);
    case CONFIG_DURATION:
        return set_number(arena, spec, value, duration_parse,
                          "time (a number and ms, s, m, h or d)", field);
    case CONFIG_BYTES:
        return set_number(arena, spec, value, bytes_parse, "size (a number and KiB, MiB or GiB)",
                          field);
    case CONFIG_LIST:
        return set_list(arena, spec, check, value, field);
    }
    return STR_NONE;
}

str config_set(struct arena *arena, struct config *config, enum setting setting, str value)
{
    return config_set_field(arena, &specs[setting], &checks[setting], config, value);
}
