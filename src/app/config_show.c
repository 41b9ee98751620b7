/* Showing the settings. */
#include "app/columns.h"
#include "app/config_issuers.h"
#include "app/config_values.h"
#include "app/units.h"
#include "base/json.h"

str config_source_text(enum config_source source)
{
    static const str texts[] = {{"default", 7}, {"file", 4}, {"environment", 11}, {"flag", 4}};

    return texts[source];
}

static str list_text(struct arena *arena, const struct config_list *list)
{
    str text = S("");

    for (size_t i = 0; i < list->n; i++)
        text = arena_printf(arena, "%.*s%s%.*s", STR_ARG(text), i ? ", " : "",
                            STR_ARG(list->texts[i]));
    return text;
}

static str units_text(struct arena *arena, size_t (*write)(int64_t, char *), int64_t value)
{
    char text[UNITS_TEXT_BYTES];
    size_t n = write(value, text);

    return arena_dup(arena, (str){text, n});
}

/* The password of "postgresql://user:password@host/database?password=password" stays unsaid. */
static str without_password(struct arena *arena, str url)
{
    str rest = url;
    str scheme = str_cut(&rest, S("://"));
    str query = rest;
    str place = str_cut(&query, S("?"));
    str host = place;
    str user = str_cut(&host, S("@"));
    str out = str_is_none(host)
                  ? arena_printf(arena, "%.*s://%.*s", STR_ARG(scheme), STR_ARG(place))
                  : STR_NONE;

    if (str_is_none(out)) {
        str password = user;
        str name = str_cut(&password, S(":"));
        out = arena_printf(arena, "%.*s://%.*s%s@%.*s", STR_ARG(scheme), STR_ARG(name),
                           str_is_none(password) ? "" : ":***", STR_ARG(host));
    }
    for (const char *mark = "?"; query.n; mark = "&") {
        str value = str_cut(&query, S("&"));
        str name = str_cut(&value, S("="));
        if (str_ends(name, S("password")))
            value = S("***");
        out = arena_printf(arena, "%.*s%s%.*s=%.*s", STR_ARG(out), mark, STR_ARG(name),
                           STR_ARG(value));
    }
    return out;
}

str config_field_text(struct arena *arena, const struct config_spec *spec, const void *base)
{
    const void *field = (const char *)base + spec->offset;

    switch (spec->kind) {
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
        return *(const str *)field;
    case CONFIG_SECRET:
        return secret_is_set(field) ? S("(set)") : S("(not set)");
    case CONFIG_BOOL:
        return *(const bool *)field ? S("true") : S("false");
    case CONFIG_INT:
        return arena_printf(arena, "%lld", (long long)*(const int64_t *)field);
    case CONFIG_DURATION:
        return units_text(arena, duration_write, *(const int64_t *)field);
    case CONFIG_BYTES:
        return units_text(arena, bytes_write, *(const int64_t *)field);
    case CONFIG_LIST:
        return list_text(arena, field);
    }
    return S("");
}

str config_value_text(struct arena *arena, const struct config *config, enum setting setting)
{
    if (setting == SETTING_database_url && config_is_postgres(config->database_url))
        return without_password(arena, config->database_url);
    return config_field_text(arena, config_spec(setting), config);
}

/* ---- every setting, those of the issuers last ---- */

struct shown {
    const struct setting_info *info;
    str name; /* "listen", "issuer.clerk.kind" */
    str value;
    enum config_source source;
};

static struct shown shown_setting(struct arena *arena, const struct config *config,
                                  enum setting setting)
{
    const struct setting_info *info = setting_info(setting);

    return (struct shown){info, info->name, config_value_text(arena, config, setting),
                          config->sources[setting]};
}

static struct shown shown_issuer(struct arena *arena, const struct config_issuer *issuer,
                                 enum issuer_setting setting)
{
    const struct config_spec *spec = config_issuer_spec(setting);

    return (struct shown){
        &spec->info,
        arena_printf(arena, "issuer.%.*s.%.*s", STR_ARG(issuer->name), STR_ARG(spec->info.name)),
        config_field_text(arena, spec, issuer), issuer->sources[setting]};
}

static size_t count_shown(const struct config *config)
{
    return SETTINGS_END + config->n_issuers * ISSUER_SETTINGS_END;
}

static struct shown shown_at(struct arena *arena, const struct config *config, size_t i)
{
    if (i < SETTINGS_END)
        return shown_setting(arena, config, (enum setting)i);
    i -= SETTINGS_END;
    return shown_issuer(arena, &config->issuers[i / ISSUER_SETTINGS_END],
                        (enum issuer_setting)(i % ISSUER_SETTINGS_END));
}

void config_write_columns(struct columns *table, const struct config *config)
{
    columns_row(table, (const struct cell[]){{S("SETTING"), TINT_DIM},
                                             {S("VALUE"), TINT_DIM},
                                             {S("SOURCE"), TINT_DIM},
                                             {S("UNIT"), TINT_DIM},
                                             {S("MEANING"), TINT_DIM}});
    for (size_t i = 0; i < count_shown(config); i++) {
        struct shown s = shown_at(table->arena, config, i);
        columns_row(
            table,
            (const struct cell[]){
                {s.name, TINT_BOLD},
                {s.value.n ? s.value : S("(not set)"), s.value.n ? TINT_NONE : TINT_DIM},
                {config_source_text(s.source), s.source == CONFIG_DEFAULT ? TINT_DIM : TINT_NOTE},
                {s.info->unit, TINT_NONE},
                {s.info->meaning, TINT_NONE}});
    }
}

void config_write_json(struct arena *arena, const struct config *config, struct buf *out)
{
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("file"), config->file);
    json_open_array(&j, S("settings"));
    for (size_t i = 0; i < count_shown(config); i++) {
        struct shown s = shown_at(arena, config, i);
        json_open_object(&j, STR_NONE);
        json_put_text(&j, S("name"), s.name);
        json_put_text(&j, S("value"), s.value);
        json_put_text(&j, S("source"), config_source_text(s.source));
        json_put_text(&j, S("default"), s.info->if_absent);
        json_put_text(&j, S("kind"), s.info->kind);
        json_put_text(&j, S("unit"), s.info->unit);
        json_put_text(&j, S("meaning"), s.info->meaning);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
}

str config_problems_line(struct arena *arena, str text)
{
    str out = arena_dup(arena, text);
    char *to = (char *)out.p;

    for (size_t i = 0; i < text.n; i++) {
        bool is_space = text.p[i] == ' ' || text.p[i] == '\n';
        if (!is_space)
            *to++ = text.p[i];
        else if (to > out.p && to[-1] != ' ')
            *to++ = ' ';
    }
    return str_trim((str){out.p, (size_t)(to - out.p)});
}
