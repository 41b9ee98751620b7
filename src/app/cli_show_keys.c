/* API keys, told to people. */
#include <inttypes.h>

#include "app/cli_show.h"
#include "base/banned.h"

/* mt_live_ab12…9f3e; nothing of it is known when only a digest was imported. */
static str key_shown(struct cli_show *show, const json_t *key)
{
    str prefix = show_text(key, "keyPrefix"), suffix = show_text(key, "keySuffix");

    if (prefix.n == 0)
        return S("(imported)");
    return arena_printf(show->arena, "%.*s…%.*s", STR_ARG(prefix), STR_ARG(suffix));
}

static void key_row(struct cli_show *show, const json_t *key, struct cell *cells)
{
    cells[0] = plain(show_text(key, "id"));
    cells[1] = show_status(key);
    cells[2] = plain(key_shown(show, key));
    cells[3] = plain(show_text(key, "name"));
    cells[4] = plain(show_time(show, key, "expiresAt", "never"));
    cells[5] = plain(show_time(show, key, "lastUsedAt", "never"));
    cells[6] = plain(show_joined(show, json_object_get(key, "scopes")));
}

static const struct show_list keys_shown = {
    "keys",
    "There are no API keys yet.\n"
    "Make one: sallyport keys create --name NAME --scope SCOPE\n",
    {"ID", "STATUS", "KEY", "NAME", "EXPIRES", "LAST USED", "SCOPES"},
    key_row};

/* Of own APIs, in the words of /api/v1. */
static void own_key_row(struct cli_show *show, const json_t *key, struct cell *cells)
{
    str prefix = show_text(key, "key_prefix"), suffix = show_text(key, "key_suffix");
    str employer = show_text(key, "org_code");

    cells[0] = plain(show_text(key, "id"));
    cells[1] = show_status(key);
    cells[2] =
        plain(suffix.n ? arena_printf(show->arena, "%.*s…%.*s", STR_ARG(prefix), STR_ARG(suffix))
                       : S("(imported)"));
    cells[3] = plain(show_text(key, "name"));
    cells[4] = plain(employer.n ? employer : show_text(key, "user_id"));
    cells[5] = plain(show_time(show, key, "expires_on", "never"));
    cells[6] = plain(show_joined(show, json_object_get(key, "scopes")));
}

void cli_show_keys(struct cli_show *show, const json_t *answer)
{
    static const struct show_list own = {
        "api_keys",
        "There are no keys for it yet.\n"
        "Make one: sallyport keys create --api API --name NAME --scope SCOPE --employer ID\n",
        {"ID", "STATUS", "KEY", "NAME", "WHOSE", "EXPIRES", "SCOPES"},
        own_key_row};

    show_list(show, answer, json_object_get(answer, "api_keys") ? &own : &keys_shown);
}

static void reported_row(struct cli_show *show, const json_t *key, struct cell *cells)
{
    str owner = show_text(key, "org_code");

    cells[0] = plain(show_text(key, "id"));
    cells[1] = plain(show_text(key, "name"));
    cells[2] = plain(owner.n ? owner : show_text(key, "user_id"));
    cells[3] = plain(show_time(show, key, "created_on", ""));
    cells[4] = plain(show_time(show, key, "last_verified_on", "never"));
    cells[5] = plain(show_joined(show, json_object_get(key, "findings")));
}

void cli_show_key_report(struct cli_show *show, const json_t *answer)
{
    static const struct show_list reported = {
        "api_keys",
        "Every API key is young, in use and narrow.\n",
        {"ID", "NAME", "WHOSE", "CREATED", "LAST USED", "FINDINGS"},
        reported_row};

    show_list(show, answer, &reported);
}

static void put_raw_key(struct cli_show *show, str raw)
{
    buf_put(show->out, S("\n  "));
    put_tinted(show->out, raw, TINT_BOLD, show->is_coloured);
    buf_put(show->out, S("\n\nThe key is shown only now: put it into your secret store. The server "
                         "keeps its digest,\nand cannot show it again.\n\n"));
}

static void put_key_facts(struct cli_show *show, const json_t *key)
{
    str addresses = show_joined(show, json_object_get(key, "allowedIpCidrs"));

    show_facts(show, (const struct fact[]){
                         {"id", plain(show_text(key, "id"))},
                         {"status", show_status(key)},
                         {"scopes", plain(show_joined(show, json_object_get(key, "scopes")))},
                         {"addresses", plain(addresses.n ? addresses : S("everywhere"))},
                         {"works from", plain(show_time(show, key, "notBefore", "now"))},
                         {"expires", plain(show_time(show, key, "expiresAt", "never"))},
                         {"limit", plain(show_rate(show, key))},
                         {0}});
}

/* A secret of an own API's key. */
static void show_own_secret(struct cli_show *show, const char *what, str name, const json_t *key)
{
    show_done(show, what, name);
    put_raw_key(show, show_text(key, "key"));
    show_facts(show, (const struct fact[]){{"id", plain(show_text(key, "id"))}, {0}});
}

void cli_show_new_key(struct cli_show *show, const json_t *answer)
{
    const json_t *own = json_object_get(answer, "api_key");

    if (own) {
        show_own_secret(show, "Created the API key", cli_value(show->args, "name"), own);
        return;
    }
    show_done(show, "Created the API key", show_text(answer, "name"));
    put_raw_key(show, show_text(answer, "rawKey"));
    put_key_facts(show, answer);
}

void cli_show_rotated_key(struct cli_show *show, const json_t *answer)
{
    str until = show_time(show, answer, "previousSecretEndsAt", "");
    const json_t *own = json_object_get(answer, "api_key");

    if (own) {
        show_own_secret(show, "Rotated the API key", show->args->argument, own);
        return;
    }
    show_done(show, "Rotated the API key", show_text(answer, "name"));
    put_raw_key(show, show_text(answer, "rawKey"));
    if (until.n)
        buf_printf(show->out, "The old key still works until %.*s.\n\n", STR_ARG(until));
    else
        buf_put(show->out, S("The old key is refused from now on.\n\n"));
    put_key_facts(show, answer);
}

void cli_show_revoked(struct cli_show *show, const json_t *answer)
{
    (void)answer;
    show_done(show, "Revoked the API key", show->args->argument);
    buf_put(show->out, S("It is refused from now on.\n"));
}

void cli_show_imported(struct cli_show *show, const json_t *answer)
{
    int64_t n = show_number(answer, "imported");

    show_line(show,
              arena_printf(show->arena, "Imported %" PRId64 " API %s.", n, n == 1 ? "key" : "keys"),
              TINT_BOLD);
    show_list(show, answer, &keys_shown);
}
