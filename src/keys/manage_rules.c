#include "keys/manage_rules.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"
#include "base/text.h"
#include "base/time.h"
#include "keys/scopes.h"
#include "places/places.h"

enum { ID_MAX_CHARS = 64, AUDIENCE_MAX_CHARS = 64, METADATA_MAX_BYTES = 64 * 1024 };

/* ---- reading ---- */

static bool read_api(struct form *f, struct api *out)
{
    str id = form_text(f, "api_id", ID_MAX_CHARS, true);

    if (id.n && apis_copy_named(f->cx->arena, id, out))
        return true;
    if (id.n)
        form_problem(f, "api_id", "is not the id of an API; GET /api/v1/apis lists them");
    return false;
}

/* A form whose only problems are scopes closes as what is wrong with those. */
static void scope_problem(struct form *f, enum err code, const char *member, const char *reason)
{
    if (f->n_problems == 0)
        f->code = code;
    form_problem(f, member, "%s", reason);
}

static void read_scopes(struct form *f, const struct api *api, const json_t *list, struct key *out)
{
    struct scope_set set = {0};
    char member[32];
    unsigned bit;

    if (list && !json_is_null(list) && !json_is_array(list))
        form_problem(f, "scope_ids", "must be a list of scopes of the API, or null");
    for (size_t i = 0; i < json_array_size(list); i++) {
        snprintf(member, sizeof member, "scope_ids[%zu]", i);
        if (!api_scopes_find(api, json_text(json_array_get(list, i)), &bit))
            scope_problem(f, E_SCOPE_UNKNOWN, member, "is no scope of the API, by id or by key");
        else if (set.bits >> bit & 1)
            scope_problem(f, E_INVALID_SCOPE, member, "is there twice");
        else
            set.bits |= UINT64_C(1) << bit;
    }
    key_scopes_set(f->cx->arena, api, set, out);
}

/* Exactly one owner; `type` only repeats which. */
static void read_owner(struct form *f, struct key_order *out)
{
    str type = form_text(f, "type", 16, false);
    str person = form_text(f, "user_id", ID_MAX_CHARS, false);

    out->org_code = form_text(f, "org_code", ID_MAX_CHARS, false);
    out->key.owner_id = person.n ? person : S("");
    if (!out->org_code.n == !person.n)
        form_problem(f, "org_code", "give exactly one owner: org_code or user_id");
    if (str_eq(type, S("environment")))
        form_problem(f, "type",
                     "environment is not offered: a key belongs to an organization or "
                     "a user");
    else if (type.n && !str_eq(type, S("organization")) && !str_eq(type, S("user")))
        form_problem(f, "type", "must be organization or user");
    else if (type.n && person.n && !str_eq(type, S("user")))
        form_problem(f, "type", "must be user with a user_id");
    else if (type.n && out->org_code.n && !str_eq(type, S("organization")))
        form_problem(f, "type", "must be organization with an org_code");
}

static bool is_metadata_line(struct form *f, const char *name, const json_t *value)
{
    char member[16 + 4 * METADATA_NAME_MAX_CHARS];
    const char *fault = text_fault(str_of(name), METADATA_NAME_MAX_CHARS);

    if (fault) {
        form_problem(f, "metadata", "has a name that %s", fault);
        return false;
    }
    snprintf(member, sizeof member, "metadata.%s", name);
    fault = json_is_string(value) ? text_fault(json_text(value), METADATA_VALUE_MAX_CHARS)
                                  : "is no text";
    if (fault)
        form_problem(f, member, "%s", fault);
    return !fault;
}

/* Kept as it is shown: an object of texts, in the order in which it was sent. */
static void read_metadata(struct form *f, const json_t *object, struct key *out)
{
    const char *name;
    json_t *value;
    struct buf text;
    struct json_out j = {&text};

    if (!json_is_null(object) &&
        (!json_is_object(object) || json_object_size(object) > METADATA_MAX)) {
        form_problem(f, "metadata", "must be an object of at most %d texts", METADATA_MAX);
        return;
    }
    buf_init(&text, METADATA_MAX_BYTES);
    json_open_object(&j, STR_NONE);
    json_object_foreach((json_t *)object, name, value)
    {
        if (is_metadata_line(f, name, value))
            json_put_text(&j, str_of(name), json_text(value));
    }
    json_close_object(&j);
    out->metadata = json_object_size(object) ? arena_dup(f->cx->arena, buf_str(&text)) : S("");
    buf_drop(&text);
}

static void read_rest(struct form *f, struct key *key)
{
    const json_t *metadata = form_value(f, "metadata");

    if (metadata)
        read_metadata(f, metadata, key);
    if (form_value(f, "places"))
        key->places = places_read(f, "places");
    key_read_rules(f, &key_words_management, f->cx->now_ms, key);
}

void manage_read_order(struct form *f, struct key_order *out)
{
    /* Some form, where the API is none. */
    *out = (struct key_order){.key = key_blank(f->cx->now_ms), .api.form = apis_management_form()};
    out->key.name = form_text(f, "name", KEY_NAME_MAX_CHARS, true);
    read_owner(f, out);
    const json_t *scopes = form_value(f, "scope_ids");
    if (read_api(f, &out->api)) {
        out->key.api_id = out->api.id;
        read_scopes(f, &out->api, scopes, &out->key);
    }
    out->key.is_instance = form_bool(f, "instance", false);
    out->key.not_before_ms = form_time(f, key_words_management.not_before);
    read_rest(f, &out->key);
    out->has_rate = form_has(f, key_words_management.rate);
    if (out->key.is_instance && !out->api.is_management)
        form_problem(f, "instance", "is for keys of the management API");
}

