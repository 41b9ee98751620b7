/* The list of checks, those about the settings themselves, and how findings are told. */
#include "app/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/columns.h"
#include "app/config_values.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/time.h"
#include "places/places.h"

/* ---- findings ---- */

PRINTF_LIKE(5, 0)
static void add(struct doctor *d, enum finding_level level, const char *check, str fix,
                const char *format, va_list args)
{
    struct finding *f = ARENA_NEW(d->arena, struct finding);
    char text[2048];

    vsnprintf(text, sizeof text, format, args);
    *f = (struct finding){level, check, arena_dup(d->arena, str_of(text)), fix, NULL};
    *d->last = f;
    d->last = &f->next;
    d->n[level]++;
}

void doctor_ok(struct doctor *d, const char *check, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(d, FINDING_OK, check, STR_NONE, format, args);
    va_end(args);
}

void doctor_find(struct doctor *d, enum finding_level level, const char *check, str fix,
                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(d, level, check, fix, format, args);
    va_end(args);
}

/* ---- the settings ---- */

static bool holds_secret(const struct config *config)
{
    for (int s = 0; s < SETTINGS_END; s++)
        if (config_spec((enum setting)s)->kind == CONFIG_SECRET &&
            config->sources[s] == CONFIG_FILE)
            return true;
    return false;
}

/* What is shown of the URL leaves a password out. */
static bool holds_password(struct doctor *d)
{
    str shown = config_value_text(d->arena, d->config, SETTING_database_url);

    return d->config->sources[SETTING_database_url] == CONFIG_FILE &&
           !str_eq(shown, d->config->database_url);
}

static void check_settings_file(struct doctor *d)
{
    str path = d->config->file;
    struct stat file;

    if (str_is_none(path)) {
        doctor_ok(d, "settings.file", "No settings file is read; there is none.");
        return;
    }
    if (stat(path.p, &file) != 0) {
        doctor_find(d, FINDING_WARNING, "settings.file", S("Put it back."),
                    "%.*s was there a moment ago.", STR_ARG(path));
        return;
    }
    unsigned rights = file.st_mode & 07777;
    if (rights & 022)
        doctor_find(d, FINDING_PROBLEM, "settings.file",
                    arena_printf(d->arena, "chmod go-w %.*s", STR_ARG(path)),
                    "Others may change %.*s (its rights are %04o).", STR_ARG(path), rights);
    else if (rights & 04 && (holds_secret(d->config) || holds_password(d)))
        doctor_find(d, FINDING_PROBLEM, "settings.file",
                    arena_printf(d->arena, "chmod o-r %.*s", STR_ARG(path)),
                    "%.*s holds a secret, and everybody may read it.", STR_ARG(path));
    else
        doctor_ok(d, "settings.file", "%.*s is read, and may be changed by its owner alone.",
                  STR_ARG(path));
}

static int count_given(const struct config *config)
{
    int n = 0;

    for (int s = 0; s < SETTINGS_END; s++)
        n += config->sources[s] != CONFIG_DEFAULT;
    return n;
}

static void check_settings(struct doctor *d)
{
    check_settings_file(d);
    doctor_ok(d, "settings.values", "%d settings are given, and all are valid.",
              count_given(d->config));
}

/* ---- countries ---- */

enum { GEOIP_OLD_AFTER_DAYS = 60 };

static void check_places(struct doctor *d)
{
    struct places_state state;
    str why;

    if (d->config->geoip_database.n == 0) {
        doctor_ok(d, "geoip.database", "geoip_database is not set: no address has a country.");
        return;
    }
    if (!places_start(d->config->geoip_database, d->arena, &why)) {
        doctor_find(d, FINDING_PROBLEM, "geoip.database",
                    S("Put a file of the format MMDB there that this user may read."), "%.*s",
                    STR_ARG(why));
        return;
    }
    places_look(d->arena, &state);
    places_stop();
    int64_t days = (time_now_ms() - state.built_at_ms) / DAY_MS;
    if (days > GEOIP_OLD_AFTER_DAYS)
        doctor_find(d, FINDING_WARNING, "geoip.database", S("Fetch a newer one from its maker."),
                    "%.*s is %lld days old; addresses change hands.", STR_ARG(state.type),
                    (long long)days);
    else
        doctor_ok(d, "geoip.database", "%.*s is %lld days old.", STR_ARG(state.type),
                  (long long)days);
}

