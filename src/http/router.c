/* Finding the route of a request: tables in the order they were added, rows in theirs. */
#include "http/router.h"

#include <assert.h>
#include <string.h>

#include "base/banned.h"

void router_add(struct router *router, const struct route *table)
{
    assert(router->n_tables < ROUTER_TABLES_MAX);
    router->tables[router->n_tables++] = table;
}

/* One segment of a path against one of a pattern; {name} takes any that is not empty. */
static bool segment_fits(str pattern, str segment, str params[HTTP_PARAMS_MAX], size_t *n)
{
    if (!str_starts(pattern, S("{")))
        return str_eq(pattern, segment);
    if (segment.n == 0)
        return false;
    assert(*n < HTTP_PARAMS_MAX);
    params[(*n)++] = segment;
    return true;
}

/* The path is decoded, and has no encoded slash: its segments are what the caller meant. */
static bool pattern_fits(const char *pattern, str path, str params[HTTP_PARAMS_MAX])
{
    size_t same = 0;
    size_t n = 0;

    /* Most patterns differ early from the path: find that out before cutting anything. */
    while (same < path.n && pattern[same] == path.p[same] && pattern[same] != '{')
        same++;
    if (same == path.n && !pattern[same])
        return true;
    if (pattern[same] != '{')
        return false;
    str rest = str_of(pattern + same);
    path = str_sub(path, same, path.n);
    while (!str_is_none(rest) && !str_is_none(path))
        if (!segment_fits(str_cut(&rest, S("/")), str_cut(&path, S("/")), params, &n))
            return false;
    return str_is_none(rest) && str_is_none(path);
}

static const struct route *find(const struct router *router, enum http_method method, str path,
                                str params[HTTP_PARAMS_MAX])
{
    for (size_t t = 0; t < router->n_tables; t++)
        for (const struct route *r = router->tables[t]; r->method; r++)
            if ((r->method == method || r->method == HTTP_ANY) &&
                pattern_fits(r->pattern, path, params))
                return r;
    return NULL;
}

static str list_methods(struct arena *arena, const struct router *router, str path)
{
    str params[HTTP_PARAMS_MAX];
    str list = STR_NONE;

    for (enum http_method m = HTTP_GET; m < HTTP_OPTIONS; m++) {
        enum http_method as = m == HTTP_HEAD ? HTTP_GET : m;
        str text = http_method_text(m);
        if (find(router, as, path, params))
            list = str_is_none(list)
                       ? text
                       : arena_printf(arena, "%.*s, %.*s", STR_ARG(list), STR_ARG(text));
    }
    return list;
}

enum err router_find(const struct router *router, struct arena *arena, struct http_req *req,
                     const struct route **out, str *allow)
{
    enum http_method method = req->method == HTTP_HEAD ? HTTP_GET : req->method;
    str params[HTTP_PARAMS_MAX] = {{0}};
    const struct route *route = find(router, method, req->path, params);

    if (route) {
        memcpy(req->params, params, sizeof params);
        *out = route;
        return E_OK;
    }
    str methods = list_methods(arena, router, req->path);
    if (str_is_none(methods))
        return E_NOT_FOUND;
    *allow = arena_printf(arena, "%.*s, OPTIONS", STR_ARG(methods));
    return E_METHOD_NOT_ALLOWED;
}