void manage_read_patch(struct form *f, const struct api *api, struct key *key)
{
    const json_t *scopes = form_value(f, "scope_ids");

    if (form_value(f, "name"))
        key->name = form_text(f, "name", KEY_NAME_MAX_CHARS, true);
    if (scopes)
        read_scopes(f, api, scopes, key);
    if (form_value(f, "status"))
        key_read_status(f, key);
    read_rest(f, key);
}

/* Parameters of a query are texts, numbers too. */
int64_t manage_read_number(struct form *f, const char *member, int64_t max, int64_t if_absent)
{
    str text = json_text(form_value(f, member));
    uint64_t number = 0;

    if (str_is_none(text))
        return if_absent;
    if (!str_parse_u64(text, (uint64_t)max, &number) || number < 1)
        form_problem(f, member, "must be a whole number from 1 to %" PRId64, max);
    return (int64_t)number;
}

static str read_choice(struct form *f, const char *member, const char *const *choices,
                       const char *reason)
{
    str text = form_text(f, member, ID_MAX_CHARS, false);

    if (str_is_none(text))
        return S("");
    for (size_t i = 0; choices[i]; i++)
        if (str_eq(text, str_of(choices[i])))
            return text;
    form_problem(f, member, "%s", reason);
    return S("");
}

static str text_or_empty(struct form *f, const char *member)
{
    str text = form_text(f, member, AUDIENCE_MAX_CHARS, false);

    return str_is_none(text) ? S("") : arena_dup(f->cx->arena, text);
}

str manage_read_api(struct form *f)
{
    str named = text_or_empty(f, "api_id");
    struct api api;

    return named.n && apis_copy_named(f->cx->arena, named, &api) ? api.id : named;
}

void manage_read_filter(struct form *f, struct key_filter *out)
{
    static const char *const types[] = {"organization", "user", NULL};
    static const char *const statuses[] = {"active", "inactive", "revoked", NULL};

    *out = (struct key_filter){
        .employer_id = text_or_empty(f, "org_code"),
        .owner_id = text_or_empty(f, "user_id"),
        .api_id = manage_read_api(f),
        .type = arena_dup(f->cx->arena,
                          read_choice(f, "key_type", types, "must be organization or user")),
        .status = arena_dup(f->cx->arena, read_choice(f, "status", statuses,
                                                      "must be active, inactive or revoked")),
        .after = text_or_empty(f, "starting_after"),
        .limit = manage_read_number(f, "page_size", MANAGE_PAGE_MAX, MANAGE_PAGE_DEFAULT),
    };
}

/* ---- showing ---- */

str manage_status(const struct key *key, int64_t now_ms)
{
    str status = key_status(key, now_ms);

    return str_eq(status, S("revoked")) || str_eq(status, S("active")) ? status : S("inactive");
}

static void put_words(struct json_out *j, str name, str words)
{
    json_open_array(j, name);
    while (words.n)
        json_put_text(j, STR_NONE, str_cut(&words, S(" ")));
    json_close_array(j);
}

static void write_owner(struct json_out *j, const struct key *key)
{
    bool is_persons = key->owner_id.n > 0;

    json_put_text(j, S("org_code"), is_persons ? STR_NONE : key->employer_id);
    json_put_text(j, S("user_id"), is_persons ? key->owner_id : STR_NONE);
}

static void write_whole(struct cx *cx, struct json_out *j, const struct key *key)
{
    json_put_int(j, S("verification_count"), key->request_count);
    json_put_text(j, S("organization_id"), key->owner_id.n ? STR_NONE : key->employer_id);
    json_put_time(j, S("updated_on"), key->updated_at_ms);
    json_put_time(j, S("rotated_on"), key->rotated_at_ms);
    json_put_time(j, S("revoked_on"), key->revoked_at_ms);
    json_put_time(j, S("not_before"), key->not_before_ms);
    json_open_array(j, S("allowed_ip_cidrs"));
    for (size_t i = 0; i < key->n_cidrs; i++)
        json_put_text(j, STR_NONE, net_cidr_write(cx->arena, &key->cidrs[i]));
    json_close_array(j);
    places_write(j, S("places"), key->places);
    key_write_rate(j, &key_words_management, &key->rate);
    json_put_bool(j, S("instance"), key->is_instance);
    json_put_raw(j, S("metadata"), key->metadata.n ? key->metadata : S("{}"));
}

void manage_write_members(struct cx *cx, struct json_out *j, const struct key *key)
{
    json_put_text(j, S("id"), key->id);
    json_put_text(j, S("name"), key->name);
    json_put_text(j, S("type"), key->owner_id.n ? S("user") : S("organization"));
    json_put_text(j, S("status"), manage_status(key, cx->now_ms));
    json_put_text(j, S("key_prefix"), str_sub(key->prefix, 0, 6));
    json_put_text(j, S("key_suffix"), key->suffix.n ? key->suffix : STR_NONE);
    json_put_time(j, S("created_on"), key->created_at_ms);
    json_put_personal(j, S("created_by"), key->creator_name);
    json_put_time(j, S("last_verified_on"), key->last_used_at_ms);
    json_put_personal(j, S("last_verified_ip"), key->last_used_ip);
    json_open_array(j, S("api_ids"));
    json_put_text(j, STR_NONE, key->api_id);
    json_close_array(j);
    put_words(j, S("scopes"), key->scope_names);
    json_put_time(j, S("expires_on"), key->expires_at_ms);
    write_owner(j, key);
}

void manage_write_key(struct cx *cx, struct json_out *j, str name, const struct key *key,
                      bool is_whole)
{
    json_open_object(j, name);
    manage_write_members(cx, j, key);
    if (is_whole)
        write_whole(cx, j, key);
    json_close_object(j);
}
