/* One function per thing that the management dialect can ask of keys. */
#include "keys/manage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit.h"
#include "base/banned.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/time.h"
#include "keys/scopes.h"
#include "keys/table.h"
#include "keys/unknown.h"

enum { REVOKED_AT_ONCE = 200, KEY_ID_MAX_BYTES = 64 };

struct key_view manage_view(const struct principal *who)
{
    bool sees_all = who->role == ROLE_ADMIN || who->is_instance;

    return (struct key_view){sees_all ? STR_NONE : who->employer_id};
}

static bool is_in_view(const struct cx *cx, str employer_id)
{
    struct key_view view = manage_view(cx->who);

    return str_is_none(view.employer_id) || str_eq(view.employer_id, employer_id);
}

/* ---- issuing ---- */

static enum err refuse(struct cx *cx, const char *member, const char *reason)
{
    struct form form;

    form_open_blank(&form, cx);
    form_problem(&form, member, "%s", reason);
    return form_close(&form);
}

/* A person of an employer that is not in view is nobody. */
static enum err find_person(struct cx *cx, struct tx *tx, struct key *key)
{
    static const char nobody[] = "is not the id of a user";
    bool is_active;
    enum err e = manage_find_person(cx, tx, key->owner_id, &key->employer_id, &is_active);

    if (e == E_ABSENT || (e == E_OK && !is_in_view(cx, key->employer_id)))
        return refuse(cx, "user_id", nobody);
    TRY(e);
    return is_active ? E_OK : refuse(cx, "user_id", "is the id of a user who is not active");
}

static enum err find_owner(struct cx *cx, struct tx *tx, const struct key_order *order,
                           struct key_owner *out)
{
    static const char nobody[] = "is not the code of an organization";
    const char *member = order->org_code.n ? "org_code" : "user_id";
    enum err e;

    if (!is_in_view(cx, order->key.employer_id))
        return refuse(cx, member, nobody);
    TRY(key_lock_all_of(tx, order->key.employer_id));
    e = manage_find_owner(cx, tx, order->key.employer_id, order->key.api_id, out);
    if (e == E_ABSENT)
        return refuse(cx, member, nobody);
    TRY(e);
    return out->is_active ? E_OK : refuse(cx, member, "is of an organization that is not active");
}

static enum err check_plan(struct cx *cx, const struct api *api, const struct key *key,
                           const struct key_owner *owner)
{
    struct scope_set planned = api_scopes_parse(api, owner->planned);
    struct scope_set beyond = {key->scopes.bits & ~planned.bits};

    if (beyond.bits == 0 && !str_is_none(owner->planned))
        return E_OK;
    fail_hint(cx, "Ask for scopes that the plan '%.*s' has, or ask an ADMIN to change the plan.",
              STR_ARG(owner->plan_name));
    if (str_is_none(owner->planned))
        return fail(cx, E_INVALID_SCOPE, "The plan '%.*s' does not have the API %.*s.",
                    STR_ARG(owner->plan_name), STR_ARG(api->id));
    str names = scope_names_write(&api->names, cx->arena, beyond);
    return fail(cx, E_INVALID_SCOPE, "The plan '%.*s' does not have: %.*s.",
                STR_ARG(owner->plan_name), STR_ARG(names));
}

/* Who manages by a key gives no more of the management API than the key has itself; and only a
 * person who sees the whole instance makes keys that do. */
static enum err check_grant(struct cx *cx, const struct key_order *order)
{
    const struct principal *who = cx->who;

    if (order->key.is_instance &&
        (who->role != ROLE_ADMIN ||
         (who->kind == PRINCIPAL_PERSON && !str_eq(who->home_employer_id, order->org_code))))
        return fail(cx, E_INSUFFICIENT_ROLE,
                    "Keys that manage the whole instance are made by an ADMIN, for the ADMIN's own "
                    "organization.");
    if (order->api.is_management && who->kind == PRINCIPAL_KEY &&
        !scope_has_all(who->scopes, order->key.scopes))
        return fail(cx, E_INSUFFICIENT_ROLE,
                    "A key gives no scope of the management API that it does not hold itself.");
    return E_OK;
}

static enum err check_room(struct cx *cx, struct tx *tx, const struct key_owner *owner,
                           int64_t wanted)
{
    int64_t max = keys_settings()->live_max;

    if (owner->keys_max && owner->keys_max < max)
        max = owner->keys_max;
    return key_check_room(cx, tx, owner->employer_id, max, wanted);
}

