/* Shared state: `registry`, replaced whole under its lock and read within a read section. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "apis/apis.h"
#include "base/rcu.h"
#include "store/store.h"

#include "base/banned.h"

enum { APIS_MAX = 1002 };

struct snapshot {
    struct arena *arena;
    struct api *list;
    size_t n;
};

static struct {
    pthread_mutex_t lock;
    struct apis_settings settings;
    uint32_t next_number;
    _Atomic(struct snapshot *) current;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const str management_texts[] = {
#define SCOPE(name, text, grants) {text, sizeof(text) - 1},
#include "management_scopes.def"
#undef SCOPE
};

static void put_builtin(struct snapshot *to)
{
    const struct apis_settings *s = &registry.settings;

    to->list[API_ENTERPRISE] = (struct api){
        .number = API_ENTERPRISE, .id = S("enterprise"), .name = S("Enterprise API"),
        .audience = arena_printf(to->arena, "%.*s/api/employer", STR_ARG(s->public_url)),
        .form = s->enterprise, .credential_field = S("x-api-key"), .is_builtin = true,
        .names = scope_names_enterprise};
    to->list[API_MANAGEMENT] = (struct api){
        .number = API_MANAGEMENT, .id = S("management"), .name = S("Management API"),
        .audience = arena_printf(to->arena, "%.*s/api", STR_ARG(s->public_url)),
        .form = {S("mk"), s->enterprise.environment}, .credential_field = S("authorization"),
        .is_builtin = true, .is_management = true,
        .names = {management_texts, sizeof management_texts / sizeof *management_texts}};
    to->n = 2;
}

static struct snapshot *snapshot_new(void)
{
    struct arena *arena = arena_new();
    struct snapshot *made = ARENA_NEW(arena, struct snapshot);

    made->arena = arena;
    made->list = arena_array(arena, APIS_MAX, sizeof *made->list);
    put_builtin(made);
    return made;
}

static const struct api *find_in(const struct snapshot *in, str id)
{
    for (size_t i = 0; in && i < in->n; i++)
        if (str_eq(in->list[i].id, id) || str_eq(in->list[i].audience, id))
            return &in->list[i];
    return NULL;
}

static void swap_in(struct snapshot *made)
{
    struct snapshot *former = atomic_exchange(&registry.current, made);

    rcu_wait();
    if (former)
        arena_drop(&former->arena);
}

void apis_start(const struct apis_settings *settings)
{
    registry.settings = *settings;
    registry.next_number = 2;
    swap_in(snapshot_new());
}

void apis_stop(void)
{
    swap_in(NULL);
}

static enum err read_apis(struct tx *tx, struct snapshot *to)
{
    static const char sql[] = "SELECT id, name, audience, key_prefix, credential, places FROM api"
                              " WHERE deleted_at_ms = 0";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(), &rows));
    while (to->n < APIS_MAX && rows_next(rows, &e)) {
        const struct api *former = find_in(atomic_load(&registry.current), rows_text(rows, 0));
        struct api_scope *scopes = arena_array(to->arena, SCOPES_MAX, sizeof *scopes);
        str *texts = arena_array(to->arena, SCOPES_MAX, sizeof *texts);
        memset(texts, 0, SCOPES_MAX * sizeof *texts);
        to->list[to->n++] = (struct api){
            .number = former ? former->number : registry.next_number++,
            .id = arena_dup(to->arena, rows_text(rows, 0)),
            .name = arena_dup(to->arena, rows_text(rows, 1)),
            .audience = arena_dup(to->arena, rows_text(rows, 2)),
            .form = {arena_dup(to->arena, rows_text(rows, 3)), registry.settings.enterprise.environment},
            .credential_field = arena_dup(to->arena, rows_text(rows, 4)),
            .places = arena_dup(to->arena, rows_text(rows, 5)),
            .names = {texts, SCOPES_MAX},
            .scopes = scopes};
    }
    return e;
}

static enum err read_scopes(struct tx *tx, struct snapshot *to)
{
    static const char sql[] = "SELECT api_id, id, number, bit, scope_key, description FROM api_scope";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(), &rows));
    while (rows_next(rows, &e)) {
        const struct api *api = find_in(to, rows_text(rows, 0));
        int64_t bit = rows_int(rows, 3);
        if (!api || bit < 0 || bit >= SCOPES_MAX)
            continue;
        str key = arena_dup(to->arena, rows_text(rows, 4));
        ((str *)api->names.texts)[bit] = key;
        ((struct api_scope *)api->scopes)[bit] = (struct api_scope){
            arena_dup(to->arena, rows_text(rows, 1)), rows_int(rows, 2), key,
            arena_dup(to->arena, rows_text(rows, 5))};
    }
    return e;
}

static enum err learn_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    (void)cx;
    TRY(read_apis(tx, arg));
    return read_scopes(tx, arg);
}

enum err apis_learn_store(struct cx *cx)
{
    pthread_mutex_lock(&registry.lock);
    struct snapshot *made = snapshot_new();
    enum err e = store_read(cx, learn_in_tx, made);
    if (e == E_OK)
        swap_in(made);
    else
        arena_drop(&made->arena);
    pthread_mutex_unlock(&registry.lock);
    return e;
}

const struct api *apis_find(str id_or_audience)
{
    return find_in(atomic_load_explicit(&registry.current, memory_order_acquire), id_or_audience);
}

const struct api *apis_at(uint32_t number)
{
    const struct snapshot *in = atomic_load_explicit(&registry.current, memory_order_acquire);

    for (size_t i = 0; in && i < in->n; i++)
        if (in->list[i].number == number)
            return &in->list[i];
    return NULL;
}

const struct api *apis_find_prefix(str prefix)
{
    const struct snapshot *in = atomic_load_explicit(&registry.current, memory_order_acquire);

    for (size_t i = 0; in && i < in->n; i++)
        if (str_eq(in->list[i].form.prefix, prefix))
            return &in->list[i];
    return NULL;
}

bool apis_copy(struct arena *arena, uint32_t number, struct api *out)
{
    rcu_enter();
    const struct api *api = apis_at(number);
    if (api) {
        *out = *api;
        out->id = arena_dup(arena, api->id);
        out->name = arena_dup(arena, api->name);
        out->audience = arena_dup(arena, api->audience);
        out->form.prefix = arena_dup(arena, api->form.prefix);
        out->credential_field = arena_dup(arena, api->credential_field);
        if (!api->is_builtin) {
            str *texts = arena_array(arena, api->names.n, sizeof *texts);
            struct api_scope *scopes = arena_array(arena, api->names.n, sizeof *scopes);
            for (size_t i = 0; i < api->names.n; i++) {
                texts[i] = arena_dup(arena, api->names.texts[i]);
                scopes[i] = api->scopes[i];
                scopes[i].id = arena_dup(arena, api->scopes[i].id);
            }
            out->names.texts = texts;
            out->scopes = scopes;
        }
    }
    rcu_leave();
    return api != NULL;
}
