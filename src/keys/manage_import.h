/* Bringing keys of another system into an API, by digest or by raw text. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_MANAGE_IMPORT_H
#define SALLYPORT_KEYS_MANAGE_IMPORT_H

#include "keys/manage.h"

/*
 * {"keys": [{name, api_id, org_code, …, and either "key" (the raw text) or "sha256" (its digest in
 * hex)}]}; failures name the line: "keys[3].scope_ids[0]".
 */
enum err manage_import_read(struct cx *cx, const json_t *body, struct order_import **lines,
                            size_t *n);

/* All or none. */
enum err manage_import_run(struct cx *cx, struct order_import *lines, size_t n);

#endif