static enum err hold_api(struct cx *cx, struct tx *tx, const struct api *api)
{
    enum err e = api->is_builtin ? E_OK : manage_hold_api(tx, api->id);

    return e == E_ABSENT ? refuse(cx, "api_id", "is the id of an API that has been deleted") : e;
}

/* In the transaction that makes it: is this key to be had? Completes it. */
static enum err check_order(struct cx *cx, struct tx *tx, struct key_order *order,
                            struct key_owner *owner)
{
    if (order->org_code.n)
        order->key.employer_id = order->org_code;
    else
        TRY(find_person(cx, tx, &order->key));
    TRY(check_grant(cx, order));
    TRY(find_owner(cx, tx, order, owner));
    TRY(hold_api(cx, tx, &order->api));
    TRY(check_plan(cx, &order->api, &order->key, owner));
    if (!order->has_rate && owner->rate.requests)
        order->key.rate = owner->rate;
    return E_OK;
}

static enum err audit_made(struct cx *cx, struct tx *tx, const char *action, const struct key *key)
{
    return key_audit(cx, tx, action, key,
                     audit_detail(cx, F("name", key->name), F("api", key->api_id),
                                  F("user", key->owner_id.n ? key->owner_id : STR_NONE),
                                  F("scopes", key->scope_names),
                                  F("wholeInstance", key->is_instance ? S("yes") : STR_NONE),
                                  F("expiresAt", key_instant(cx, key->expires_at_ms))));
}

static enum err insert(struct cx *cx, struct tx *tx, const struct key_order *order,
                       const struct key_secret *secret, const char *action)
{
    TRY(keys_insert(tx, &order->key));
    TRY(keys_insert_secret(tx, order->key.id, secret, cx->now_ms));
    return audit_made(cx, tx, action, &order->key);
}

/* Keys of the enterprise API look alike, whoever made them. */
static void name_key(struct cx *cx, struct key_order *order)
{
    bool is_enterprise = order->api.number == API_ENTERPRISE;

    order->key.id = is_enterprise ? id_new(cx->arena, "key", cx->now_ms)
                                  : id_new_hex(cx->arena, "api_key_", cx->now_ms);
    order->key.created_by = cx->who->id;
}

struct issue {
    struct key_order *order;
    struct key_secret secret;
};

static enum err issue_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct issue *issue = arg;
    struct key_owner owner;

    TRY(check_order(cx, tx, issue->order, &owner));
    TRY(check_room(cx, tx, &owner, 1));
    return insert(cx, tx, issue->order, &issue->secret, "api_key.created");
}

enum err manage_issue(struct cx *cx, struct key_order *order, struct secret *raw)
{
    struct issue issue = {.order = order};

    name_key(cx, order);
    key_make_raw(cx, &order->api.form, &order->key, &issue.secret, raw);
    enum err e = store_run(cx, issue_in_tx, &issue);
    unknown_add(&issue.secret.digest);
    TRY(e);
    log_event(cx, LOG_INFO, "key.created", F("keyId", order->key.id),
              F("employerId", order->key.employer_id), F("api", order->api.id),
              F("by", cx->who->id));
    return E_OK;
}

/* ---- reading ---- */

static enum err find(struct cx *cx, struct tx *tx, str id, struct key *out)
{
    struct key_view view = manage_view(cx->who);
    enum err e = manage_find(cx, tx, &view, id, out);

    return e == E_ABSENT ? E_API_KEY_NOT_FOUND : e;
}

/* Before it is changed: nobody else changes keys of its employer from here on. */
static enum err find_to_change(struct cx *cx, struct tx *tx, str id, struct key *out)
{
    TRY(find(cx, tx, id, out));
    TRY(key_lock_all_of(tx, out->employer_id));
    return find(cx, tx, id, out);
}

struct get {
    str id;
    struct key *out;
};

static enum err get_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct get *get = arg;

    return find(cx, tx, get->id, get->out);
}

enum err manage_get(struct cx *cx, str id, struct key *out)
{
    struct get get = {id, out};

    return store_read(cx, get_in_tx, &get);
}

struct page_of_keys {
    const struct key_filter *filter;
    struct key_list *out;
};

