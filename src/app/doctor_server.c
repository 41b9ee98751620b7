/* The running server: does it answer, as whom does it run, who has its ports, what may it use? */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "app/doctor.h"
#include "app/process.h"
#include "base/banned.h"

/* Beside connections: the database, libraries, the log, listening sockets. */
enum { FILES_BESIDE = 128, PRIVILEGED_PORTS_END = 1024 };

static void check_stream(struct doctor *d)
{
    if (str_eq(d->server.stream, S("current")))
        doctor_ok(d, "server.stream", "The server follows what others change.");
    else if (!str_is_none(d->server.stream))
        doctor_find(d, FINDING_WARNING, "server.stream",
                    S("Look for the log line stream.lost. It needs one connection beside "
                      "database_connections, straight to the primary: docs/cluster.md."),
                    "The server has lost the change stream: it reads keys again each second.");
}

/* ---- does it answer? ---- */

void doctor_server(struct doctor *d)
{
    struct probe_server *s = &d->server;

    probe_server(d->arena, d->config, s);
    if (s->why.n && !s->pid)
        doctor_find(d, FINDING_WARNING, "server.running",
                    S("Run doctor as the user the server runs as, or as root."),
                    "Whether a server runs cannot be seen: %.*s.", STR_ARG(s->why));
    else if (!s->pid)
        doctor_ok(d, "server.running", "No server runs here (nobody listens on %.*s).",
                  STR_ARG(d->config->control_socket));
    else if (s->status == 200)
        doctor_ok(d, "server.running", "The server (pid %" PRId64 ") is ready.", s->pid);
    else if (s->status)
        doctor_find(d, FINDING_PROBLEM, "server.running",
                    S("See the findings about the store, and the log lines store.down."),
                    "The server (pid %" PRId64
                    ") runs and is not ready: its store does not answer.",
                    s->pid);
    else
        doctor_find(d, FINDING_PROBLEM, "server.running",
                    S("Look into its log; if it hangs, restart it: systemctl restart sallyport."),
                    "The server (pid %" PRId64 ") does not answer: %.*s.", s->pid, STR_ARG(s->why));
    check_stream(d);
    if (s->pid && s->uid == 0)
        doctor_find(d, FINDING_WARNING, "server.user",
                    S("Run it as a user of its own, as the package's unit does: User=sallyport."),
                    "The server runs as root.");
    else if (s->pid)
        doctor_ok(d, "server.user", "The server does not run as root.");
    else if (geteuid() == 0)
        doctor_find(d, FINDING_WARNING, "server.user",
                    S("Run doctor as the server's user to see what that one sees: runuser -u "
                      "sallyport -- sallyport doctor."),
                    "doctor runs as root, and no server runs.");
}

/* ---- ports ---- */

static void port_is_held(struct doctor *d, const char *check, str setting, str address, int64_t pid)
{
    str who = pid ? arena_printf(d->arena, "pid %" PRId64 " (%.*s)", pid,
                                 STR_ARG(process_name_of(d->arena, pid)))
                  : S("a process of another user; as root, doctor names it");

    if (d->server.pid && (pid == d->server.pid || !pid))
        doctor_ok(d, check, "%.*s is served.", STR_ARG(address));
    else
        doctor_find(
            d, FINDING_PROBLEM, check,
            arena_printf(d->arena, "Stop it, or choose another port in %.*s.", STR_ARG(setting)),
            "%.*s is taken by %.*s.", STR_ARG(address), STR_ARG(who));
}

static void port_is_free(struct doctor *d, const char *check, str setting, str address, str host,
                         int64_t port)
{
    int error = probe_bind(d->arena, host, port);

    if (d->server.pid)
        doctor_find(d, FINDING_WARNING, check,
                    S("It was started with other settings than these: restart it."),
                    "The server runs and does not listen on %.*s.", STR_ARG(address));
    else if (error == EACCES && port < PRIVILEGED_PORTS_END)
        doctor_find(d, FINDING_PROBLEM, check,
                    S("Give the unit CAP_NET_BIND_SERVICE (docs/operating.md), or choose a port "
                      "above 1023 behind a proxy."),
                    "%.*s may not be listened on by this user.", STR_ARG(address));
    else if (error)
        doctor_find(
            d, FINDING_PROBLEM, check,
            arena_printf(d->arena, "Put an address of this machine into %.*s.", STR_ARG(setting)),
            "%.*s cannot be listened on: %s.", STR_ARG(address), strerror(error));
    else
        doctor_ok(d, check, "%.*s is free.", STR_ARG(address));
}

