/* Scopes as sets of bits, and as the words of the store. */
#include "apis/apis.h"

#include <inttypes.h>

static int64_t number_of(str word)
{
    int64_t number = 0;

    for (size_t i = 0; i < word.n && i < 18; i++)
        number = number * 10 + (word.p[i] - '0');
    return number;
}

static bool is_live(const struct api *api, unsigned bit)
{
    return api->names.texts[bit].n > 0;
}

static bool find_word(const struct api *api, str word, unsigned *out)
{
    if (api->is_builtin)
        return scope_names_find(&api->names, word, out);
    for (unsigned bit = 0; bit < api->names.n; bit++) {
        if (is_live(api, bit) && api->scopes[bit].number == number_of(word)) {
            *out = bit;
            return true;
        }
    }
    return false;
}

static struct scope_set all_of(const struct api *api)
{
    struct scope_set all = {0};

    for (unsigned bit = 0; bit < api->names.n; bit++)
        if (is_live(api, bit))
            all.bits |= UINT64_C(1) << bit;
    return all;
}

struct scope_set api_scopes_parse(const struct api *api, str words)
{
    struct scope_set set = {0};
    unsigned bit;

    if (str_eq(words, S("*")))
        return all_of(api);
    while (words.n) {
        str word = str_cut(&words, S(" "));
        if (word.n && find_word(api, word, &bit))
            set.bits |= UINT64_C(1) << bit;
    }
    return set;
}

str api_scopes_write(struct arena *arena, const struct api *api, struct scope_set set)
{
    str words = S("");

    if (api->is_builtin)
        return scope_names_write(&api->names, arena, set);
    for (unsigned bit = 0; bit < api->names.n; bit++)
        if (set.bits >> bit & 1 && is_live(api, bit))
            words = arena_printf(arena, "%.*s%s%" PRId64, STR_ARG(words), words.n ? " " : "",
                                 api->scopes[bit].number);
    return words;
}

/* The contract has "delete:apis_scopes" once, where all others are of "api_scopes". */
static str regular(const struct api *api, str key)
{
    return api->is_management && str_eq(key, S("delete:apis_scopes")) ? S("delete:api_scopes")
                                                                      : key;
}

bool api_scopes_find(const struct api *api, str id_or_key, unsigned *out)
{
    id_or_key = regular(api, id_or_key);
    if (!id_or_key.n)
        return false;
    for (unsigned bit = 0; bit < api->names.n; bit++) {
        bool is_id = api->scopes && str_eq(api->scopes[bit].id, id_or_key);
        if (is_live(api, bit) && (is_id || str_eq(api->names.texts[bit], id_or_key))) {
            *out = bit;
            return true;
        }
    }
    return false;
}
