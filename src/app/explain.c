#include "app/explain.h"

#include "base/json.h"
#include "base/symptoms.h"

/* ---- for people ---- */

static void put_list(struct buf *out, const char *title, const char *const *list)
{
    buf_printf(out, "%s\n", title);
    for (; *list; list++)
        buf_printf(out, "- %s\n", *list);
}

void explain_error(struct buf *out, const struct err_info *info)
{
    const struct symptom *symptom = symptom_of(info);

    buf_printf(out, "%.*s (%d)\n\nMeaning: %.*s\nCause:   %.*s\nFix:     %.*s\n\n",
               STR_ARG(info->code), info->status, STR_ARG(info->message), STR_ARG(info->cause),
               STR_ARG(info->fix));
    put_list(out, "To check:", symptom->checks);
    buf_printf(out, "\nSee \"%s\" in docs/troubleshooting.md, or /docs/troubleshooting.\n",
               symptom->name);
}

static void put_symptom(struct buf *out, const struct symptom *symptom)
{
    if (out->n)
        buf_put(out, S("\n"));
    buf_printf(out, "%s\n\n%s\n\n", symptom->name, symptom->seen);
    put_list(out, "Causes:", symptom->causes);
    put_list(out, "\nTo check:", symptom->checks);
    put_list(out, "\nTo do:", symptom->fixes);
    buf_put(out, S("\nCodes:"));
    for (const char *const *code = symptom->codes; *code; code++)
        buf_printf(out, " %s", *code);
    buf_put(out, S("\n"));
}

/* ---- as JSON ---- */

static void put_texts(struct json_out *j, str name, const char *const *list)
{
    json_open_array(j, name);
    for (; *list; list++)
        json_put_text(j, STR_NONE, str_of(*list));
    json_close_array(j);
}

static void put_error_json(struct buf *out, const struct err_info *info)
{
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("code"), info->code);
    json_put_int(&j, S("status"), info->status);
    json_put_text(&j, S("meaning"), info->message);
    json_put_text(&j, S("cause"), info->cause);
    json_put_text(&j, S("fix"), info->fix);
    json_put_text(&j, S("symptom"), str_of(symptom_of(info)->name));
    put_texts(&j, S("checks"), symptom_of(info)->checks);
    json_close_object(&j);
}

static void put_symptom_json(struct json_out *j, const struct symptom *symptom)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("symptom"), str_of(symptom->name));
    json_put_text(j, S("seen"), str_of(symptom->seen));
    put_texts(j, S("causes"), symptom->causes);
    put_texts(j, S("checks"), symptom->checks);
    put_texts(j, S("fixes"), symptom->fixes);
    put_texts(j, S("codes"), symptom->codes);
    json_close_object(j);
}

/* ---- what is asked ---- */

static bool explain_message(struct buf *out, str message, bool is_json)
{
    struct json_out j = {out};
    bool is_known = false;

    if (is_json) {
        json_open_object(&j, STR_NONE);
        json_open_array(&j, S("symptoms"));
    }
    for (size_t i = 0; i < n_symptoms; i++) {
        if (!symptom_says(&symptoms[i], message))
            continue;
        is_known = true;
        if (is_json)
            put_symptom_json(&j, &symptoms[i]);
        else
            put_symptom(out, &symptoms[i]);
    }
    if (is_json) {
        json_close_array(&j);
        json_close_object(&j);
    }
    if (!is_known)
        buf_clear(out);
    return is_known;
}

static bool explain_text(struct buf *out, str text, bool is_json)
{
    const struct err_info *info = err_find(str_trim(text));

    if (!info)
        return explain_message(out, text, is_json);
    if (is_json)
        put_error_json(out, info);
    else
        explain_error(out, info);
    return true;
}

/* {"code":…} of a problem; {"errors":[{"code","message"}]}; {"error":"Invalid API key", …}. */
static bool explain_body(struct buf *out, const json_t *body, bool is_json)
{
    static const char *const members[] = {"code", "title", "message", "error", "detail"};
    const json_t *first = json_array_get(json_object_get(body, "errors"), 0);
    const json_t *told = json_object_get(body, "code") || !first ? body : first;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        str text = json_text(json_object_get(told, members[i]));
        if (text.n && explain_text(out, text, is_json))
            return true;
    }
    return false;
}

bool explain(struct buf *out, struct arena *arena, str text, bool is_json)
{
    DROP(json) json_t *body = NULL;
    struct cx cx = {.arena = arena};

    if (str_starts(str_trim(text), S("{")))
        return json_read(&cx, text, &body) == E_OK && explain_body(out, body, is_json);
    return explain_text(out, text, is_json);
}
