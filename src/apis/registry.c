/* Shared state: `registry`, replaced whole under its lock and read within a read section. */
#include "apis/apis.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "apis/queries.h"
#include "base/log.h"
#include "base/rcu.h"
#include "crypto/digest.h"
#include "http/reply.h"

#include "base/banned.h"

enum { BUILTINS = 2 };

struct snapshot {
    struct arena *arena;
    struct api *list; /* the built-in ones by their numbers, then the others */
    size_t n;
    struct sha256 digest; /* of what the store has */
};

static struct {
    pthread_mutex_t lock;
    struct apis_settings settings;
    uint32_t next_number;
    atomic_bool is_stale;
    _Atomic(struct snapshot *) current;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const str management_texts[] = {
#define SCOPE(name, text, grants) {text, sizeof(text) - 1},
#include "management_scopes.def"
#undef SCOPE
};

static const str management_grants[] = {
#define SCOPE(name, text, grants) {grants, sizeof(grants) - 1},
#include "management_scopes.def"
#undef SCOPE
};

const struct scope_names scope_names_management = {management_texts, sizeof management_texts /
                                                                         sizeof *management_texts};

struct key_form apis_management_form(void)
{
    return (struct key_form){S("mk"), registry.settings.enterprise.environment};
}

/* ---- the built-in ones ---- */

/* Theirs are in no table, and yet everything has an id: the same in every process. */
static str scope_id_of(struct arena *arena, str api_id, str key)
{
    enum { ID_BYTES = 16 };
    struct sha256 digest =
        digest_sha256(arena_printf(arena, "%.*s %.*s", STR_ARG(api_id), STR_ARG(key)));
    char hex[2 * ID_BYTES];

    hex_write(digest.bytes, ID_BYTES, hex);
    return arena_printf(arena, "api_scope_%.*s", (int)sizeof hex, hex);
}

static const struct api_scope *scopes_of(struct arena *arena, const struct api *api)
{
    struct api_scope *scopes = arena_array(arena, api->names.n, sizeof *scopes);

    for (size_t i = 0; i < api->names.n; i++)
        scopes[i] = (struct api_scope){
            .id = scope_id_of(arena, api->id, api->names.texts[i]),
            .key = api->names.texts[i],
            .description = api->is_management ? management_grants[i] : scope_grants((enum scope)i)};
    return scopes;
}

static void put_builtin(struct snapshot *to)
{
    str url = http_public_url();

    to->list[API_ENTERPRISE] =
        (struct api){.number = API_ENTERPRISE,
                     .id = S("enterprise"),
                     .name = S("Enterprise API"),
                     .audience = arena_printf(to->arena, "%.*s/api/employer", STR_ARG(url)),
                     .form = registry.settings.enterprise,
                     .credential_field = S("x-api-key"),
                     .is_builtin = true,
                     .places = S(""),
                     .names = scope_names_enterprise};
    to->list[API_MANAGEMENT] =
        (struct api){.number = API_MANAGEMENT,
                     .id = S("management"),
                     .name = S("Management API"),
                     .audience = arena_printf(to->arena, "%.*s/api", STR_ARG(url)),
                     .form = apis_management_form(),
                     .credential_field = S("authorization"),
                     .is_builtin = true,
                     .is_management = true,
                     .places = S(""),
                     .names = scope_names_management};
    for (to->n = 0; to->n < BUILTINS; to->n++)
        to->list[to->n].scopes = scopes_of(to->arena, &to->list[to->n]);
}

/* ---- a snapshot ---- */

static struct snapshot *snapshot_new(void)
{
    struct arena *arena = arena_new();
    struct snapshot *made = ARENA_NEW(arena, struct snapshot);

