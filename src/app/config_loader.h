/* Inside config: settings on their way from flags, environment and file into struct config. */
#ifndef SALLYPORT_APP_CONFIG_LOADER_H
#define SALLYPORT_APP_CONFIG_LOADER_H

#include "app/config_issuers.h"
#include "app/config_values.h"

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

void loader_open(struct loader *l, struct arena *arena, const struct config_input *in,
                 struct config *config);

/* True: the settings are fit, and in *out. Else *problems is the sentences for the operator. */
bool loader_close(struct loader *l, struct config *out, str *problems);

/* ---- one setting, or what is wrong with it ---- */

/* What others wrote, made safe for a terminal and for one line. */
str loader_shown(struct arena *arena, str value);

/* where is STR_NONE for a default. */
void loader_problem(struct loader *l, str name, str value, str where, str reason);
void loader_set(struct loader *l, enum setting setting, enum config_source source, str where,
                str value);

/* NULL: there can be none of that name, which has been said. */
struct config_issuer *loader_issuer(struct loader *l, str name, str value, str where);
void loader_set_issuer(struct loader *l, struct config_issuer *issuer, enum issuer_setting setting,
                       enum config_source source, str where, str value);

/* The reason, with the nearest name that is one: `before` is put in front of it. */
str loader_not_a_setting(struct loader *l, str name, const char *before, bool is_upper);

/* ---- where they come from ---- */

void loader_set_defaults(struct loader *l);

/* Takes the settings' flags out of the arguments; other words stay, in their order. They are set
 * by loader_set_flags, after everything they go before. */
void loader_take_flags(struct loader *l);
void loader_set_flags(struct loader *l);

/* SALLYPORT_CONFIG is wanted before the file, the others after it. */
void loader_find_file(struct loader *l);
void loader_set_variables(struct loader *l);
void loader_read_file(struct loader *l);

/* What follows from all of them. */
void loader_derive(struct loader *l);
void config_derive_lists(struct arena *arena, struct config *config);

#endif
