/* What the judging of keys asks of the registry, in one read section each. */
#include "apis/apis.h"
#include "base/rcu.h"
#include "decide/decide.h"

bool apis_find_number(str id_or_audience, uint32_t *out)
{
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = id_or_audience.n ? apis_find(id_or_audience) : NULL;
    if (api)
        *out = api->number;
    rcu_leave();
    return api != NULL;
}

/* What comes before _live_ or _test_; STR_NONE: neither is there. */
static str prefix_of(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        str rest = str_sub(text, i, text.n);
        if (str_starts(rest, S("_live_")) || str_starts(rest, S("_test_")))
            return str_sub(text, 0, i);
    }
    return STR_NONE;
}

struct key_text_verdict apis_judge_text(uint32_t number, str text)
{
    struct key_text_verdict verdict = {.fault = KEY_TEXT_PREFIX};

    rcu_thread_begin();
    rcu_enter();
    const struct api *api =
        number == DECIDE_ANY_API ? apis_find_prefix(prefix_of(text)) : apis_at(number);
    if (api)
        verdict = key_text_judge(text, &api->form);
    rcu_leave();
    return verdict;
}

bool apis_read_needs(uint32_t number, str text, struct scope_expr *out,
                     struct scope_expr_fault *fault)
{
    static const struct scope_names none = {0};

    if (number == API_ENTERPRISE)
        return scope_expr_parse(text, out, fault);
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(number);
    bool is_read = scope_expr_parse_names(api ? &api->names : &none, text, out, fault);
    rcu_leave();
    return is_read;
}

str apis_write_scopes(struct arena *arena, uint32_t number, struct scope_set set)
{
    str words = S("");

    if (number == API_ENTERPRISE)
        return scope_write(arena, set);
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(number);
    if (api)
        words = scope_names_write(&api->names, arena, set);
    rcu_leave();
    return words;
}

str apis_write_audience(struct arena *arena, uint32_t number)
{
    str audience = STR_NONE;

    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(number);
    if (api)
        audience = arena_dup(arena, api->audience);
    rcu_leave();
    return audience;
}

str apis_write_id(struct arena *arena, uint32_t number)
{
    str id = STR_NONE;

    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(number);
    if (api)
        id = arena_dup(arena, api->id);
    rcu_leave();
    return id;
}