static enum err page_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct page_of_keys *page = arg;
    struct key_view view = manage_view(cx->who);
    struct key after;

    if (!page->filter->after.n)
        return manage_list(cx, tx, &view, page->filter, NULL, page->out);
    enum err e = manage_find(cx, tx, &view, page->filter->after, &after);
    if (e == E_ABSENT)
        return fail(cx, E_INVALID_CURSOR, "starting_after is not the id of a key.");
    TRY(e);
    return manage_list(cx, tx, &view, page->filter, &after, page->out);
}

enum err manage_page(struct cx *cx, const struct key_filter *filter, struct key_list *out)
{
    struct page_of_keys page = {filter, out};

    return store_read(cx, page_in_tx, &page);
}

/* ---- changing ---- */

struct change {
    str id;
    const json_t *patch;
    struct key *out;
};

/* Scopes that are added are a grant like those of a new key, and no key makes another hold more. */
static enum err check_widening(struct cx *cx, struct tx *tx, const struct api *api,
                               const struct key *before, struct key *after)
{
    struct key_owner owner;

    if (scope_has_all(before->scopes, after->scopes))
        return E_OK;
    if (cx->who->kind == PRINCIPAL_KEY || !keys_settings()->scopes_may_widen)
        return fail(cx, E_INSUFFICIENT_ROLE,
                    "Scopes of an existing key may only be narrowed here.");
    TRY(manage_find_owner(cx, tx, after->employer_id, after->api_id, &owner));
    return check_plan(cx, api, after, &owner);
}

static enum err audit_change(struct cx *cx, struct tx *tx, const struct key *before,
                             const struct key *after)
{
    TRY(key_audit(cx, tx, "api_key.updated", after,
                  audit_detail(cx, F("changed", key_changes(cx->arena, before, after)),
                               F("status", after->is_active ? S("active") : S("inactive")))));
    if (scope_has_all(before->scopes, after->scopes))
        return E_OK;
    return key_audit(
        cx, tx, "api_key.scopes_widened", after,
        audit_detail(cx, F("before", before->scope_names), F("scopes", after->scope_names)));
}

static enum err not_active(struct cx *cx, const char *why)
{
    return fail(cx, E_API_KEY_NOT_ACTIVE, "%s", why);
}

static enum err change_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct change *change = arg;
    struct key *key = change->out;
    struct api api;
    struct form form;

    TRY(find_to_change(cx, tx, change->id, key));
    if (key->revoked_at_ms || !apis_copy_named(cx->arena, key->api_id, &api))
        return not_active(cx, "The key was revoked, and stays so.");
    struct key before = *key;
    form_open(&form, cx, change->patch);
    manage_read_patch(&form, &api, key);
    TRY(form_close(&form));
    TRY(check_widening(cx, tx, &api, &before, key));
    key->updated_at_ms = cx->now_ms;
    tx_announce(tx, "key", key->id);
    TRY(keys_update(tx, key));
    return audit_change(cx, tx, &before, key);
}

enum err manage_change(struct cx *cx, str id, const json_t *patch, struct key *out)
{
    struct change change = {id, patch, out};

    TRY(key_run_on(cx, id, change_in_tx, &change));
    log_event(cx, LOG_INFO, "key.updated", F("keyId", id), F("by", cx->who->id));
    return E_OK;
}

struct rotate {
    str id;
    int64_t overlap_s;
    struct key *out;
    struct secret *raw;
    struct key_secret kept;
};

static enum err check_may_rotate(struct cx *cx, const struct key *key)
{
    if (key->revoked_at_ms)
        return not_active(cx, "The key was revoked, and stays so.");
    if (!key->is_active)
        return not_active(cx, "The key is inactive; make it active first.");
    if (key->expires_at_ms && key->expires_at_ms <= cx->now_ms)
        return not_active(cx, "The key has expired; set a later expires_on first.");
    return E_OK;
}

