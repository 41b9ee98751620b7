/*
 * JSON, read with jansson and written straight into the reply.
 *
 * Reading: json_read refuses what RFC 8259 leaves open (repeated members, more than
 * JSON_DEPTH_MAX levels). Members are taken out by base/form.h.
 *
 * Writing: one pass, in order, into a buf. Writers do the escaping; a secret goes from its struct
 * to the buffer without another copy.
 */
#ifndef SALLYPORT_BASE_JSON_H
#define SALLYPORT_BASE_JSON_H

#include <jansson.h>

#include "base/buf.h"
#include "base/cx.h"
#include "base/secret.h"

enum { JSON_DEPTH_MAX = 32 };

/* Once, before threads start: seeds the hash and makes jansson wipe what it frees. */
void json_start(void);

void json_drop(json_t **j);

/*
 * The whole text as one object or array; the caller declares it DROP(json).
 *
 * E_MALFORMED_JSON  the detail names line, column and what was expected
 */
enum err json_read(struct cx *cx, str text, json_t **out);

/* A string value as a loan that lives as long as the value; STR_NONE if it is not a string. */
str json_text(const json_t *value);

/* Bytes that stand in a JSON text as they are. */
extern const bool json_plain[256];

/* ---- writing ---- */

struct json_out {
    struct buf *out;
    bool is_kept;         /* what is written will be stored: no secrets, nothing about persons */
    bool left_secret_out; /* set by json_put_secret where is_kept */
};

/* A key of STR_NONE writes a bare value: inside an array, or the outermost. */
void json_open_object(struct json_out *j, str key);
void json_close_object(struct json_out *j);
void json_open_array(struct json_out *j, str key);
void json_close_array(struct json_out *j);
void json_put_text(struct json_out *j, str key, str text); /* STR_NONE writes null */
void json_put_int(struct json_out *j, str key, int64_t value);
void json_put_bool(struct json_out *j, str key, bool value);
void json_put_null(struct json_out *j, str key);
void json_put_time(struct json_out *j, str key, int64_t at_ms); /* 0 writes null */
void json_put_secret(struct json_out *j, str key, const struct secret *secret);
void json_put_personal(struct json_out *j, str key, str text); /* null where is_kept */
void json_put_raw(struct json_out *j, str key, str json);      /* already JSON */

/* Members already written, `"a":1,"b":2`, put into the open object; an empty text writes nothing.
 */
void json_put_members(struct json_out *j, str members);

#endif
