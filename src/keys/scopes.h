/*
 * A key's scopes: bits of its API in memory; in the store words, which for a registered API are
 * the numbers of its scopes, so that a deleted one is lost to the key and a later one of the same
 * name is not given to it. Inside keys/ only.
 */
#ifndef SALLYPORT_KEYS_SCOPES_H
#define SALLYPORT_KEYS_SCOPES_H

#include "apis/apis.h"
#include "keys/rules.h"

/* Words that mean nothing any more are left out; "*": all. */
struct scope_set key_scopes_parse(const struct api *api, str words);
str key_scopes_write(struct arena *arena, const struct api *api, struct scope_set set);

/* What the store has of a key's scopes, into scopes, scope_words, scope_names and api. */
void key_scopes_read(struct arena *arena, str words, struct key *key);

/* The same from the bits of its API. */
void key_scopes_set(struct arena *arena, const struct api *api, struct scope_set set,
                    struct key *key);

/* Of its scopes those alone that a plan has; STR_NONE: the API is not in the plan. */
void key_scopes_keep(str words, struct key *key);

/* A scope by its id or its key. */
bool key_scopes_find(const struct api *api, str id_or_key, unsigned *bit);

#endif
