/* One function per thing that can be asked of APIs. */
#include "apis/ops.h"

#include "apis/rules.h"
#include "audit/audit.h"
#include "base/ids.h"
#include "base/log.h"

/* ---- what every change is made of ---- */

/* After E_STORE_DOWN too: the commit may have been made, and only its answer lost. */
static enum err run(struct cx *cx, store_work work, void *arg)
{
    enum err e = store_run(cx, work, arg);

    if (e != E_OK && e != E_STORE_DOWN)
        return e;
    apis_distrust();
    if (e == E_OK)
        apis_learn_change(cx);
    return e;
}

static enum err refuse(struct cx *cx, const char *member, const char *reason)
{
    struct form form;

    form_open_blank(&form, cx);
    form_problem(&form, member, "%s", reason);
    return form_close(&form);
}

static enum err audit_api(struct cx *cx, struct tx *tx, const char *action, str api_id, str detail)
{
    return audit_write(
        cx, tx,
        &(struct audit_line){
            .action = action, .target_kind = "api", .target_id = api_id, .detail = detail});
}

static enum err refuse_built_in(struct cx *cx, str id)
{
    struct api api;

    if (!apis_copy_named(cx->arena, id, &api) || !api.is_builtin || !str_eq(api.id, id))
        return E_OK;
    return fail(cx, E_API_BUILT_IN, "%.*s is built in.", STR_ARG(api.name));
}

static enum err hold(struct cx *cx, struct tx *tx, str id, struct api_row *out)
{
    enum err e = apis_hold(cx, tx, id, out);

    return e == E_ABSENT ? E_API_NOT_FOUND : e;
}

/* ---- APIs ---- */

static enum err insert_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct api_row *api = arg;
    int64_t n = 0;

    TRY(tx_lock(tx, "apis", S("")));
    TRY(apis_count(tx, &n));
    if (n >= APIS_MAX)
        return E_API_LIMIT;
    tx_announce(tx, "api", api->id);
    enum err e = apis_insert(tx, api);
    if (e == E_STORE_CONFLICT)
        return refuse(cx, "audience", "is another API's");
    TRY(e);
    return audit_api(cx, tx, "api.created", api->id,
                     audit_detail(cx, F("name", api->name), F("audience", api->audience)));
}

static bool is_builtin_audience(struct cx *cx, str audience)
{
    struct api api;

    return apis_copy_named(cx->arena, audience, &api) && api.is_builtin;
}

enum err apis_register(struct cx *cx, struct api_row *api)
{
    if (is_builtin_audience(cx, api->audience))
        return refuse(cx, "audience", "is another API's");
    api->id = id_new_hex(cx->arena, "", cx->now_ms);
    api->created_at_ms = api->updated_at_ms = cx->now_ms;
    TRY(run(cx, insert_in_tx, api));
    log_event(cx, LOG_INFO, "api.created", F("apiId", api->id));
    return E_OK;
}

struct change {
    str id;
    const json_t *patch;
    struct api_row *out;
};

static enum err change_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct change *change = arg;
    struct api_row *api = change->out;
    struct form form;

    TRY(hold(cx, tx, change->id, api));
    form_open(&form, cx, change->patch);
    apis_read_patch(&form, api);
    TRY(form_close(&form));
    api->updated_at_ms = cx->now_ms;
    tx_announce(tx, "api", api->id);
    TRY(apis_update(tx, api));
    return audit_api(cx, tx, "api.updated", api->id,
                     audit_detail(cx, F("name", api->name), F("keyPrefix", api->key_prefix),
                                  F("credentialHeader", api->credential_field),
                                  F("places", api->places)));
}

enum err apis_change(struct cx *cx, str id, const json_t *patch, struct api_row *out)
{
    struct change change = {id, patch, out};

    TRY(refuse_built_in(cx, id));
    TRY(run(cx, change_in_tx, &change));
    log_event(cx, LOG_INFO, "api.updated", F("apiId", id));
    return E_OK;
}

struct deletion {
    str api_id;
    str scope_id; /* STR_NONE: the API itself */
    bool is_forced;
    struct api_use *use;
};

/* Which keys would stop, or lose something: in the answer, so that it can be looked at first. */
static enum err refuse_in_use(struct cx *cx, const struct deletion *deletion)
{
    const struct api_use *use = deletion->use;
    struct buf members;
    struct json_out j = {&members};

    if (use->n == 0 || deletion->is_forced)
        return E_OK;
    buf_init(&members, 16 * 1024);
    json_put_int(&j, S("affected_keys"), use->n);
    json_open_array(&j, S("affected_key_ids"));
    for (size_t i = 0; i < use->n_ids; i++)
        json_put_text(&j, STR_NONE, use->ids[i]);
    json_close_array(&j);
    cx->failure.members = arena_dup(cx->arena, buf_str(&members));
    buf_drop(&members);
    fail_hint(
        cx, "Revoke the keys of affected_key_ids first, or send ?force=true (sallyport: --force).");
    return fail(cx, E_API_IN_USE, "%lld live key%s %s it.", (long long)use->n,
                use->n == 1 ? "" : "s", use->n == 1 ? "uses" : "use");
}