    made->arena = arena;
    made->list = arena_array(arena, BUILTINS + APIS_MAX, sizeof *made->list);
    put_builtin(made);
    return made;
}

/* The management API is asked for by two spellings of its audience. */
static bool is_named(const struct api *api, str name)
{
    if (str_eq(api->id, name) || str_eq(api->audience, name))
        return true;
    return api->is_management && str_starts(name, api->audience) &&
           str_eq(str_sub(name, api->audience.n, name.n), S("/v1"));
}

static const struct api *find_in(const struct snapshot *in, str name)
{
    for (size_t i = 0; in && i < in->n; i++)
        if (is_named(&in->list[i], name))
            return &in->list[i];
    return NULL;
}

/* It lives in the arena itself. */
static void snapshot_drop(struct snapshot *snapshot)
{
    struct arena *arena = snapshot ? snapshot->arena : NULL;

    arena_drop(&arena);
}

static void swap_in(struct snapshot *made)
{
    struct snapshot *former = atomic_exchange(&registry.current, made);

    rcu_wait();
    snapshot_drop(former);
}

void apis_start(const struct apis_settings *settings)
{
    registry.settings = *settings;
    registry.next_number = BUILTINS;
    atomic_store(&registry.is_stale, false);
    swap_in(snapshot_new());
}

void apis_stop(void)
{
    swap_in(NULL);
}

/* ---- from the store ---- */

static void put_row(struct snapshot *to, const struct api_row *row)
{
    struct api_scope *scopes = arena_array(to->arena, SCOPES_MAX, sizeof *scopes);
    str *texts = arena_array(to->arena, SCOPES_MAX, sizeof *texts);
    const struct api *former = find_in(atomic_load(&registry.current), row->id);

    for (size_t i = 0; i < SCOPES_MAX; i++) {
        texts[i] = S("");
        scopes[i] = (struct api_scope){0};
    }
    to->list[to->n++] = (struct api){
        .number = former ? former->number : registry.next_number++,
        .id = arena_dup(to->arena, row->id),
        .name = arena_dup(to->arena, row->name),
        .audience = arena_dup(to->arena, row->audience),
        .form = {arena_dup(to->arena, row->key_prefix), registry.settings.enterprise.environment},
        .credential_field = arena_dup(to->arena, row->credential_field),
        .holds_imported = row->holds_imported,
        .places = arena_dup(to->arena, row->places),
        .created_at_ms = row->created_at_ms,
        .names = {texts, SCOPES_MAX},
        .scopes = scopes,
    };
}

static void put_scope(struct snapshot *to, const struct scope_row *row)
{
    const struct api *api = find_in(to, row->api_id);

    if (!api || api->is_builtin || row->bit < 0 || row->bit >= SCOPES_MAX)
        return;
    str key = arena_dup(to->arena, row->key);
    ((str *)api->names.texts)[row->bit] = key;
    ((struct api_scope *)api->scopes)[row->bit] = (struct api_scope){
        arena_dup(to->arena, row->id), row->number, key, arena_dup(to->arena, row->description)};
}

struct learning {
    struct snapshot *made;
    struct sha256_run digest;
};

static void note_row(const struct api_row *row, const struct scope_row *scope, void *arg)
{
    struct learning *learning = arg;

    if (row && learning->made->n < BUILTINS + APIS_MAX)
        put_row(learning->made, row);
    if (scope)
        put_scope(learning->made, scope);
}

static enum err learn_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct learning *learning = arg;

    (void)cx;
    TRY(apis_read_all(tx, note_row, learning, &learning->digest));
    learning->made->digest = digest_end(&learning->digest);
    return E_OK;
}

static bool is_news(const struct snapshot *made)
{
    const struct snapshot *current = atomic_load(&registry.current);

    return memcmp(&made->digest, &current->digest, sizeof made->digest) != 0;
}

/* Keys are made to read again while no other change can come between. */
static void take(struct snapshot *made)
{
    if (!is_news(made)) {
        snapshot_drop(made);
        return;
    }
    swap_in(made);
    if (registry.settings.changed)
        registry.settings.changed();
}

enum err apis_learn_store(struct cx *cx)
{
    pthread_mutex_lock(&registry.lock);
    struct learning learning = {.made = snapshot_new()};
    digest_begin(&learning.digest);
    digest_put(&learning.digest, http_public_url());
    atomic_store(&registry.is_stale, false);
    enum err e = store_read(cx, learn_in_tx, &learning);
    if (e == E_OK) {
        take(learning.made);
    } else {
        snapshot_drop(learning.made);
        atomic_store(&registry.is_stale, true);
    }
    pthread_mutex_unlock(&registry.lock);
    return e;
}

