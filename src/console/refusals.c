/*
 * Who was refused, by which rule, when, from where, what was wrong, and what to do. The audit
 * counts refusals (audit/audit.h); the error table says what they mean.
 */
#include <stdlib.h>

#include "base/banned.h"
#include "base/json.h"
#include "console/api.h"
#include "console/pages.h"

enum { SHOWN_MAX = 20, SOURCES_MAX = 3 };

/* The newest lines of each action, which are the loans of `answers`. */
struct lines {
    json_t *answers[SOURCES_MAX];
    const json_t *list[SOURCES_MAX * SHOWN_MAX];
    size_t n;
};

static void lines_drop(struct lines *lines)
{
    for (size_t i = 0; i < SOURCES_MAX; i++)
        json_decref(lines->answers[i]);
}

static enum err read_lines(struct view *p, str key_id, struct lines *out)
{
    static const char *const actions[SOURCES_MAX] = {
        "authorization.*", "api_key.used_after_revocation", "session.failed"};
    struct arena *arena = p->cx->arena;
    str of = key_id.n ? arena_printf(arena, "&actorId=%.*s", STR_ARG(key_id)) : S("");

    *out = (struct lines){.n = 0};
    for (size_t i = 0; i < SOURCES_MAX; i++) {
        TRY(api_get(p->cx, p->req,
                    arena_printf(arena, "/api/employer/audit?action=%s&limit=%d%.*s", actions[i],
                                 SHOWN_MAX, STR_ARG(of)),
                    &out->answers[i]));
        const json_t *list = json_object_get(out->answers[i], "lines");
        for (size_t k = 0; k < json_array_size(list); k++)
            out->list[out->n++] = json_array_get(list, k);
    }
    return E_OK;
}

static str last_at(const json_t *line)
{
    return api_text(json_object_get(line, "detail"), "lastAt");
}

/* The newest first; the API's instants sort as texts. */
static int compare(const void *a, const void *b)
{
    return str_cmp(last_at(*(const json_t *const *)b), last_at(*(const json_t *const *)a));
}

/* ---- who ---- */

/* A key's name is asked for once; `names` remembers it by id. One that is gone has none. */
static const json_t *find_key(struct view *p, json_t *names, str id)
{
    const char *name = arena_dup(p->cx->arena, id).p;
    json_t *key = json_object_get(names, name);

    if (key)
        return key;
    struct failure before = p->cx->failure;
    str target = arena_printf(p->cx->arena, "/api/employer/api-keys/%.*s", STR_ARG(id));
    if (api_get(p->cx, p->req, target, &key) != E_OK)
        key = json_null();
    p->cx->failure = before;
    json_object_set_new(names, name, key);
    return key;
}

static void write_who(struct view *p, json_t *names, const json_t *line)
{
    const json_t *actor = json_object_get(line, "actor");
    str kind = api_text(actor, "kind");
    str id = api_text(actor, "id");

    if (api_text(json_object_get(line, "detail"), "callers").n) {
        HTML(&p->h, "many callers");
    } else if (str_eq(kind, S("key"))) {
        const json_t *key = find_key(p, names, id);
        str name = api_text(key, "name");
        HTML(&p->h, "key <a href=\"{}\">{}</a>", key_path(p->cx->arena, id, ""),
             name.n ? name : id);
    } else if (str_eq(kind, S("user"))) {
        HTML(&p->h, "a signed-in user with the role {} <code>{}</code>", api_text(actor, "role"),
             id);
    } else {
        HTML(&p->h, "somebody at the sign-in");
        if (api_text(json_object_get(line, "target"), "id").n)
            HTML(&p->h, ", as <code>{}</code>", api_text(json_object_get(line, "target"), "id"));
    }
}

/* ---- one refusal ---- */

static void write_when(struct view *p, const json_t *detail)
{
    int64_t count = json_integer_value(json_object_get(detail, "count"));

    view_time(p, api_text(detail, "lastAt"), S("unknown"));
    if (count <= 1)
        return;
    HTML(&p->h, ", {} times since ", view_number(p, count));
    view_time(p, api_text(detail, "firstAt"), S("unknown"));
}

static str first_of(str a, str b)
{
    return a.n ? a : b;
}

static void write_refusal(struct view *p, json_t *names, const json_t *line, bool says_who)
{
    const json_t *detail = json_object_get(line, "detail");
    str code = api_text(detail, "code");
    const struct err_info *info = err_find(code);

    HTML(&p->h, "<li class=\"refusal card\"><h3>{} <code>{}</code></h3><dl>",
         info ? info->message : S("Refused"), code);
    if (says_who) {
        HTML(&p->h, "<div><dt>Who</dt><dd>");
        write_who(p, names, line);
        HTML(&p->h, "</dd></div>");
    }
    HTML(&p->h, "<div><dt>When</dt><dd>");
    write_when(p, detail);
    HTML(&p->h, "</dd></div><div><dt>From</dt><dd><code>{}</code></dd></div>",
         first_of(api_text(line, "address"), S("unknown")));
    if (api_text(detail, "route").n)
        HTML(&p->h, "<div><dt>Asked for</dt><dd><code>{}</code></dd></div>",
             api_text(detail, "route"));
    HTML(&p->h,
         "<div><dt>What was wrong</dt><dd>{}</dd></div><div><dt>What to do</dt><dd>{}</dd></div>"
         "<div><dt>Request</dt><dd><code>{}</code></dd></div></dl></li>",
         first_of(api_text(detail, "reason"), info ? info->cause : STR_NONE),
         first_of(api_text(detail, "hint"), info ? info->fix : STR_NONE),
         api_text(line, "requestId"));
}

static void write_list(struct view *p, const struct lines *lines, bool says_who)
{
    DROP(json) json_t *names = (json_object)();

    HTML(&p->h, "<ol class=\"refusals\">");
    for (size_t i = 0; i < lines->n && i < SHOWN_MAX; i++)
        write_refusal(p, names, lines->list[i], says_who);
    HTML(&p->h, "</ol>");
}

enum err refusals_write(struct view *p, str key_id)
{
    DROP(lines) struct lines lines;

    TRY(read_lines(p, key_id, &lines));
    qsort(lines.list, lines.n, sizeof lines.list[0], compare);
    if (lines.n == 0)
        HTML(&p->h, "<p class=\"empty\">Nothing was refused.</p>");
    else
        write_list(p, &lines, str_is_none(key_id));
    return E_OK;
}

enum err console_get_refusals(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct view p = view_begin(cx, req, out, 200, S("Refusals"), S(PATH_REFUSALS));

    HTML(&p.h, "<p class=\"lead\">Who was refused by your employer’s rules, and what to do about "
               "it. A refusal shows here within a second; those that are alike are summed up each "
               "minute. Keys that do not exist belong to nobody, and are in the server’s log "
               "only.</p><section aria-labelledby=\"last\"><h2 id=\"last\">The newest first</h2>");
    TRY(refusals_write(&p, STR_NONE));
    HTML(&p.h, "</section>");
    return view_end(&p);
}
