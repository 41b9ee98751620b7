/*
 * Questions: by the full reader, which says what is wrong with one; and by the flat one, which
 * takes nearly all that are asked, and takes no part in what it cannot.
 */
#include "gate/question.h"

#include "gate/flat.h"

enum { CLIENT_TEXT_MAX = 64, API_TEXT_MAX = 64, MEMBERS_MAX = 8 };

void gate_asked_drop(struct gate_asked *asked)
{
    secret_drop(&asked->key);
}

static void read_scopes(struct form *form, struct gate_question *out)
{
    str text = form_text(form, "scopes", SCOPE_EXPR_MAX_BYTES, false);
    struct scope_expr_fault fault;

    if (text.n && !apis_read_needs(out->api, text, &out->needs, &fault))
        form_problem(form, "scopes", "at character %zu %.*s", fault.at + 1, STR_ARG(fault.reason));
}

/* The question outlives the JSON it was in. */
static str kept_text(struct form *form, const char *member, size_t max_chars)
{
    return arena_dup(form->cx->arena, form_text(form, member, max_chars, false));
}

static void read_api(struct form *form, uint32_t *out)
{
    str name = form_text(form, "api", API_TEXT_MAX, false);

    if (name.n && !apis_find_number(name, out))
        form_problem(form, "api",
                     "must be the id or the audience of an API: GET /api/v1/apis "
                     "lists them");
}

/* Method and path are one thing: a rule is about both. */
static void read_request(struct form *form, struct gate_question *out)
{
    out->method = kept_text(form, "method", PATH_METHOD_MAX_BYTES);
    out->target = kept_text(form, "path", PATH_MAX_BYTES);
    if (str_is_none(out->method) != str_is_none(out->target))
        form_problem(form, str_is_none(out->method) ? "method" : "path",
                     "must come with %s, or neither", str_is_none(out->method) ? "path" : "method");
}

static void read_client(struct form *form, struct net_addr *out)
{
    str text = form_text(form, "clientAddress", CLIENT_TEXT_MAX, false);

    if (text.n && !net_addr_parse(text, out))
        form_problem(form, "clientAddress",
                     "must be an IP address like 203.0.113.7 or 2001:db8::7");
}

/* Any text that can be sent is a question; what it is not is the answer. */
static void read_key(struct form *form, struct gate_asked *out)
{
    const json_t *value = form_value(form, "key");

    if (form->object && (!json_is_string(value) || !secret_set(&out->key, json_text(value))))
        form_problem(form, "key", "must be a text of at most %d bytes", SECRET_MAX_BYTES);
    out->question.key = &out->key;
}

void gate_read_question(struct form *form, struct gate_asked *out)
{
    struct gate_question *question = &out->question;

    *out = (struct gate_asked){0};
    read_key(form, out);
    read_api(form, &question->api);
    read_request(form, question);
    read_scopes(form, question);
    read_client(form, &question->client);
    question->cost = form_int(form, "cost", 1, GATE_COST_MAX, 1);
}

/* ---- flat ---- */

/* A text that form_text takes. */
static bool keep(str text, size_t max, str *out)
{
    *out = text;
    return text.n <= max && str_trim(text).n > 0;
}

/* What they mean depends on the API, which may come after them. */
static bool set_scopes(str text, struct gate_question *out)
{
    struct scope_expr_fault fault;

    return str_is_none(text) ||
           (text.n <= SCOPE_EXPR_MAX_BYTES &&
            apis_read_needs(out->api, text, &out->needs, &fault) && out->needs.n > 0);
}

static bool set_text(const struct flat_member *member, str *scopes, struct gate_asked *out)
{
    str text = member->text;

    if (str_eq(member->name, S("key")))
        return secret_set(&out->key, text);
    if (str_eq(member->name, S("scopes"))) {
        *scopes = text;
        return true;
    }
    if (str_eq(member->name, S("clientAddress")))
        return text.n <= CLIENT_TEXT_MAX && net_addr_parse(text, &out->question.client);
    if (str_eq(member->name, S("method")))
        return keep(text, PATH_METHOD_MAX_BYTES, &out->question.method);
    if (str_eq(member->name, S("path")))
        return keep(text, PATH_MAX_BYTES, &out->question.target);
    if (str_eq(member->name, S("api")))
        return text.n <= API_TEXT_MAX && apis_find_number(text, &out->question.api);
    return false;
}

static bool set_number(const struct flat_member *member, struct gate_asked *out)
{
    out->question.cost = member->number;
    return str_eq(member->name, S("cost")) && member->number >= 1 &&
           member->number <= GATE_COST_MAX;
}

bool gate_scan_question(str body, struct gate_asked *out)
{
    struct flat_member members[MEMBERS_MAX];
    str scopes = STR_NONE;
    size_t n;

    *out = (struct gate_asked){.question = {.cost = 1}};
    bool is_taken = flat_read(body, members, MEMBERS_MAX, &n);
    for (size_t i = 0; is_taken && i < n; i++)
        is_taken =
            members[i].is_text ? set_text(&members[i], &scopes, out) : set_number(&members[i], out);
    is_taken = is_taken && set_scopes(scopes, &out->question) && secret_is_set(&out->key) &&
               str_is_none(out->question.method) == str_is_none(out->question.target);
    out->question.key = &out->key;
    if (!is_taken)
        gate_asked_drop(out);
    return is_taken;
}
