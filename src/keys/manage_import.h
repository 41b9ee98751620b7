/* Bringing keys of another system into an API, by digest or by raw text. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_MANAGE_IMPORT_H
#define SALLYPORT_KEYS_MANAGE_IMPORT_H

#include "keys/manage.h"

/*
 * {"keys": [{name, api_id, org_code, …, and one of "key" (the raw text), "sha256" and "sha512" (its
 * digest in hex or base64)}], "dry_run": true}; failures name the line: "keys[3].scope_ids[0]".
 */
enum err manage_import_read(struct cx *cx, const json_t *body, struct order_import **lines,
                            size_t *n, bool *is_dry_run);

/* All or none; in a dry run none. */
enum err manage_import_run(struct cx *cx, struct order_import *lines, size_t n, bool is_dry_run);

#endif
