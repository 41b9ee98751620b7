/* Inside config: the table of settings, and one value at a time. Others include app/config.h. */
#ifndef SALLYPORT_APP_CONFIG_VALUES_H
#define SALLYPORT_APP_CONFIG_VALUES_H

#include "app/config.h"

enum config_kind {
    CONFIG_TEXT,
    CONFIG_SECRET,
    CONFIG_CHOICE,
    CONFIG_INT,
    CONFIG_BOOL,
    CONFIG_DURATION,
    CONFIG_BYTES,
    CONFIG_LIST,
};

struct config_spec {
    struct setting_info info;
    enum config_kind kind;
    str least;
    str most;
    size_t offset; /* of the field in struct config */
};

const struct config_spec *config_spec(enum setting setting);

/* SETTINGS_END if there is none of that name. */
enum setting setting_find(str name);

/*
 * Check a value and put it into its field; texts are copied into the arena, secrets are not.
 * STR_NONE, or what is valid: the rest of a sentence that starts with the setting's name.
 */
str config_set(struct arena *arena, struct config *config, enum setting setting, str value);

#endif
