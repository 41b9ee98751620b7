/* Inside cli_*.c: the commands about APIs of one's own, their scopes, plans and keys. */
#ifndef SALLYPORT_APP_CLI_APIS_H
#define SALLYPORT_APP_CLI_APIS_H

#include "app/cli.h"

extern const struct cli_flag cli_api_create_flags[], cli_api_change_flags[], cli_force_flags[];
extern const struct cli_flag cli_scope_create_flags[], cli_scope_delete_flags[];
extern const struct cli_flag cli_plan_create_flags[], cli_set_plan_flags[];
extern const struct cli_flag cli_key_report_flags[];

void cli_build_api(struct cli_form *form, struct cli_request *out);
void cli_build_apis(struct cli_form *form, struct cli_request *out);
void cli_build_api_change(struct cli_form *form, struct cli_request *out);
void cli_build_api_delete(struct cli_form *form, struct cli_request *out);
void cli_build_scope(struct cli_form *form, struct cli_request *out);
void cli_build_scopes(struct cli_form *form, struct cli_request *out);
void cli_build_scope_delete(struct cli_form *form, struct cli_request *out);
void cli_build_plan(struct cli_form *form, struct cli_request *out);
void cli_build_plans(struct cli_form *form, struct cli_request *out);
void cli_build_plan_delete(struct cli_form *form, struct cli_request *out);
void cli_build_set_plan(struct cli_form *form, struct cli_request *out);

/* Keys made with --api, whose ids begin with api_key_. */
bool cli_is_own_key(str id);
void cli_build_own_key(struct cli_form *form, struct cli_request *out);
void cli_build_own_keys(struct cli_form *form, struct cli_request *out);

/* Keys of all APIs that want looking after. */
void cli_build_key_report(struct cli_form *form, struct cli_request *out);

#endif
