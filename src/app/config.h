/*
 * Settings: struct config, made from contracts/config.def.
 *
 * Each is taken from its flag (--session-lifetime), else SALLYPORT_SESSION_LIFETIME, else
 * sallyport.conf, else its default. A running server reads the file again on SIGHUP, and takes over
 * those that RELOADS names; the others do not change after the start.
 */
#ifndef SALLYPORT_APP_CONFIG_H
#define SALLYPORT_APP_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/net.h"
#include "base/secret.h"
#include "base/str.h"

enum setting {
#define SETTING(name, kind, if_absent, unit, least, most, meaning) SETTING_##name,
#include "config.def"
#undef SETTING
    SETTINGS_END,
};

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

struct columns;

struct config_list {
    const str *texts;
    size_t n;
};

/* Field names carry the unit: session_lifetime_ms, body_memory_bytes. Texts are NUL-terminated. */
#define CONFIG_FIELD_TEXT(name)     str name;
#define CONFIG_FIELD_CHOICE(name)   str name;
#define CONFIG_FIELD_SECRET(name)   struct secret name;
#define CONFIG_FIELD_INT(name)      int64_t name;
#define CONFIG_FIELD_BOOL(name)     bool name;
#define CONFIG_FIELD_DURATION(name) int64_t name##_ms;
#define CONFIG_FIELD_BYTES(name)    int64_t name##_bytes;
#define CONFIG_FIELD_LIST(name)     struct config_list name;

enum issuer_setting {
#define ISSUER_SETTING(name, kind, if_absent, unit, least, most, meaning) ISSUER_SETTING_##name,
#include "issuer.def"
#undef ISSUER_SETTING
    ISSUER_SETTINGS_END,
};

/* One section [issuer NAME], from contracts/issuer.def. */
struct config_issuer {
    str name;
#define ISSUER_SETTING(name, kind, if_absent, unit, least, most, meaning) CONFIG_FIELD_##kind(name)
#include "issuer.def"
#undef ISSUER_SETTING
    enum config_source sources[ISSUER_SETTINGS_END];
    str pem; /* the text of pem_file; STR_NONE: there is none */
};

struct config {
#define SETTING(name, kind, if_absent, unit, least, most, meaning) CONFIG_FIELD_##kind(name)
#include "config.def"
#undef SETTING
    enum config_source sources[SETTINGS_END];
    str file; /* the settings file that was read, or STR_NONE */

    struct config_issuer *issuers;
    size_t n_issuers;

    /* What follows from the settings. public_url, control_socket,
     * key_file and audit_archive_folder are never empty. */
    str key_environment;      /* "live" in production, else "test" */
    str listen_host;          /* without brackets */
    int64_t listen_port;      /* 0: a free one */
    bool public_url_is_https; /* cookies are Secure */
    struct net_cidr *proxies; /* trusted_proxies */
    size_t n_proxies;
    struct net_cidr *gateways; /* gate_peers */
    size_t n_gateways;
    struct guard_entry *allowed; /* outbound_allow */
    size_t n_allowed;
    int64_t *gate_users; /* gate_uids; the server's own if there are none */
    size_t n_gate_users;
    enum log_level log_least;
    bool log_is_json;
};

/* Where settings are read from. */
struct config_input {
    char **args;              /* as argv, without the program: NULL-terminated */
    char **environment;       /* as environ */
    const char *default_file; /* may be missing, unlike one named by --config or SALLYPORT_CONFIG */
    bool stderr_is_terminal;  /* what log_format = auto goes by */
};

/*
 * Read and check every setting.
 *
 * in->args         the settings' flags are taken out; what is left is for the command
 * in->environment  secrets are wiped and taken out, in args too: an image of the idle server's
 *                  memory holds no password once the secrets in *out are dropped
 * out              written on true only; DROP(config) it; its texts live as long as the arena
 * problems         written on false only: every problem, for people
 */
bool config_load(struct arena *arena, const struct config_input *in, struct config *out,
                 str *problems);

void config_drop(struct config *config); /* the secrets */

/*
 * Read the file again, as a running server does on SIGHUP: flags and environment are as they were.
 *
 * in        args and environment are not looked at
 * running   what is in force
 * out       as in config_load; what it holds of flags and environment lives as long as *running,
 *           and has no secret of theirs
 */
bool config_reload(struct arena *arena, const struct config_input *in, const struct config *running,
                   struct config *out, str *problems);

/* Is it taken over by a running server? */
bool setting_reloads(enum setting setting);

/* Do both have the same value? A secret is the same as any other. */
bool config_is_same(const struct config *a, const struct config *b, enum setting setting);

/* Issuers, their keys in files included. */
bool config_issuers_are_same(struct arena *arena, const struct config *a, const struct config *b);

/* Make the settings that reload, and what follows from them, those of `from`; texts are copied. */
void config_take_over(struct arena *arena, struct config *config, const struct config *from);

/* ---- showing ---- */

struct setting_info {
    str name;      /* session_lifetime */
    str kind;      /* DURATION */
    str if_absent; /* 12h */
    str unit;
    str meaning;
};

const struct setting_info *setting_info(enum setting setting);

/* "default", "file", "environment" or "flag". */
str config_source_text(enum config_source source);

/* As it would be written in a file; a secret is "(set)" or "(not set)". */
str config_value_text(struct arena *arena, const struct config *config, enum setting setting);

/* host:port with the host's brackets taken off. False: not of that form. */
bool config_split_listen(str listen, str *host, int64_t *port);

/* Is the store a PostgreSQL, and not a file? */
bool config_is_postgres(str database_url);

/* What is wrong, without the line ends: for a log, or a cell of a table. */
str config_problems_line(struct arena *arena, str problems);

/* Every setting for people, as rows of a table of five columns, and as one JSON document. */
void config_write_columns(struct columns *table, const struct config *config);
void config_write_json(struct arena *arena, const struct config *config, struct buf *out);

#endif
