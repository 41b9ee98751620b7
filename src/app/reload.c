/* Reading the settings again while the server runs. */
#include "app/reload.h"

#include <unistd.h>

#include "base/banned.h"
#include "base/log.h"

#define PACKAGE_FILE "/etc/sallyport/sallyport.conf"

const char *reload_default_file(void)
{
    static const char here[] = "sallyport.conf";

    return access(here, F_OK) != 0 && access(PACKAGE_FILE, F_OK) == 0 ? PACKAGE_FILE : here;
}

struct counts {
    int changed;
    int need_restart;
};

static void tell_one(struct arena *arena, const struct config *before, const struct config *after,
                     enum setting setting, struct counts *counts)
{
    str name = setting_info(setting)->name;
    str from = config_value_text(arena, before, setting);
    str to = config_value_text(arena, after, setting);

    if (config_is_same(before, after, setting))
        return;
    if (setting_reloads(setting)) {
        counts->changed++;
        log_event(NULL, LOG_INFO, "settings.changed", F("name", name), F("from", from),
                  F("to", to));
    } else {
        counts->need_restart++;
        log_event(NULL, LOG_WARN, "settings.need_restart", F("name", name), F("from", from),
                  F("to", to));
    }
}

/* Under whichever of both levels says more: who asks for less still sees that it was heard. */
static void tell(struct arena *arena, const struct config *before, const struct config *after)
{
    bool was_talkative = before->log_least < after->log_least;
    struct counts counts = {0};

    log_start(was_talkative ? before->log_least : after->log_least, after->log_is_json);
    for (int s = 0; s < SETTINGS_END; s++)
        tell_one(arena, before, after, (enum setting)s, &counts);
    if (!config_issuers_are_same(arena, before, after)) {
        counts.need_restart++;
        log_event(NULL, LOG_WARN, "settings.need_restart", F("name", S("issuers")));
    }
    log_event(NULL, LOG_INFO, "settings.reloaded", F("file", after->file),
              F("changed", counts.changed), F("needRestart", counts.need_restart));
    log_start(after->log_least, after->log_is_json);
}

void reload_settings(struct parts *parts, struct config *config)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(config) struct config next = {0};
    struct config_input in = {.default_file = reload_default_file(),
                              .stderr_is_terminal = isatty(STDERR_FILENO)};
    str problems = STR_NONE;

    if (!config_reload(arena, &in, config, &next, &problems)) {
        log_event(NULL, LOG_ERROR, "settings.not_reloaded",
                  F("reason", config_problems_line(arena, problems)));
        return;
    }
    tell(arena, config, &next);
    config_take_over(parts->arena, config, &next);
    parts_reload(parts);
}

void reload_certificates(struct http_engine *engine)
{
    DROP(arena) struct arena *arena = arena_new();
    str why = STR_NONE;

    if (http_engine_reload_tls(engine, arena, &why) != E_OK)
        log_event(NULL, LOG_ERROR, "tls.not_reloaded", F("reason", why));
}