static enum err rotate_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct rotate *rotate = arg;
    struct key *key = rotate->out;
    int64_t ends_at_ms = cx->now_ms + rotate->overlap_s * SECOND_MS;
    struct api api;

    TRY(find_to_change(cx, tx, rotate->id, key));
    TRY(check_may_rotate(cx, key));
    if (!apis_copy_named(cx->arena, key->api_id, &api))
        return not_active(cx, "The key's API has been deleted.");
    tx_announce(tx, "key", key->id);
    TRY(keys_end_secrets(tx, key->id, cx->now_ms, ends_at_ms));
    key_make_raw(cx, &api.form, key, &rotate->kept, rotate->raw);
    key->rotated_at_ms = key->updated_at_ms = cx->now_ms;
    TRY(keys_mark_rotated(tx, key));
    TRY(keys_insert_secret(tx, key->id, &rotate->kept, cx->now_ms));
    return key_audit(cx, tx, "api_key.rotated", key,
                     audit_detail(cx, F("overlapSeconds", rotate->overlap_s)));
}

enum err manage_rotate(struct cx *cx, str id, int64_t overlap_s, struct key *out,
                       struct secret *raw)
{
    struct rotate rotate = {.id = id, .overlap_s = overlap_s, .out = out, .raw = raw};
    enum err e = key_run_on(cx, id, rotate_in_tx, &rotate);

    unknown_add(&rotate.kept.digest);
    TRY(e);
    log_event(cx, LOG_INFO, "key.rotated", F("keyId", id), F("by", cx->who->id),
              F("overlapSeconds", overlap_s));
    return E_OK;
}

/* ---- revoking ---- */

static enum err mark_revoked(struct cx *cx, struct tx *tx, const struct key *key)
{
    tx_announce(tx, "key", key->id);
    TRY(keys_mark_revoked(tx, key->employer_id, key->id, cx->now_ms));
    return key_audit(cx, tx, "api_key.revoked", key, audit_detail(cx, F("name", key->name)));
}

static enum err revoke_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct get *get = arg;

    TRY(find_to_change(cx, tx, get->id, get->out));
    return get->out->revoked_at_ms ? E_OK : mark_revoked(cx, tx, get->out);
}

enum err manage_revoke(struct cx *cx, str id)
{
    struct key key;
    struct get get = {id, &key};

    TRY(key_run_on(cx, id, revoke_in_tx, &get));
    log_event(cx, LOG_INFO, "key.revoked", F("keyId", id), F("by", cx->who->id));
    return E_OK;
}

struct slice {
    const struct key_filter *filter;
    char last_id[KEY_ID_MAX_BYTES]; /* of the slices before; empty: this is the first */
    int64_t last_ms;
    struct key_list keys; /* while it is run */
    int64_t n;
};

static enum err count_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct slice *slice = arg;
    struct key_view view = manage_view(cx->who);

    return manage_count_live(tx, &view, slice->filter, &slice->n);
}

static enum err revoke_slice(struct cx *cx, struct tx *tx, void *arg)
{
    struct slice *slice = arg;
    struct key_view view = manage_view(cx->who);

    struct key last = {.id = str_of(slice->last_id), .created_at_ms = slice->last_ms};

    TRY(manage_list_live(cx, tx, &view, slice->filter, &last, REVOKED_AT_ONCE, &slice->keys));
    for (size_t i = 0; i < slice->keys.n; i++)
        TRY(mark_revoked(cx, tx, &slice->keys.list[i]));
    return E_OK;
}

static void note_last(struct slice *slice)
{
    const struct key *last = &slice->keys.list[slice->keys.n - 1];

    snprintf(slice->last_id, sizeof slice->last_id, "%.*s", STR_ARG(last->id));
    slice->last_ms = last->created_at_ms;
}

static struct failure failure_in(struct arena *arena, const struct failure *from)
{
    return (struct failure){.detail = arena_dup(arena, from->detail),
                            .hint = arena_dup(arena, from->hint),
                            .members = arena_dup(arena, from->members),
                            .retry_after_s = from->retry_after_s};
}

/* In memory of its own, for all of them may be hundreds of thousands. As key_run_on has it, the
 * keys are read again, whatever came of the commit. */
static enum err run_slice(struct cx *cx, struct slice *slice)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx part = *cx;

    part.arena = arena;
    slice->keys = (struct key_list){0};
    enum err e = store_run_large(&part, revoke_slice, slice);
    for (size_t i = 0; i < slice->keys.n; i++)
        table_touch(slice->keys.list[i].id);
    if (slice->keys.n)
        note_last(slice);
    if (e != E_OK)
        cx->failure = failure_in(cx->arena, &part.failure);
    return e;
}