static enum err delete_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct deletion *deletion = arg;
    struct api_row api;

    TRY(hold(cx, tx, deletion->api_id, &api));
    TRY(apis_find_use(cx, tx, api.id, STR_NONE, deletion->use));
    TRY(refuse_in_use(cx, deletion));
    tx_announce(tx, "api", api.id);
    TRY(apis_mark_deleted(tx, api.id, cx->now_ms));
    TRY(apis_revoke_keys(tx, api.id, cx->now_ms));
    return audit_api(cx, tx, "api.deleted", api.id,
                     audit_detail(cx, F("name", api.name), F("keysRevoked", deletion->use->n)));
}

enum err apis_delete(struct cx *cx, str id, bool is_forced, struct api_use *use)
{
    struct deletion deletion = {id, STR_NONE, is_forced, use};

    TRY(refuse_built_in(cx, id));
    TRY(run(cx, delete_in_tx, &deletion));
    log_event(cx, LOG_INFO, "api.deleted", F("apiId", id), F("keysRevoked", use->n));
    return E_OK;
}

/* ---- scopes ---- */

static enum err audit_scope(struct cx *cx, struct tx *tx, const char *action,
                            const struct scope_row *scope, const struct api_use *use)
{
    return audit_api(cx, tx, action, scope->api_id,
                     audit_detail(cx, F("scope", scope->key), F("scopeId", scope->id),
                                  F("keysAffected", use ? use->n : 0)));
}

static enum err insert_scope_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct scope_row *scope = arg;
    struct api_row api;

    TRY(hold(cx, tx, scope->api_id, &api));
    TRY(scopes_find_room(tx, api.id, &scope->bit));
    if (scope->bit >= SCOPES_MAX)
        return refuse(cx, "key", "is one too many: an API has at most 64 scopes");
    scope->number = api.next_scope++;
    api.updated_at_ms = cx->now_ms;
    tx_announce(tx, "api", api.id);
    enum err e = scopes_insert(tx, scope);
    if (e == E_STORE_CONFLICT)
        return refuse(cx, "key", "is there already");
    TRY(e);
    TRY(apis_update(tx, &api));
    return audit_scope(cx, tx, "api_scope.created", scope, NULL);
}

enum err apis_add_scope(struct cx *cx, struct scope_row *scope)
{
    TRY(refuse_built_in(cx, scope->api_id));
    scope->id = id_new_hex(cx->arena, "api_scope_", cx->now_ms);
    scope->created_at_ms = scope->updated_at_ms = cx->now_ms;
    return run(cx, insert_scope_in_tx, scope);
}

static enum err find_scope(struct cx *cx, struct tx *tx, str api_id, str id, struct scope_row *out)
{
    struct api_row api;

    TRY(hold(cx, tx, api_id, &api));
    enum err e = scopes_find(cx, tx, api_id, id, out);
    return e == E_ABSENT ? E_API_SCOPE_NOT_FOUND : e;
}

static enum err describe_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct scope_row *wanted = arg;
    struct scope_row scope;

    TRY(find_scope(cx, tx, wanted->api_id, wanted->id, &scope));
    scope.description = wanted->description;
    scope.updated_at_ms = cx->now_ms;
    tx_announce(tx, "api", scope.api_id);
    TRY(scopes_update(tx, &scope));
    return audit_scope(cx, tx, "api_scope.updated", &scope, NULL);
}

enum err apis_describe_scope(struct cx *cx, struct scope_row *scope)
{
    TRY(refuse_built_in(cx, scope->api_id));
    return run(cx, describe_in_tx, scope);
}

static enum err delete_scope_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct deletion *deletion = arg;
    char word[STR_INT_BYTES];
    struct scope_row scope;

    TRY(find_scope(cx, tx, deletion->api_id, deletion->scope_id, &scope));
    TRY(apis_find_use(cx, tx, scope.api_id, (str){word, str_write_int(scope.number, word)},
                      deletion->use));
    TRY(refuse_in_use(cx, deletion));
    tx_announce(tx, "api", scope.api_id);
    TRY(scopes_delete(tx, scope.id));
    return audit_scope(cx, tx, "api_scope.deleted", &scope, deletion->use);
}

enum err apis_delete_scope(struct cx *cx, str api_id, str id, bool is_forced, struct api_use *use)
{
    struct deletion deletion = {api_id, id, is_forced, use};

    TRY(refuse_built_in(cx, api_id));
    return run(cx, delete_scope_in_tx, &deletion);
}

enum err apis_note_imported(struct cx *cx, struct tx *tx, str api_id)
{
    tx_announce(tx, "api", api_id);
    return apis_mark_imported(tx, api_id, cx->now_ms);
}
