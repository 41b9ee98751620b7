/*
 * Inside cli_*.c, while a request is built: what the flags say, and the parts of the request.
 * Problems go to the form.
 */
#ifndef SALLYPORT_APP_CLI_FORM_H
#define SALLYPORT_APP_CLI_FORM_H

#include "app/cli.h"
#include "base/json.h"

/* ---- flags ---- */

str flag_value(const struct cli_form *form, const char *flag); /* STR_NONE: not given */

/* --employer; it goes into a header field, where a line end would be more than an id. */
str flag_employer(struct cli_form *form);

/* An instant, or a time from now. Absent: 0. */
int64_t flag_instant(struct cli_form *form, const char *flag);

/* All values of a flag that repeats, or that has commas in it, as a list. */
void put_flag_texts(struct cli_form *form, struct json_out *j, str member, const char *flag);

/* --rate: "120/60s" or "none"; window is what the time is called. */
void put_flag_rate(struct cli_form *form, struct json_out *j, str member, str window);

/* ---- requests ---- */

str percent_encode(struct arena *arena, str text);

/* A path with the command's argument in it. */
str request_path(struct cli_form *form, const char *before, const char *after);

/* "?name=value", or "&name=value" after the first; nothing for STR_NONE. */
void request_parameter(struct cli_form *form, str *target, const char *name, str text);

/* An object that is to be filled and closed. */
struct json_out request_body(struct cli_request *out);

#endif
