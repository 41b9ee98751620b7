#include "keys/scopes.h"

#include "base/rcu.h"

void key_scopes_set(struct arena *arena, const struct api *api, struct scope_set set,
                    struct key *key)
{
    key->api = api->number;
    key->scopes = set;
    key->scope_words = api_scopes_write(arena, api, set);
    key->scope_names = scope_names_write(&api->names, arena, set);
}

void key_scopes_read(struct arena *arena, str words, struct key *key)
{
    key->api = KEY_API_GONE;
    key->scopes = (struct scope_set){0};
    key->scope_words = arena_dup(arena, words);
    key->scope_names = S("");
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_find(key->api_id);
    if (api)
        key_scopes_set(arena, api, api_scopes_parse(api, words), key);
    rcu_leave();
}

void key_scopes_keep(str words, struct key *key)
{
    struct scope_set planned = {0};

    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_find(key->api_id);
    if (api)
        planned = api_scopes_parse(api, words);
    rcu_leave();
    key->scopes.bits &= planned.bits;
}

struct places key_places(const struct key *key)
{
    struct places places = places_parse(key->places), of_api = {0};

    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(key->api);
    if (api)
        of_api = places_parse(api->places);
    rcu_leave();
    places_meet(&places, &of_api);
    return places;
}
