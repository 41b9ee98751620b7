/* What can be asked of APIs: a transaction around rules and queries. Inside apis/ only. */
#ifndef SALLYPORT_APIS_OPS_H
#define SALLYPORT_APIS_OPS_H

#include "apis/queries.h"
#include "base/form.h"

/* id and instants are completed. E_INVALID_REQUEST: the audience is another API's; E_API_LIMIT */
enum err apis_register(struct cx *cx, struct api_row *api);

/* From a PATCH body. E_API_NOT_FOUND, E_API_BUILT_IN, E_INVALID_REQUEST */
enum err apis_change(struct cx *cx, str id, const json_t *patch, struct api_row *out);

/*
 * Its keys are revoked with it. *use: the live keys it had.
 *
 * E_API_NOT_FOUND, E_API_BUILT_IN
 * E_API_IN_USE  it has live keys, and is_forced was not asked for
 */
enum err apis_delete(struct cx *cx, str id, bool is_forced, struct api_use *use);

/* Of the scope, api_id, key and description are set. E_API_NOT_FOUND, E_API_BUILT_IN,
 * E_INVALID_REQUEST: the API has one of that key, or as many as it may */
enum err apis_add_scope(struct cx *cx, struct scope_row *scope);

/* E_API_NOT_FOUND, E_API_BUILT_IN, E_API_SCOPE_NOT_FOUND */
enum err apis_describe_scope(struct cx *cx, struct scope_row *scope);

/* Keys lose it. E_API_NOT_FOUND, E_API_BUILT_IN, E_API_SCOPE_NOT_FOUND, E_API_IN_USE */
enum err apis_delete_scope(struct cx *cx, str api_id, str id, bool is_forced, struct api_use *use);

#endif
