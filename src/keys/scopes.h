/* A key's scopes: bits of its API in memory, words in the store. Inside keys/ only. */
#ifndef SALLYPORT_KEYS_SCOPES_H
#define SALLYPORT_KEYS_SCOPES_H

#include "apis/apis.h"
#include "decide/places.h"
#include "keys/rules.h"

/* What the store has of a key's scopes, into scopes, scope_words, scope_names and api. */
void key_scopes_read(struct arena *arena, str words, struct key *key);

/* The same from the bits of its API. */
void key_scopes_set(struct arena *arena, const struct api *api, struct scope_set set,
                    struct key *key);

/* Of its scopes those alone that a plan has; STR_NONE: the API is not in the plan. */
void key_scopes_keep(str words, struct key *key);

/* Where it may be used from, as far as the key and its API say. */
struct places key_places(const struct key *key);

#endif