enum err manage_revoke_all(struct cx *cx, const struct key_filter *filter, bool is_dry_run,
                           int64_t *n)
{
    struct slice slice = {.filter = filter};

    TRY(store_read(cx, count_in_tx, &slice));
    *n = slice.n;
    if (is_dry_run)
        return E_OK;
    *n = 0;
    do {
        TRY(run_slice(cx, &slice));
        *n += (int64_t)slice.keys.n;
    } while (slice.keys.n == REVOKED_AT_ONCE);
    log_event(cx, LOG_INFO, "keys.revoked", F("keys", *n), F("by", cx->who->id));
    return E_OK;
}

/* ---- importing ---- */

struct import {
    struct order_import *lines;
    size_t n;
    bool is_dry_run;
    size_t *at;
};

static bool has_sha512_in(const struct import *import)
{
    for (size_t i = 0; i < import->n; i++)
        if (import->lines[i].secret.is_sha512)
            return true;
    return false;
}

static int by_employer(const void *a, const void *b)
{
    const struct order_import *const *x = a, *const *y = b;

    return str_cmp((*x)->owner.employer_id, (*y)->owner.employer_id);
}

static int by_api(const void *a, const void *b)
{
    const struct order_import *const *x = a, *const *y = b;

    return str_cmp((*x)->order.api.id, (*y)->order.api.id);
}

/* The lines in an order in which alike ones are neighbours. */
static const struct order_import **sorted(struct cx *cx, const struct import *import,
                                          int (*compare)(const void *, const void *))
{
    const struct order_import **list = arena_alloc(cx->arena, import->n * sizeof *list);

    for (size_t i = 0; i < import->n; i++)
        list[i] = &import->lines[i];
    qsort(list, import->n, sizeof *list, compare);
    return list;
}

/* From now on texts of other forms are looked up in these APIs. */
static enum err note_apis(struct cx *cx, struct tx *tx, const struct import *import)
{
    const struct order_import **lines = sorted(cx, import, by_api);

    for (size_t i = 0; i < import->n; i++) {
        const struct api *api = &lines[i]->order.api;
        bool is_noted = i > 0 && by_api(&lines[i - 1], &lines[i]) == 0;
        if (!api->is_builtin && !is_noted)
            TRY(apis_note_imported(cx, tx, api->id));
    }
    return E_OK;
}

/* When all are in, and once for each: counting before each line would count the same keys over and
 * over. */
static enum err check_rooms(struct cx *cx, struct tx *tx, const struct import *import)
{
    const struct order_import **lines = sorted(cx, import, by_employer);

    for (size_t i = 0; i < import->n; i++)
        if (i == 0 || by_employer(&lines[i - 1], &lines[i]) != 0)
            TRY(check_room(cx, tx, &lines[i]->owner, 0));
    return E_OK;
}

static enum err import_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct import *import = arg;

    tx_announce(tx, "import", has_sha512_in(import) ? S("sha512") : S(""));
    for (*import->at = 0; *import->at < import->n; ++*import->at) {
        struct order_import *line = &import->lines[*import->at];
        TRY(check_order(cx, tx, &line->order, &line->owner));
        TRY(insert(cx, tx, &line->order, &line->secret, "api_key.imported"));
    }
    TRY(check_rooms(cx, tx, import));
    /* All of it has been tried, and is taken back. */
    return import->is_dry_run ? E_ABSENT : note_apis(cx, tx, import);
}

enum err manage_import(struct cx *cx, struct order_import *lines, size_t n, bool is_dry_run,
                       size_t *at)
{
    struct import import = {lines, n, is_dry_run, at};

    *at = 0;
    for (size_t i = 0; i < n; i++) {
        name_key(cx, &lines[i].order);
        lines[i].secret.is_imported = true;
    }
    enum err e = store_run_large(cx, import_in_tx, &import);
    if (is_dry_run) {
        cx->guard = NULL; /* a rehearsal is no change */
        return e == E_ABSENT ? E_OK : e;
    }
    for (size_t i = 0; i < *at; i++)
        unknown_add(&lines[i].secret.digest);
    keys_note_imported(has_sha512_in(&import));
    TRY(e);
    apis_learn_change(cx);
    log_event(cx, LOG_INFO, "keys.imported", F("keys", n), F("by", cx->who->id));
    return E_OK;
}
