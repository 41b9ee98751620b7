/* Bringing keys of another system in, by digest or by raw text. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_IMPORT_H
#define SALLYPORT_KEYS_IMPORT_H

#include "keys/ops.h"

enum { IMPORT_LINES_MAX = 10000, IMPORT_KEY_MIN_BYTES = 16, IMPORT_KEY_MAX_BYTES = 512 };

/*
 * {"keys": [{name, scopes, …, and one of "key" (the raw text), "sha256" and "sha512" (its
 * digest in hex or base64)}]}
 *
 * E_INVALID_REQUEST  every bad member is named: "keys[3].scopes[0]"
 */
enum err import_read(struct cx *cx, const json_t *body, struct key_import **lines, size_t *n);

/* Of one line: what it says of the secret, and what of that may be shown. */
void import_read_secret(struct form *f, const struct key_form *look, struct key *key,
                        struct key_secret *secret);

/* All or none. E_INVALID_REQUEST names the line whose key exists already; E_API_KEY_LIMIT. */
enum err import_run(struct cx *cx, struct key_import *lines, size_t n);

#endif
