/*
 * What keys are issued for. The registry holds every API, built-in and registered, in one
 * immutable snapshot that is replaced whole.
 */
#ifndef SALLYPORT_APIS_APIS_H
#define SALLYPORT_APIS_APIS_H

#include "base/cx.h"
#include "decide/key_text.h"
#include "decide/scope.h"

enum { API_ENTERPRISE, API_MANAGEMENT };

struct api_scope {
    str id;
    int64_t number; /* never given twice within its API */
    str key;
    str description;
};

struct api {
    uint32_t number; /* in this process; never given twice */
    str id, name, audience;
    struct key_form form;
    str credential_field; /* lower case; "authorization": as Bearer */
    bool is_management, is_builtin, holds_imported;
    struct scope_names names;       /* by bit; a hole has the empty text */
    const struct api_scope *scopes; /* by bit, names.n of them */
    str places;
};

struct apis_settings {
    struct key_form enterprise; /* "mt", "live"; the environment is that of all */
    str public_url;
};

/* Once, before threads start: the built-in APIs. */
void apis_start(const struct apis_settings *settings);
void apis_stop(void);

/* Read all of them from the store: at start, and after a change. */
enum err apis_learn_store(struct cx *cx);

/* Inside a read section (base/rcu.h). NULL: there is none. */
const struct api *apis_find(str id_or_audience);
const struct api *apis_at(uint32_t number);
const struct api *apis_find_prefix(str prefix);

/* A copy that outlives the section. False: there is none. */
bool apis_copy(struct arena *arena, uint32_t number, struct api *out);

#endif
