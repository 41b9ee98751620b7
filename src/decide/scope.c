/* Scopes, read from contracts/scopes.def. */
#include "decide/scope.h"

#include <assert.h>

#include "base/buf.h"

enum { SCOPES_TEXT_MAX_BYTES = 4096 };

static_assert(SCOPES_END <= 64, "one bit each");

static const struct {
    str text, grants;
} scopes[] = {
#define SCOPE(name, text, grants)                                                                  \
    [SCOPE_##name] = {{text, sizeof(text) - 1}, {grants, sizeof(grants) - 1}},
#include "scopes.def"
#undef SCOPE
};

str scope_text(enum scope scope)
{
    return scopes[scope].text;
}

str scope_grants(enum scope scope)
{
    return scopes[scope].grants;
}

bool scope_find(str text, enum scope *out)
{
    for (enum scope s = 0; s < SCOPES_END; s++) {
        if (str_eq(scopes[s].text, text)) {
            *out = s;
            return true;
        }
    }
    return false;
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

str scope_write(struct arena *arena, struct scope_set set)
{
    DROP(buf) struct buf out;

    buf_init(&out, SCOPES_TEXT_MAX_BYTES);
    for (enum scope s = 0; s < SCOPES_END; s++) {
        if (!scope_has(set, s))
            continue;
        if (out.n)
            buf_put_byte(&out, ' ');
        buf_put(&out, scopes[s].text);
    }
    return arena_dup(arena, buf_str(&out));
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
