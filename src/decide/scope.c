/* Scopes, read from contracts/scopes.def. */
#include "decide/scope.h"

#include <assert.h>

#include "base/buf.h"

enum { SCOPES_TEXT_MAX_BYTES = SCOPES_MAX * (SCOPE_TEXT_MAX_BYTES + 1) };

#define SCOPE(name, text, grants)                                                                  \
    static_assert(sizeof(text) <= SCOPE_TEXT_MAX_BYTES + 1, "a scope's text has room");
#include "scopes.def"
#undef SCOPE
static_assert((int)SCOPES_END <= (int)SCOPES_MAX, "one bit each");

static const str texts[] = {
#define SCOPE(name, text, grants) [SCOPE_##name] = {text, sizeof(text) - 1},
#include "scopes.def"
#undef SCOPE
};

static const str all_grants[] = {
#define SCOPE(name, text, grants) [SCOPE_##name] = {grants, sizeof(grants) - 1},
#include "scopes.def"
#undef SCOPE
};

const struct scope_names scope_names_enterprise = {texts, SCOPES_END};

str scope_text(enum scope scope)
{
    return texts[scope];
}

str scope_grants(enum scope scope)
{
    return all_grants[scope];
}

bool scope_names_find(const struct scope_names *names, str text, unsigned *out_bit)
{
    for (unsigned bit = 0; bit < names->n; bit++) {
        if (str_eq(names->texts[bit], text)) {
            *out_bit = bit;
            return true;
        }
    }
    return false;
}

bool scope_find(str text, enum scope *out)
{
    unsigned bit;

    if (!scope_names_find(&scope_names_enterprise, text, &bit))
        return false;
    *out = (enum scope)bit;
    return true;
}

void scope_add(struct scope_set *set, enum scope scope)
{
    set->bits |= UINT64_C(1) << scope;
}

bool scope_has(struct scope_set set, enum scope scope)
{
    return set.bits >> scope & 1;
}

bool scope_has_all(struct scope_set set, struct scope_set wanted)
{
    return (wanted.bits & ~set.bits) == 0;
}

str scope_names_write(const struct scope_names *names, struct arena *arena, struct scope_set set)
{
    char room[SCOPES_TEXT_MAX_BYTES + 1];
    struct buf out;

    buf_init_on(&out, room, sizeof room);
    for (unsigned bit = 0; bit < names->n; bit++) {
        if (!(set.bits >> bit & 1))
            continue;
        if (out.n)
            buf_put_byte(&out, ' ');
        buf_put(&out, names->texts[bit]);
    }
    return arena_dup(arena, buf_str(&out));
}

str scope_write(struct arena *arena, struct scope_set set)
{
    return scope_names_write(&scope_names_enterprise, arena, set);
}

struct scope_set scope_parse(str text)
{
    struct scope_set set = {0};
    enum scope scope;

    while (!str_is_none(text))
        if (scope_find(str_cut(&text, S(" ")), &scope))
            scope_add(&set, scope);
    return set;
}

str scope_list_all(struct arena *arena)
{
    str list = S("");

    for (enum scope s = 0; s < SCOPES_END; s++)
        list = arena_printf(arena, "%.*s%s%.*s", STR_ARG(list), list.n ? ", " : "",
                            STR_ARG(scope_text(s)));
    return list;
}
