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

/* A line of config.def or issuer.def as a struct config_spec, for a field of struct `of`. */
#define CONFIG_OFFSET_TEXT(of, name)     offsetof(struct of, name)
#define CONFIG_OFFSET_CHOICE(of, name)   offsetof(struct of, name)
#define CONFIG_OFFSET_SECRET(of, name)   offsetof(struct of, name)
#define CONFIG_OFFSET_INT(of, name)      offsetof(struct of, name)
#define CONFIG_OFFSET_BOOL(of, name)     offsetof(struct of, name)
#define CONFIG_OFFSET_DURATION(of, name) offsetof(struct of, name##_ms)
#define CONFIG_OFFSET_BYTES(of, name)    offsetof(struct of, name##_bytes)
#define CONFIG_OFFSET_LIST(of, name)     offsetof(struct of, name)

#define CONFIG_STR(literal)                                                                        \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

/* clang-format off */
#define CONFIG_SPEC(of, id, kind_, if_absent_, unit_, least_, most_, meaning_)                     \
    {                                                                                              \
        .info = {.name = CONFIG_STR(#id), .kind = CONFIG_STR(#kind_),                              \
                 .if_absent = CONFIG_STR(if_absent_), .unit = CONFIG_STR(unit_),                   \
                 .meaning = CONFIG_STR(meaning_)},                                                 \
        .kind = CONFIG_##kind_,                                                                    \
        .least = CONFIG_STR(least_),                                                               \
        .most = CONFIG_STR(most_),                                                                 \
        .offset = CONFIG_OFFSET_##kind_(of, id),                                                   \
    }
/* clang-format on */

const struct config_spec *config_spec(enum setting setting);

/* SETTINGS_END if there is none of that name. */
enum setting setting_find(str name);

/* "www-data" or "33". False: there is no such user on this machine. */
bool config_find_uid(str user, int64_t *out);

/*
 * Check a value and put it into its field; texts are copied into the arena, secrets are not.
 * STR_NONE, or what is valid: the rest of a sentence that starts with the setting's name.
 */
str config_set(struct arena *arena, struct config *config, enum setting setting, str value);

/* What a text, or the texts of a list, must be beyond their kind: STR_NONE, or what is valid. NULL
 * asks for nothing. */
struct config_checks {
    str (*text)(struct arena *arena, str value);
    str (*list)(struct arena *arena, const struct config_list *list);
};

/* The same for a field of another struct that is made from a table. */
str config_set_field(struct arena *arena, const struct config_spec *spec,
                     const struct config_checks *checks, void *base, str value);

/* As it would be written in a file. */
str config_field_text(struct arena *arena, const struct config_spec *spec, const void *base);

/* host:port with the host's brackets taken off. False: not of that form. */
bool config_split_listen(str listen, str *host, int64_t *port);

#endif
