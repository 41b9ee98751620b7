/* backup and restore: the store opened here, whether or not a server runs on it. */
#include <inttypes.h>
#include <stdio.h>

#include "app/cli.h"
#include "backup/backup.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/time.h"
#include "crypto/instance_key.h"
#include "store/catalog.h"

/* ---- the key that is not in the file ---- */

/* Whether the key that a restored store needs is where this server would look for it. */
enum key_place { KEY_IS_THERE, KEY_IS_ANOTHER, KEY_IS_MISSING, KEY_IS_UNREADABLE };

static enum key_place find_key(struct arena *arena, const struct config *config, str wanted)
{
    DROP(instance_key) struct instance_key key = {0};
    str why;

    if (secret_is_set(&config->instance_key)) {
        if (!instance_key_parse(secret_reveal(&config->instance_key), &key))
            return KEY_IS_UNREADABLE;
    } else {
        enum err e = instance_key_read_file(arena, config->key_file.p, &key, &why);
        if (e != E_OK)
            return e == E_ABSENT ? KEY_IS_MISSING : KEY_IS_UNREADABLE;
    }
    struct instance_key_id current = instance_key_id_of(key.current);
    struct instance_key_id previous = instance_key_id_of(key.previous);
    bool is_it = str_eq(instance_key_id_text(&current), wanted) ||
                 (key.has_previous && str_eq(instance_key_id_text(&previous), wanted));
    return is_it ? KEY_IS_THERE : KEY_IS_ANOTHER;
}

static void tell_key_of_backup(struct buf *out, const struct config *config, str id)
{
    if (str_is_none(id))
        return;
    buf_printf(out,
               "\nThe instance key is not in it. A restored store needs the key %.*s: keep a copy "
               "of\n%s in another place.\n",
               STR_ARG(id),
               secret_is_set(&config->instance_key) ? "the setting instance_key"
                                                    : config->key_file.p);
}

static void tell_key_to_bring(struct buf *out, const struct config *config, str id)
{
    if (secret_is_set(&config->instance_key))
        buf_printf(out,
                   "Before `sallyport serve`, put the key\n%.*s into the setting instance_key, "
                   "which holds another.\n",
                   STR_ARG(id));
    else
        buf_printf(out,
                   "Before `sallyport serve`, put the file that holds the key\n%.*s at %s, with "
                   "the rights 0600.\n",
                   STR_ARG(id), config->key_file.p);
}

static void tell_key_of_restored(struct arena *arena, struct buf *out, const struct config *config,
                                 str id)
{
    if (str_is_none(id)) {
        buf_put(out, S("\nIts store had no instance key yet: the first start makes one.\n"));
        return;
    }
    buf_put(out, S("\nThe instance key is not in a backup. "));
    switch (find_key(arena, config, id)) {
    case KEY_IS_THERE:
        buf_printf(out, "The one it needs, %.*s, is in its place:\n%s.\n", STR_ARG(id),
                   secret_is_set(&config->instance_key) ? "the setting instance_key"
                                                        : config->key_file.p);
        return;
    case KEY_IS_ANOTHER:
        if (!secret_is_set(&config->instance_key))
            buf_printf(out, "%s holds another than it needs.\n", config->key_file.p);
        break;
    case KEY_IS_UNREADABLE:
        if (!secret_is_set(&config->instance_key))
            buf_printf(out, "%s cannot be used.\n", config->key_file.p);
        break;
    case KEY_IS_MISSING:
        break;
    }
    tell_key_to_bring(out, config, id);
}

/* ---- telling ---- */

static void put_amount(struct buf *out, const struct backup_summary *s)
{
    buf_printf(out, "%" PRId64 " row%s of %" PRId64 " tables, %" PRId64 " bytes, schema %" PRId64,
               s->rows, s->rows == 1 ? "" : "s", s->tables, s->bytes, s->schema);
}

static void put_json(struct buf *out, str file, const struct backup_summary *s)
{
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("file"), file);
    json_put_int(&j, S("bytes"), s->bytes);
    json_put_int(&j, S("schema"), s->schema);
    json_put_text(&j, S("engine"), s->engine);
    json_put_time(&j, S("createdAt"), s->created_at_ms);
    json_put_text(&j, S("sallyport"), s->release);
    json_put_int(&j, S("tables"), s->tables);
    json_put_int(&j, S("rows"), s->rows);
    json_put_text(&j, S("instanceKeyId"), s->instance_key_id);
    json_close_object(&j);
}

