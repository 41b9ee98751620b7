/* The instance key from start to stop, and its rotation. */
#include "instance/ops.h"

#include <pthread.h>

#include "audit/audit.h"
#include "base/log.h"
#include "decide/principal.h"
#include "instance/queries.h"

/* Set at start: NULL if a setting holds the key. */
static const char *key_file;

/* Held for a whole rotation, its writes included: two at once would lose one's key. Nobody else
 * takes it; those who use the key have a lock of their own. */
static pthread_mutex_t rotation_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- what the store remembers ---- */

struct memory {
    str id;
    bool is_there;
};

static enum err find_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct memory *memory = arg;
    enum err e = instance_find_key_id(cx, tx, &memory->id);

    memory->is_there = e == E_OK;
    return e == E_ABSENT ? E_OK : e;
}

/* Another node may have been first: what is there then stays, and is compared. */
static enum err insert_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct memory *memory = arg;

    bool is_first = false;

    TRY(instance_insert_key_id(tx, memory->id, cx->now_ms, &is_first));
    if (is_first)
        TRY(audit_allow_opening(tx));
    return find_in_tx(cx, tx, memory);
}

/* What is kept under the former key is made anew under the new one, all or nothing. */
static enum err update_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct instance_key *key = arg;
    struct instance_key_id id = instance_key_id_of(key->current);

    TRY(instance_update_key_id(tx, instance_key_id_text(&id), cx->now_ms));
    TRY(audit_rekey(cx, tx, key));
    return audit_write(cx, tx,
                       &(struct audit_line){
                           .action = "instance.rekeyed",
                           .target_kind = "instance_key",
                           .target_id = instance_key_id_text(&id),
                       });
}

enum err instance_read_key_id(struct cx *cx, struct tx *tx, str *out)
{
    return instance_find_key_id(cx, tx, out);
}

/* ---- start ---- */

static enum err missing_file(struct cx *cx, str remembered)
{
    return fail(cx, E_STORE_DOWN,
                "the instance key's file %s is missing, and this database was made with the key "
                "%.*s: put the file back, or name it in key_file",
                key_file, STR_ARG(remembered));
}

static enum err read_or_make(struct cx *cx, const struct memory *memory, struct instance_key *out)
{
    str why = STR_NONE;
    enum err e = instance_key_read_file(cx->arena, key_file, out, &why);

    if (e == E_ABSENT && memory->is_there)
        return missing_file(cx, memory->id);
    if (e == E_ABSENT) {
        instance_key_make(out);
        e = instance_key_write_file(cx->arena, key_file, out, &why);
        if (e == E_OK)
            log_event(cx, LOG_INFO, "instance.key_made", F("file", key_file));
    }
    return e == E_OK ? E_OK : fail(cx, e, "%.*s", STR_ARG(why));
}

static enum err other_key(struct cx *cx, const struct instance_key_id *id, str remembered)
{
    return fail(cx, E_STORE_DOWN,
                "the instance key %.*s is not this database's, which was made with %.*s: put its "
                "own key into %s",
                STR_ARG(instance_key_id_text(id)), STR_ARG(remembered),
                key_file ? key_file : "instance_key");
}

/*
 * A rotation writes the file first and then the store. One that was cut off between the two, or
 * done by hand in a setting, is seen by the store remembering the previous key, and completed.
 */
static enum err compare(struct cx *cx, const struct instance_key *key, struct memory *memory,
                        bool *is_rotated)
{
    struct instance_key_id current = instance_key_id_of(key->current);
    struct instance_key_id previous = instance_key_id_of(key->previous);

    if (!memory->is_there) {
        memory->id = instance_key_id_text(&current);
        TRY(store_run(cx, insert_in_tx, memory));
    }
    *is_rotated = !str_eq(memory->id, instance_key_id_text(&current));
    if (*is_rotated && (!key->has_previous || !str_eq(memory->id, instance_key_id_text(&previous))))
        return other_key(cx, &current, memory->id);
    return E_OK;
}

static enum err complete(struct cx *cx, struct instance_key *key)
{
    struct instance_key_id current = instance_key_id_of(key->current);
    struct instance_key_id previous = instance_key_id_of(key->previous);

    TRY(store_run(cx, update_in_tx, key));
    log_event(cx, LOG_INFO, "instance.key_rotated", F("keyId", instance_key_id_text(&current)),
              F("previous", instance_key_id_text(&previous)));
    return audit_open(cx);
}

enum err instance_start(struct cx *cx, const struct instance_settings *settings)
{
    DROP(instance_key) struct instance_key key = {0};
    struct memory memory = {0};
    bool is_rotated = false;

    key_file = secret_is_set(settings->key) ? NULL : settings->key_file;
    TRY(store_read(cx, find_in_tx, &memory));
    if (key_file)
        TRY(read_or_make(cx, &memory, &key));
    else if (!instance_key_parse(secret_reveal(settings->key), &key))
        return fail(cx, E_STORE_DOWN,
                    "instance_key holds no key: it must be 64 hex digits, or two "
                    "times 64 with a colon between");
    TRY(compare(cx, &key, &memory, &is_rotated));
    instance_key_set(&key);
    TRY(audit_open(cx));
    return is_rotated ? complete(cx, &key) : E_OK;
}

void instance_stop(void)
{
    instance_key_unset();
}

/* ---- rotation ---- */

static enum err rotate_locked(struct cx *cx, struct rotation *out)
{
    DROP(instance_key) struct instance_key former = {0};
    DROP(instance_key) struct instance_key made = {0};
    str why = STR_NONE;

    instance_key_get(&former);
    instance_key_rotate(&former, &made);
    out->current = instance_key_id_of(made.current);
    out->previous = instance_key_id_of(made.previous);
    enum err e = instance_key_write_file(cx->arena, key_file, &made, &why);
    if (e != E_OK)
        return fail(cx, e, "%.*s", STR_ARG(why));
    /* From here on the file is ahead of the store: a crash is put right by the next start. */
    TRY(store_run(cx, update_in_tx, &made));
    instance_key_set(&made);
    return audit_open(cx);
}

enum err instance_rotate_key(struct cx *cx, struct rotation *out)
{
    if (!key_file)
        return E_INSTANCE_KEY_FIXED;
    pthread_mutex_lock(&rotation_lock);
    enum err e = rotate_locked(cx, out);
    pthread_mutex_unlock(&rotation_lock);
    TRY(e);
    log_event(cx, LOG_INFO, "instance.key_rotated", F("keyId", instance_key_id_text(&out->current)),
              F("previous", instance_key_id_text(&out->previous)), F("by", cx->who->id));
    return E_OK;
}