void apis_learn_change(struct cx *cx)
{
    if (apis_learn_store(cx) == E_OK)
        return;
    log_event(cx, LOG_WARN, "apis.not_learned", F("detail", cx->failure.detail));
    if (registry.settings.changed)
        registry.settings.changed();
}

void apis_hear(str kind, str subject)
{
    (void)subject;
    if (str_eq(kind, S("api")))
        atomic_store(&registry.is_stale, true);
}

enum err apis_begin(struct cx *cx)
{
    return apis_learn_store(cx);
}

void apis_distrust(void)
{
    atomic_store(&registry.is_stale, true);
}

enum err apis_refresh(struct cx *cx)
{
    return atomic_load_explicit(&registry.is_stale, memory_order_acquire) ? apis_learn_store(cx)
                                                                          : E_OK;
}

/* ---- reading ---- */

static const struct snapshot *current(void)
{
    return atomic_load_explicit(&registry.current, memory_order_acquire);
}

const struct api *apis_find(str id_or_audience)
{
    return find_in(current(), id_or_audience);
}

const struct api *apis_at(uint32_t number)
{
    const struct snapshot *in = current();

    for (size_t i = 0; in && i < in->n; i++)
        if (in->list[i].number == number)
            return &in->list[i];
    return NULL;
}

const struct api *apis_find_prefix(str prefix)
{
    const struct snapshot *in = current();

    for (size_t i = 0; in && i < in->n; i++)
        if (str_eq(in->list[i].form.prefix, prefix))
            return &in->list[i];
    return NULL;
}

static void copy_scopes(struct arena *arena, const struct api *api, struct api *out)
{
    str *texts = arena_array(arena, api->names.n, sizeof *texts);
    struct api_scope *scopes = arena_array(arena, api->names.n, sizeof *scopes);

    for (size_t i = 0; i < api->names.n; i++) {
        texts[i] = arena_dup(arena, api->names.texts[i]);
        scopes[i] = (struct api_scope){arena_dup(arena, api->scopes[i].id), api->scopes[i].number,
                                       texts[i], arena_dup(arena, api->scopes[i].description)};
    }
    out->names.texts = texts;
    out->scopes = scopes;
}

static void copy(struct arena *arena, const struct api *api, struct api *out)
{
    *out = *api;
    out->id = arena_dup(arena, api->id);
    out->name = arena_dup(arena, api->name);
    out->audience = arena_dup(arena, api->audience);
    out->form.prefix = arena_dup(arena, api->form.prefix);
    out->credential_field = arena_dup(arena, api->credential_field);
    out->places = arena_dup(arena, api->places);
    copy_scopes(arena, api, out);
}

bool apis_copy(struct arena *arena, uint32_t number, struct api *out)
{
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = apis_at(number);
    if (api)
        copy(arena, api, out);
    rcu_leave();
    return api != NULL;
}

bool apis_copy_named(struct arena *arena, str id_or_audience, struct api *out)
{
    rcu_thread_begin();
    rcu_enter();
    const struct api *api = id_or_audience.n ? apis_find(id_or_audience) : NULL;
    if (api)
        copy(arena, api, out);
    rcu_leave();
    return api != NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct api *left = a, *right = b;
    int order = str_cmp(left->name, right->name);

    return order ? order : str_cmp(left->id, right->id);
}

size_t apis_list(struct arena *arena, struct api **out)
{
    rcu_thread_begin();
    rcu_enter();
    const struct snapshot *in = current();
    struct api *list = arena_array(arena, in->n, sizeof *list);
    size_t n = in->n;
    for (size_t i = 0; i < n; i++)
        copy(arena, &in->list[i], &list[i]);
    rcu_leave();
    qsort(list, n, sizeof *list, by_name);
    *out = list;
    return n;
}