static void tell_written(struct cli_backup *run, const struct backup_summary *s)
{
    buf_printf(run->out, "Wrote %.*s: ", STR_ARG(run->file));
    put_amount(run->out, s);
    buf_put(run->out, S(".\nIt was read back, and is whole.\n"));
    tell_key_of_backup(run->out, run->config, s->instance_key_id);
}

static str engine_name(str engine)
{
    if (str_eq(engine, S("sqlite")))
        return S("SQLite");
    return str_eq(engine, S("postgresql")) ? S("PostgreSQL") : engine;
}

static void tell_checked(struct cli_backup *run, const struct backup_summary *s)
{
    char at[TIME_TEXT_BYTES];
    str engine = engine_name(s->engine);

    time_write(s->created_at_ms, at);
    buf_printf(run->out, "%.*s is whole: ", STR_ARG(run->file));
    put_amount(run->out, s);
    buf_printf(run->out, ".\nWritten %.*s from %.*s by sallyport %.*s.\n", (int)sizeof at, at,
               STR_ARG(engine), STR_ARG(s->release));
    if (!str_is_none(s->instance_key_id))
        buf_printf(run->out, "Its store needs the instance key %.*s.\n",
                   STR_ARG(s->instance_key_id));
}

static void tell_restored(struct cli_backup *run, const struct backup_summary *s)
{
    buf_printf(run->out, "Restored %" PRId64 " row%s of %" PRId64 " tables.\n", s->rows,
               s->rows == 1 ? "" : "s", s->tables);
    tell_key_of_restored(run->arena, run->out, run->config, s->instance_key_id);
}

/* ---- doing ---- */

typedef enum err (*store_opening)(struct arena *arena, const struct store_options *options,
                                  struct store **out, str *why);

static enum err open_store(struct cli_backup *run, struct cx *cx, store_opening open)
{
    struct store_options options = {
        .url = run->config->database_url.p, .readers = 1, .connections = 1};
    str why = STR_NONE;

    if (open(cx->arena, &options, &cx->store, &why) == E_OK)
        return E_OK;
    return fail(cx, E_STORE_DOWN, "cannot open the store: %.*s", STR_ARG(why));
}

static enum err write_backup(struct cli_backup *run, struct cx *cx, struct backup_summary *out)
{
    TRY(open_store(run, cx, store_open_reading));
    enum err e = backup_write(cx, run->file.p, out);
    store_drop(&cx->store);
    return e;
}

/* The whole file first: nothing is made for one that is not whole. */
static enum err restore_backup(struct cli_backup *run, struct cx *cx, struct backup_summary *out)
{
    TRY(backup_check(cx, run->file.p, out));
    TRY(open_store(run, cx, store_open_bare));
    enum err e = backup_restore(cx, run->file.p, out);
    store_drop(&cx->store);
    return e;
}

static enum err check_backup(struct cli_backup *run, struct cx *cx, struct backup_summary *out)
{
    return backup_check(cx, run->file.p, out);
}

/* What a backup on standard output is told about goes nowhere: it would be part of it. */
static bool has_room_to_tell(const struct cli_backup *run)
{
    return run->what != BACKUP_WRITE || !str_eq(run->file, S("-"));
}

bool cli_backup(struct cli_backup *run, enum err *e, str *why)
{
    static const struct {
        enum err (*work)(struct cli_backup *run, struct cx *cx, struct backup_summary *out);
        void (*tell)(struct cli_backup *run, const struct backup_summary *s);
        const char *doing;
    } ways[] = {
        [BACKUP_WRITE] = {write_backup, tell_written, "writing a backup"},
        [BACKUP_RESTORE] = {restore_backup, tell_restored, "restoring a backup"},
        [BACKUP_CHECK] = {check_backup, tell_checked, "checking a backup"},
    };
    struct backup_summary summary;
    struct cx cx = {.arena = run->arena, .now_ms = time_now_ms(), .doing = ways[run->what].doing};

    *e = ways[run->what].work(run, &cx, &summary);
    if (*e != E_OK) {
        *why = cx.failure.detail.n ? cx.failure.detail : err_info(*e)->message;
        return false;
    }
    if (!has_room_to_tell(run))
        return true;
    if (run->is_json)
        put_json(run->out, run->file, &summary);
    else
        ways[run->what].tell(run, &summary);
    return true;
}
