/*
 * What keys are issued for: the built-in APIs, and those that are registered under /api/v1/apis.
 *
 * The registry holds all of them in one immutable snapshot that is replaced whole. A change is made
 * in the store first, then the registry is read again, then keys in memory are, and then it is
 * answered.
 */
#ifndef SALLYPORT_APIS_APIS_H
#define SALLYPORT_APIS_APIS_H

#include "base/cx.h"
#include "decide/key_text.h"
#include "decide/scope_expr.h"
#include "http/router.h"

enum { API_ENTERPRISE, API_MANAGEMENT };

enum { APIS_MAX = 1000, API_TEXT_MAX_CHARS = 64 };

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
    int64_t created_at_ms; /* 0: it is built in */
};

struct apis_settings {
    struct key_form enterprise; /* "mt", "live"; the environment is that of all */
    void (*changed)(void);      /* after each change: what was made of APIs must be made again */
};

extern const struct route api_routes[];

/* What keys of the management API may do, from contracts/management_scopes.def. */
extern const struct scope_names scope_names_management;

/* And what they look like here. */
struct key_form apis_management_form(void);

/* Once, before threads start: the built-in APIs. */
void apis_start(const struct apis_settings *settings);
void apis_stop(void);

/* Read all of them from the store: at start, after a change, and each second where others change
 * them and no stream tells of it. */
enum err apis_learn_store(struct cx *cx);

/* After a change of this node's that is stored. Where the store fails in between, no key in memory
 * is believed until it has been read. */
void apis_learn_change(struct cx *cx);

/* As a subscriber of the change stream (stream/stream.h). */
void apis_hear(str kind, str subject);
enum err apis_begin(struct cx *cx);

/* Something may have changed; they are read at the next refresh, which is for workers, before they
 * ask the registry. */
void apis_distrust(void);
enum err apis_refresh(struct cx *cx);

/* Inside a read section (base/rcu.h). NULL: there is none. */
const struct api *apis_find(str id_or_audience);
const struct api *apis_at(uint32_t number);
const struct api *apis_find_prefix(str prefix);

/* A copy that outlives the section. False: there is none. */
bool apis_copy(struct arena *arena, uint32_t number, struct api *out);
bool apis_copy_named(struct arena *arena, str id_or_audience, struct api *out);

/*
 * ---- scopes in the store ----
 *
 * Words: of a built-in API the names; of a registered one the numbers of its scopes, so that a
 * deleted one is lost to whoever holds it, and a later one of the same name is not given to them.
 */

/* Words that mean nothing any more are left out; "*": all. */
struct scope_set api_scopes_parse(const struct api *api, str words);
str api_scopes_write(struct arena *arena, const struct api *api, struct scope_set set);

/* A scope by its id or its key. */
bool api_scopes_find(const struct api *api, str id_or_key, unsigned *bit);

/* ---- for the judging of keys ---- */

/* Cheap. False: there is none of that id or audience. */
bool apis_find_number(str id_or_audience, uint32_t *out);

/* The text of a key of that API, or with DECIDE_ANY_API of whichever gives such keys out. */
struct key_text_verdict apis_judge_text(uint32_t number, str text);

/* An expression of its scopes. A deleted API has none. */
bool apis_read_needs(uint32_t number, str text, struct scope_expr *out,
                     struct scope_expr_fault *fault);

/* Names of an API's scopes, as words; its audience and its id, STR_NONE: it is deleted. */
str apis_write_scopes(struct arena *arena, uint32_t number, struct scope_set set);
str apis_write_audience(struct arena *arena, uint32_t number);
str apis_write_id(struct arena *arena, uint32_t number);

/* ---- all of them by name, as copies ---- */
size_t apis_list(struct arena *arena, struct api **out);

/* In a transaction: from now on some of its keys have texts of another system. */
struct tx;
enum err apis_note_imported(struct cx *cx, struct tx *tx, str api_id);

#endif
