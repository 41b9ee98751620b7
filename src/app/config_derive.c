/* What follows from the settings: what was left open, and what they are only together. */
#include <unistd.h>

#include "app/config_loader.h"
#include "base/banned.h"
#include "outbound/outbound.h"

enum { SOCKET_PATH_MAX_BYTES = 107 }; /* unix(7): sun_path holds 108, with the NUL */

static void derive_public_url(struct loader *l)
{
    struct config *c = l->config;
    str host = c->listen_host;
    bool is_any = str_eq(host, S("0.0.0.0")) || str_eq(host, S("::"));

    str scheme = c->tls_cert.n ? S("https") : S("http");

    if (c->public_url.n == 0 && is_any)
        c->public_url =
            arena_printf(l->arena, "%.*s://localhost:%d", STR_ARG(scheme), (int)c->listen_port);
    else if (c->public_url.n == 0)
        c->public_url = arena_printf(l->arena, "%.*s://%.*s", STR_ARG(scheme), STR_ARG(c->listen));
    /* RFC 6454 section 6.2: an origin is lower case and names no default port. */
    for (char *p = (char *)c->public_url.p; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    if (str_ends(c->public_url, S("/")))
        c->public_url.n--;
    c->public_url_is_https = str_starts(c->public_url, S("https:"));
    str port = c->public_url_is_https ? S(":443") : S(":80");
    if (str_ends(c->public_url, port))
        c->public_url.n -= port.n;
    c->public_url = arena_dup(l->arena, c->public_url);
}

/* Beside "sqlite:var/sallyport.db" is "var/sallyport.sock"; with a database that is elsewhere, it
 * is in the folder the server is started in. */
static str beside_database(struct loader *l, const char *name)
{
    str path = str_sub(l->config->database_url, S("sqlite:").n, l->config->database_url.n);

    if (config_is_postgres(l->config->database_url))
        path = S("");
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return arena_printf(l->arena, "%.*s%s", STR_ARG(path), name);
}

static void derive_audit_folder(struct loader *l)
{
    if (l->config->audit_archive_folder.n == 0)
        l->config->audit_archive_folder = beside_database(l, "audit");
}

static void derive_key_file(struct loader *l)
{
    if (l->config->key_file.n == 0)
        l->config->key_file = beside_database(l, "instance.key");
}

static void derive_control_socket(struct loader *l)
{
    if (l->config->control_socket.n)
        return;
    l->config->control_socket = beside_database(l, "sallyport.sock");
    if (l->config->control_socket.n > SOCKET_PATH_MAX_BYTES)
        loader_problem(
            l, S("control_socket"), loader_shown(l->arena, l->config->control_socket),
            S("beside the database"),
            S("is longer than a Unix socket's path may be; set control_socket to a shorter "
              "one"));
}

static struct net_cidr *read_blocks(struct arena *arena, const struct config_list *list, size_t *n)
{
    struct net_cidr *blocks = arena_array(arena, list->n, sizeof *blocks);

    for (size_t i = 0; i < list->n; i++)
        net_cidr_parse(list->texts[i], &blocks[i]);
    *n = list->n;
    return blocks;
}

static void derive_allowed(struct arena *arena, struct config *c)
{
    c->n_allowed = c->outbound_allow.n;
    c->allowed = arena_array(arena, c->n_allowed, sizeof *c->allowed);
    for (size_t i = 0; i < c->n_allowed; i++)
        guard_entry_parse(arena, c->outbound_allow.texts[i], &c->allowed[i]);
}

static void derive_users(struct arena *arena, struct config *c)
{
    c->n_gate_users = c->gate_uids.n ? c->gate_uids.n : 1;
    c->gate_users = arena_array(arena, c->n_gate_users, sizeof *c->gate_users);
    c->gate_users[0] = (int64_t)geteuid();
    for (size_t i = 0; i < c->gate_uids.n; i++)
        config_find_uid(c->gate_uids.texts[i], &c->gate_users[i]);
}

void config_derive_lists(struct arena *arena, struct config *c)
{
    c->proxies = read_blocks(arena, &c->trusted_proxies, &c->n_proxies);
    c->gateways = read_blocks(arena, &c->gate_peers, &c->n_gateways);
    derive_allowed(arena, c);
    derive_users(arena, c);
}

static void check_tls(struct loader *l)
{
    const struct config *c = l->config;

    if (c->tls_cert.n && c->tls_key.n == 0)
        loader_problem(l, S("tls_key"), STR_NONE, STR_NONE, S("is missing; tls_cert needs it"));
    if (c->tls_cert.n == 0 && (c->tls_key.n || c->tls_client_ca.n || c->gate_client_ca.n))
        loader_problem(l, S("tls_cert"), STR_NONE, STR_NONE,
                       S("is missing; without it tls_key, tls_client_ca and gate_client_ca mean "
                         "nothing"));
    if (str_eq(c->tls_client_certificates, S("required")) && c->tls_client_ca.n == 0)
        loader_problem(l, S("tls_client_ca"), STR_NONE, STR_NONE,
                       S("is missing; tls_client_certificates = required needs it"));
}

static void derive_log(struct loader *l)
{
    static const str levels[] = {{"debug", 5}, {"info", 4}, {"warn", 4}, {"error", 5}};
    struct config *c = l->config;

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (str_eq(levels[i], c->log_level))
            c->log_least = (enum log_level)i;
    c->log_is_json = str_eq(c->log_format, S("json")) ||
                     (str_eq(c->log_format, S("auto")) && !l->in->stderr_is_terminal);
}

/* What only the whole section can have wrong: told once all of it has been read. */
static void derive_issuers(struct loader *l)
{
    struct config *c = l->config;

    for (size_t i = 0; i < c->n_issuers; i++) {
        str setting = STR_NONE;
        str reason = config_issuer_complete(l->arena, c, &c->issuers[i], &setting);
        if (!str_is_none(reason))
            loader_problem(l,
                           arena_printf(l->arena, "issuer.%.*s.%.*s", STR_ARG(c->issuers[i].name),
                                        STR_ARG(setting)),
                           STR_NONE, STR_NONE, reason);
    }
}

void loader_derive(struct loader *l)
{
    l->config->key_environment =
        str_eq(l->config->environment, S("production")) ? S("live") : S("test");
    config_split_listen(l->config->listen, &l->config->listen_host, &l->config->listen_port);
    l->config->listen_host = arena_dup(l->arena, l->config->listen_host);
    derive_public_url(l);
    derive_key_file(l);
    derive_audit_folder(l);
    derive_control_socket(l);
    config_derive_lists(l->arena, l->config);
    check_tls(l);
    derive_log(l);
    if (l->n_problems == 0)
        derive_issuers(l);
}
