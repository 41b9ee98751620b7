/* Inside config: the settings of issuers, from contracts/issuer.def. Others include app/config.h.
 */
#ifndef SALLYPORT_APP_CONFIG_ISSUERS_H
#define SALLYPORT_APP_CONFIG_ISSUERS_H

#include "app/config_values.h"

const struct config_spec *config_issuer_spec(enum issuer_setting setting);

/* ISSUER_SETTINGS_END if there is none of that name. */
enum issuer_setting config_issuer_setting_find(str name);

/* The issuer of that name, made with every setting at its default if there is none yet. NULL:
 * *reason says why there can be none. */
struct config_issuer *config_issuer_named(struct arena *arena, struct config *config, str name,
                                          str *reason);

/* "ISSUER_MY_SSO_JWKS_URL" is "my-sso" and jwks_url. False: it is not of that form. */
bool config_issuer_split(struct arena *arena, str variable, str *name,
                         enum issuer_setting *setting);

/* As config_set. */
str config_issuer_set(struct arena *arena, struct config_issuer *issuer,
                      enum issuer_setting setting, str value);

/* What the environment said of the running issuers holds for those read again. */
void config_issuers_keep(struct arena *arena, struct config *config, const struct config *running);

/*
 * Once every setting has been read: read pem_file, and look at what they are together. STR_NONE, or
 * what is wrong with *setting.
 */
str config_issuer_complete(struct arena *arena, const struct config *config,
                           struct config_issuer *issuer, str *setting);

#endif