/* ---- telling ---- */

static const char *const level_words[FINDING_LEVELS] = {"ok", "warning", "problem"};
static const enum tint level_tints[FINDING_LEVELS] = {TINT_GOOD, TINT_NOTE, TINT_BAD};

static const char *status_of(const struct doctor *d)
{
    if (d->n[FINDING_PROBLEM])
        return "problem";
    return d->n[FINDING_WARNING] ? "warning" : "ok";
}

static void write_json(const struct doctor *d, struct buf *out)
{
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("status"), str_of(status_of(d)));
    json_open_array(&j, S("findings"));
    for (const struct finding *f = d->first; f; f = f->next) {
        json_open_object(&j, STR_NONE);
        json_put_text(&j, S("check"), str_of(f->check));
        json_put_text(&j, S("level"), str_of(level_words[f->level]));
        json_put_text(&j, S("message"), f->text);
        json_put_text(&j, S("fix"), f->fix);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
}

static void write_for_people(const struct doctor *d, struct cli_show *show)
{
    struct columns table;
    int n = d->n[FINDING_OK] + d->n[FINDING_WARNING] + d->n[FINDING_PROBLEM];

    columns_init(&table, d->arena, 3);
    table.is_coloured = show->is_coloured;
    table.width = show->width;
    for (const struct finding *f = d->first; f; f = f->next) {
        columns_row(&table,
                    (const struct cell[]){{str_of(level_words[f->level]), level_tints[f->level]},
                                          {str_of(f->check), TINT_BOLD},
                                          {f->text, TINT_NONE}});
        if (f->fix.n)
            columns_row(&table,
                        (const struct cell[]){
                            {S(""), TINT_NONE},
                            {S(""), TINT_NONE},
                            {arena_printf(d->arena, "fix: %.*s", STR_ARG(f->fix)), TINT_NOTE}});
    }
    columns_write(&table, show->out);
    buf_printf(show->out, "\n%d checks: %d ok, %d %s, %d %s\n", n, d->n[FINDING_OK],
               d->n[FINDING_WARNING], d->n[FINDING_WARNING] == 1 ? "warning" : "warnings",
               d->n[FINDING_PROBLEM], d->n[FINDING_PROBLEM] == 1 ? "problem" : "problems");
}

/* ---- the commands ---- */

int doctor_run(struct cli_show *show, const struct config *config, str problems)
{
    static void (*const checks[])(struct doctor *) = {
        check_settings, doctor_server, doctor_listen, doctor_limits, doctor_store,
        doctor_disk,    doctor_clock,  doctor_tls,    check_places,  doctor_reach,
    };
    struct doctor d = {.arena = show->arena, .config = config, .args = show->args};

    d.last = &d.first;
    if (!str_is_none(problems))
        doctor_find(&d, FINDING_PROBLEM, "settings.values",
                    S("Repair them; nothing else can be looked at before."), "%.*s",
                    STR_ARG(config_problems_line(d.arena, problems)));
    else
        for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
            checks[i](&d);
    if (show->args->is_json)
        write_json(&d, show->out);
    else
        write_for_people(&d, show);
    return d.n[FINDING_PROBLEM] ? CLI_REFUSED : CLI_DONE;
}

int doctor_ready(struct cli_show *show, const struct config *config)
{
    struct probe_server server;
    struct json_out j = {show->out};

    probe_server(show->arena, config, &server);
    str status = server.status == 200 ? S("ready") : server.pid ? S("not ready") : S("not running");
    if (show->args->is_json) {
        json_open_object(&j, STR_NONE);
        json_put_text(&j, S("status"), status);
        json_close_object(&j);
    } else {
        buf_put(show->out, status);
    }
    return server.status == 200 ? CLI_DONE : CLI_REFUSED;
}