static void check_port(struct doctor *d, const char *check, enum setting setting, str address)
{
    str name = setting_info(setting)->name;
    int64_t port = 0, pid = 0;
    str host = STR_NONE;

    config_split_listen(address, &host, &port);
    if (address.n == 0)
        doctor_ok(d, check, "%.*s is empty: turned off.", STR_ARG(name));
    else if (port == 0)
        doctor_ok(d, check, "%.*s picks a free port.", STR_ARG(name));
    else if (probe_port(d->arena, port, &pid) == PORT_FREE)
        port_is_free(d, check, name, address, host, port);
    else
        port_is_held(d, check, name, address, pid);
}

/* What is sent in clear text to another machine can be read on the way. */
static void check_public(struct doctor *d)
{
    const struct config *c = d->config;
    struct net_addr addr;
    bool is_local = str_eq(c->listen_host, S("localhost")) ||
                    (net_addr_parse(c->listen_host, &addr) &&
                     (str_starts(c->listen_host, S("127.")) || str_eq(c->listen_host, S("::1"))));

    if (is_local || c->public_url_is_https || c->tls_cert.n)
        doctor_ok(d, "settings.public", "public_url is %.*s.", STR_ARG(c->public_url));
    else
        doctor_find(d, FINDING_WARNING, "settings.public",
                    S("Set tls_cert and tls_key; or put TLS in front, and its address into "
                      "public_url: https://…; or listen on 127.0.0.1."),
                    "Keys and passwords come in over plain HTTP on %.*s.", STR_ARG(c->listen));
}

/* A block that nobody can own as a whole is no list of gateways. */
static bool is_wide(const struct net_cidr *block)
{
    return block->prefix < (block->addr.family == NET_V4 ? 8 : 16);
}

static void check_gateways(struct doctor *d)
{
    const struct config *c = d->config;

    for (size_t i = 0; i < c->n_gateways; i++) {
        if (!is_wide(&c->gateways[i]))
            continue;
        doctor_find(d, FINDING_WARNING, "settings.gateways",
                    S("Name the gateways' own addresses in gate_peers, or give each a token: "
                      "sallyport gate-tokens create --name NAME."),
                    "gate_peers lets whoever is in %.*s ask about any key.",
                    STR_ARG(net_cidr_write(d->arena, &c->gateways[i])));
        return;
    }
    doctor_ok(d, "settings.gateways", "%zu blocks of addresses may ask the gate without a token.",
              c->n_gateways);
}

void doctor_listen(struct doctor *d)
{
    check_port(d, "server.listen", SETTING_listen, d->config->listen);
    check_port(d, "server.metrics", SETTING_metrics_listen, d->config->metrics_listen);
    check_public(d);
    check_gateways(d);
}

/* ---- limits ---- */

static str size_text(struct arena *arena, int64_t bytes)
{
    return arena_printf(arena, "%.1f GiB", (double)bytes / (1024.0 * 1024 * 1024));
}

/* Of the server, or of this process, which could be one: it raises its limit to the hard one. */
static int64_t files_max(struct doctor *d)
{
    struct process me;

    if (d->server.pid)
        return process_files_max_of(d->arena, d->server.pid);
    process_raise_file_limit();
    process_read(&me);
    return me.files_max;
}

static void check_files(struct doctor *d)
{
    int64_t have = files_max(d);
    int64_t want = d->config->connections_max + d->config->database_connections + FILES_BESIDE;

    if (have < 0)
        doctor_find(d, FINDING_WARNING, "limits.files", S("Run doctor as root."),
                    "The server's limit on open files cannot be read.");
    else if (have >= want)
        doctor_ok(d, "limits.files", "%" PRId64 " files may be open, %" PRId64 " may be needed.",
                  have, want);
    else
        doctor_find(d, FINDING_PROBLEM, "limits.files",
                    arena_printf(d->arena,
                                 "Set LimitNOFILE=%" PRId64 " in the unit (systemctl edit "
                                 "sallyport), or lower connections_max to %" PRId64 ".",
                                 want, have - (want - d->config->connections_max)),
                    "%" PRId64 " files may be open, and connections_max = %" PRId64
                    " needs %" PRId64 ".",
                    have, d->config->connections_max, want);
}

static void check_memory(struct doctor *d)
{
    int64_t pid = d->server.pid ? d->server.pid : (int64_t)getpid();
    int64_t have = probe_memory_bytes(d->arena, pid);
    str memory = size_text(d->arena, have);

    if (d->config->body_memory_bytes <= have / 2)
        doctor_ok(d, "limits.memory", "%ld cores and %.*s of memory.",
                  sysconf(_SC_NPROCESSORS_ONLN), STR_ARG(memory));
    else
        doctor_find(d, FINDING_WARNING, "limits.memory",
                    S("Lower body_memory, or give it more memory."),
                    "body_memory is more than half of the %.*s of memory.", STR_ARG(memory));
}

void doctor_limits(struct doctor *d)
{
    check_files(d);
    check_memory(d);
}
