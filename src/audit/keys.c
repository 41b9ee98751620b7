/* Reading, adding and re-wrapping the keys of the audit. */
#include "audit/keys.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "crypto/wrap.h"

/* The newest last; guarded by the lock, which is held for a copy only. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct audit_key *ring;
static size_t n_ring;

static str purpose(void)
{
    return S("sallyport audit key");
}

/* ---- opening ---- */

static enum err no_key(struct cx *cx, const struct audit_key_row *row)
{
    return fail(cx, E_STORE_DOWN,
                "the audit's key %.*s does not open with the instance key: the table audit_key was "
                "changed by hand; restore it from a backup",
                STR_ARG(row->id));
}

static enum err open_key(struct cx *cx, const struct instance_key *keys,
                         const struct audit_key_row *row, struct audit_key *out)
{
    DROP(secret) struct secret plain = {0};
    uint8_t bytes[AUDIT_KEY_BYTES];

    if (!wrap_open(cx->arena, keys, purpose(), row->id, row->wrapped, &plain) ||
        plain.n != AUDIT_KEY_BYTES)
        return no_key(cx, row);
    memcpy(bytes, secret_reveal(&plain).p, sizeof bytes);
    *out = audit_key_of(bytes);
    mem_wipe(bytes, sizeof bytes);
    return str_eq(audit_key_id(out), row->id) ? E_OK : no_key(cx, row);
}

static void drop_ring(struct audit_key *list, size_t n)
{
    if (n)
        mem_wipe(list, n * sizeof *list);
    free(list);
}

static void put_ring(struct audit_key *list, size_t n)
{
    pthread_rwlock_wrlock(&lock);
    struct audit_key *former = ring;
    size_t n_former = n_ring;
    ring = list;
    n_ring = n;
    pthread_rwlock_unlock(&lock);
    drop_ring(former, n_former);
}

enum err audit_keys_read(struct cx *cx, struct tx *tx)
{
    DROP(instance_key) struct instance_key keys;
    struct audit_key_rows rows;
    enum err e = E_OK;

    TRY(audit_list_keys(cx, tx, &rows));
    instance_key_get(&keys);
    struct audit_key *list = mem_new_array(rows.n + 1, sizeof *list);
    for (size_t i = 0; i < rows.n && e == E_OK; i++)
        e = open_key(cx, &keys, &rows.list[i], &list[i]);
    if (e != E_OK) {
        drop_ring(list, rows.n);
        return e;
    }
    put_ring(list, rows.n);
    return E_OK;
}

void audit_keys_forget(void)
{
    put_ring(NULL, 0);
}

/* ---- writing ---- */

enum err audit_keys_add(struct cx *cx, struct tx *tx, const struct instance_key *keys)
{
    uint8_t bytes[AUDIT_KEY_BYTES];
    struct audit_key_rows rows;

    TRY(audit_list_keys(cx, tx, &rows));
    random_bytes(bytes, sizeof bytes);
    DROP(audit_key) struct audit_key key = audit_key_of(bytes);
    struct audit_key_row row = {
        .generation = rows.n ? rows.list[rows.n - 1].generation + 1 : 1,
        .id = arena_dup(cx->arena, audit_key_id(&key)),
    };
    row.wrapped = wrap_close(cx->arena, keys->current, purpose(), row.id,
                             (str){(const char *)bytes, sizeof bytes});
    mem_wipe(bytes, sizeof bytes);
    return audit_insert_key(tx, &row, cx->now_ms);
}

enum err audit_keys_rewrap(struct cx *cx, struct tx *tx, const struct instance_key *keys)
{
    struct audit_key_rows rows;

    TRY(audit_list_keys(cx, tx, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        DROP(audit_key) struct audit_key key = {0};
        TRY(open_key(cx, keys, &rows.list[i], &key));
        str wrapped = wrap_close(cx->arena, keys->current, purpose(), rows.list[i].id,
                                 (str){(const char *)key.bytes, AUDIT_KEY_BYTES});
        TRY(audit_rewrap_key(tx, rows.list[i].generation, wrapped));
    }
    return E_OK;
}

/* ---- using ---- */

void audit_key_current(struct audit_key *out)
{
    pthread_rwlock_rdlock(&lock);
    assert(n_ring > 0); /* audit_open comes before whatever is audited */
    *out = ring[n_ring - 1];
    pthread_rwlock_unlock(&lock);
}

bool audit_key_find(str id, struct audit_key *out)
{
    bool is_there = false;

    pthread_rwlock_rdlock(&lock);
    for (size_t i = n_ring; i > 0 && !is_there; i--) {
        is_there = str_eq(audit_key_id(&ring[i - 1]), id);
        if (is_there)
            *out = ring[i - 1];
    }
    pthread_rwlock_unlock(&lock);
    return is_there;
}
