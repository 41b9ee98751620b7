#include "apis/rules.h"

#include "base/text.h"
#include "places/places.h"

enum { PREFIX_MAX_CHARS = 8, FIELD_MAX_CHARS = 64 };

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Those of other things that are sent where a key is. */
static bool is_reserved(str prefix)
{
    static const char *const reserved[] = {"mt", "mk", "gt"};

    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_eq(prefix, str_of(reserved[i])))
            return true;
    return false;
}

static void read_prefix(struct form *f, struct api_row *out)
{
    str prefix = form_text(f, "key_prefix", API_TEXT_MAX_CHARS, false);

    if (!prefix.n)
        return;
    bool is_fit = prefix.n <= PREFIX_MAX_CHARS && prefix.p[0] >= 'a' && prefix.p[0] <= 'z';
    for (size_t i = 0; i < prefix.n; i++)
        is_fit = is_fit && is_lower_alnum(prefix.p[i]);
    if (!is_fit)
        form_problem(f, "key_prefix",
                     "must be 1 to %d lower-case letters and digits, the first a letter",
                     PREFIX_MAX_CHARS);
    else if (is_reserved(prefix))
        form_problem(f, "key_prefix", "must be none of mt, mk and gt, which are taken");
    out->key_prefix = prefix;
}

static bool is_token(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] | 0x20) : text.p[i];
        if (!is_lower_alnum(c) && c != '-' && c != '_')
            return false;
    }
    return text.n > 0;
}

/* Fields with a meaning of their own, of which a key would be none. */
static bool is_taken(str name)
{
    static const char *const taken[] = {"host",         "cookie",          "content-type",
                                        "connection",   "content-length",  "transfer-encoding",
                                        "x-gate-token", "x-forwarded-for", "forwarded"};

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (str_eq(name, str_of(taken[i])))
            return true;
    return false;
}

static void read_field(struct form *f, struct api_row *out)
{
    str name = form_text(f, "credential_header", FIELD_MAX_CHARS, false);

    if (!name.n)
        return;
    str lower = text_fold(f->cx->arena, name);
    if (!is_token(name))
        form_problem(f, "credential_header", "must be the name of a header field");
    else if (is_taken(lower))
        form_problem(f, "credential_header", "is a field with another meaning");
    out->credential_field = lower;
}

static void read_places(struct form *f, struct api_row *out)
{
    if (form_value(f, "places"))
        out->places = places_read(f, "places");
}

void apis_read_patch(struct form *f, struct api_row *api)
{
    if (form_value(f, "name"))
        api->name = form_text(f, "name", API_TEXT_MAX_CHARS, true);
    if (form_value(f, "audience"))
        form_problem(f, "audience", "is fixed: register another API for another audience");
    read_prefix(f, api);
    read_field(f, api);
    read_places(f, api);
}

void apis_read_draft(struct form *f, struct api_row *out)
{
    *out = (struct api_row){.key_prefix = S("k"),
                            .credential_field = S("authorization"),
                            .places = S(""),
                            .next_scope = 1};
    out->name = form_text(f, "name", API_TEXT_MAX_CHARS, true);
    out->audience = form_text(f, "audience", API_TEXT_MAX_CHARS, true);
    read_prefix(f, out);
    read_field(f, out);
    read_places(f, out);
}

/* Several are written as words, so none has a space in it. */
static void read_key(struct form *f, struct scope_row *out)
{
    out->key = form_text(f, "key", API_TEXT_MAX_CHARS, true);
    for (size_t i = 0; i < out->key.n; i++) {
        unsigned char c = (unsigned char)out->key.p[i];
        if (c > ' ' && c < 0x7f)
            continue;
        form_problem(f, "key", "must be ASCII without white space, such as read:orders");
        return;
    }
}

static str read_description(struct form *f, bool is_required)
{
    str text = form_text(f, "description", SCOPE_DESCRIPTION_MAX_CHARS, is_required);

    return str_is_none(text) ? S("") : text;
}

void scopes_read_draft(struct form *f, struct scope_row *out)
{
    read_key(f, out);
    out->description = read_description(f, false);
}

void scopes_read_patch(struct form *f, struct scope_row *out)
{
    if (form_value(f, "key"))
        form_problem(f, "key", "is fixed: make another scope, and delete this one");
    out->description = read_description(f, true);
}
