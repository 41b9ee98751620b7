/* Compiled lists of rules, swapped whole: few of them, changed seldom, asked at each call. */
#include "gate/paths.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/banned.h"

enum { RULES_SHOWN = 3 };

/* All that they point to lives in their arena. */
struct compiled {
    struct arena *arena;
    struct api_rules {
        str api;
        struct path_rule *list;
        size_t n;
    } * apis;
    size_t n;
};

/* Guarded by lock. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct compiled in_force;
static uint64_t epoch; /* raised by every change */

/* Read without it, so that a server without rules pays nothing for them. */
static atomic_bool has_rules;
static atomic_bool is_unknown;

/* ---- setting ---- */

static enum err compile_rule(struct cx *cx, struct arena *arena, const struct gate_rule *rule,
                             struct path_rule *out)
{
    struct scope_expr_fault fault;

    uint32_t api;

    /* Each was read before it was stored: another release has another grammar. */
    if (path_rule_read(arena, rule->method, rule->path, out))
        return fail(cx, E_STORE_DOWN,
                    "rule %" PRId64 " of the gate for %.*s cannot be read by this release",
                    rule->position, STR_ARG(rule->api));
    /* But scopes, and APIs, may have been deleted since. */
    out->is_void = !apis_find_number(rule->api, &api) ||
                   !apis_read_needs(api, rule->scopes, &out->needs, &fault);
    return E_OK;
}

static size_t count_of_api(const struct gate_rule *rules, size_t n)
{
    size_t same = 0;

    while (same < n && str_eq(rules[same].api, rules[0].api))
        same++;
    return same;
}

static enum err compile(struct cx *cx, const struct gate_rule_list *rules, struct compiled *out)
{
    out->apis = arena_array(out->arena, rules->n, sizeof *out->apis);
    for (size_t at = 0; at < rules->n;) {
        const struct gate_rule *first = &rules->list[at];
        struct api_rules *api = &out->apis[out->n++];
        api->n = count_of_api(first, rules->n - at);
        api->api = arena_dup(out->arena, first->api);
        api->list = arena_array(out->arena, api->n, sizeof *api->list);
        for (size_t i = 0; i < api->n; i++)
            TRY(compile_rule(cx, out->arena, &first[i], &api->list[i]));
        at += api->n;
    }
    return E_OK;
}

uint64_t gate_paths_epoch(void)
{
    pthread_rwlock_rdlock(&lock);
    uint64_t at = epoch;
    pthread_rwlock_unlock(&lock);
    return at;
}

/* True: *with is what was in force until now. */
static bool swap(uint64_t at, struct compiled *with)
{
    pthread_rwlock_wrlock(&lock);
    bool is_current = at == epoch;
    if (is_current) {
        struct compiled before = in_force;
        in_force = *with;
        *with = before;
        atomic_store(&has_rules, in_force.n > 0);
        atomic_store(&is_unknown, false);
    }
    pthread_rwlock_unlock(&lock);
    return is_current;
}

enum err gate_paths_set(struct cx *cx, uint64_t at, const struct gate_rule_list *rules,
                        bool *is_stale)
{
    struct compiled next = {.arena = arena_new()};
    enum err e = compile(cx, rules, &next);

    if (e == E_OK)
        *is_stale = !swap(at, &next);
    else
        gate_paths_forget();
    arena_drop(&next.arena);
    return e;
}

void gate_paths_forget(void)
{
    pthread_rwlock_wrlock(&lock);
    epoch++;
    atomic_store(&is_unknown, true);
    pthread_rwlock_unlock(&lock);
}

bool gate_paths_are_known(void)
{
    return !atomic_load(&is_unknown);
}

void gate_paths_stop(void)
{
    struct compiled none = {0};

    swap(gate_paths_epoch(), &none);
    arena_drop(&none.arena);
}

/* ---- asking ---- */

static str name_of(struct arena *arena, const struct path_rule *rule)
{
    return arena_printf(arena, "%.*s %.*s", STR_ARG(rule->method), STR_ARG(rule->pattern));
}

static void refuse_path(struct arena *arena, enum path_fault fault, struct gate_ruling *out)
{
    out->code = E_AMBIGUOUS_PATH;
    out->detail = arena_printf(arena, "The path %s.", path_fault_text(fault));
    out->hint = S("Write it plainly, each byte that needs it percent-encoded once; a program that "
                  "builds paths from parts may be joining them wrongly.");
}

static void refuse_without_rule(struct arena *arena, const struct api_rules *rules, str method,
                                const struct path *path, struct gate_ruling *out)
{
    const struct path_rule *near[RULES_SHOWN];
    size_t n = path_rules_near(rules->list, rules->n, path, near, RULES_SHOWN);
    str names = STR_NONE;

    for (size_t i = 0; i < n; i++)
        names = arena_printf(arena, "%.*s%s%.*s", STR_ARG(names), i ? ", " : "",
                             STR_ARG(name_of(arena, near[i])));
    out->code = E_NO_RULE_MATCHES;
    out->detail = arena_printf(arena, "None of the rules fits this path with the method %.*s.",
                               STR_ARG(path_rule_method_is_valid(method) ? method : S("it has")));
    out->hint = arena_printf(arena, "The nearest %s: %.*s.", n == 1 ? "is" : "are", STR_ARG(names));
}

static const struct api_rules *find_locked(str api)
{
    for (size_t i = 0; i < in_force.n; i++)
        if (str_eq(in_force.apis[i].api, api))
            return &in_force.apis[i];
    return NULL;
}

static void judge(struct arena *arena, const struct api_rules *rules, str method, str target,
                  struct gate_ruling *out)
{
    struct path path;
    enum path_fault fault = path_read(target, &path);

    if (fault != PATH_OK) {
        refuse_path(arena, fault, out);
        return;
    }
    const struct path_rule *rule = path_rules_find(rules->list, rules->n, method, &path);
    if (!rule) {
        refuse_without_rule(arena, rules, method, &path, out);
        return;
    }
    out->rule = name_of(arena, rule);
    out->needs = rule->needs;
    if (rule->is_void) {
        out->code = E_NO_RULE_MATCHES;
        out->detail = arena_printf(arena, "The rule %.*s names a scope that has been deleted.",
                                   STR_ARG(out->rule));
        out->hint = S("Ask the operator to write the rule anew.");
    }
}

void gate_paths_judge(struct arena *arena, str api, str method, str target, struct gate_ruling *out)
{
    *out = (struct gate_ruling){0};
    if (!atomic_load(&has_rules))
        return;
    pthread_rwlock_rdlock(&lock);
    const struct api_rules *rules = find_locked(api);
    if (rules && (str_is_none(method) || str_is_none(target)))
        out->lacks_request = true;
    else if (rules)
        judge(arena, rules, method, target, out);
    pthread_rwlock_unlock(&lock);
}
