/* Sockets to listen on. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"
#include "http/conn.h"

struct address {
    struct sockaddr_storage addr;
    socklen_t n;
};

/* "host:port", with the host in brackets if it is IPv6. */
static bool split_host_port(str text, str *host, str *port)
{
    size_t colon = text.n;

    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *port = str_sub(text, colon, text.n);
    *host = str_sub(text, 0, colon - 1);
    if (str_starts(*host, S("[")) && str_ends(*host, S("]")))
        *host = str_sub(*host, 1, host->n - 2);
    else if (str_has_byte(*host, ':'))
        return false;
    uint64_t number;
    return host->n > 0 && str_parse_u64(*port, 65535, &number);
}

static bool resolve(struct arena *arena, const char *text, struct address *out, str *why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    str host, port;

    if (!split_host_port(str_of(text), &host, &port)) {
        *why = arena_printf(arena,
                            "listen = \"%s\" is not an address and a port, like "
                            "127.0.0.1:8080 or [::1]:8080",
                            text);
        return false;
    }
    int status = getaddrinfo(arena_dup(arena, host).p, arena_dup(arena, port).p, &hints, &found);
    if (status != 0) {
        *why = arena_printf(arena, "listen = \"%s\": %s", text, gai_strerror(status));
        return false;
    }
    memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
    out->n = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void set(int fd, int level, int option)
{
    const int on = 1;

    setsockopt(fd, level, option, &on, sizeof on);
}

/* -1 and errno. What a listener has set, its connections inherit: TCP_NODELAY. */
static int bind_one(struct address *address, bool is_shared)
{
    int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    set(fd, SOL_SOCKET, SO_REUSEADDR);
    set(fd, IPPROTO_TCP, TCP_NODELAY);
    if (is_shared)
        set(fd, SOL_SOCKET, SO_REUSEPORT);
    if (bind(fd, (struct sockaddr *)&address->addr, address->n) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static str write_address(struct arena *arena, const struct address *address)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (getnameinfo((const struct sockaddr *)&address->addr, address->n, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return S("unknown");
    return address->addr.ss_family == AF_INET6 ? arena_printf(arena, "[%s]:%s", host, port)
                                               : arena_printf(arena, "%s:%s", host, port);
}

static bool cannot_bind(struct arena *arena, const char *text, str *why)
{
    str host, port;

    split_host_port(str_of(text), &host, &port);
    if (errno == EADDRINUSE)
        *why = arena_printf(arena,
                            "port %.*s is in use (PORT_IN_USE): another server listens on %s; stop "
                            "it, or choose another port",
                            STR_ARG(port), text);
    else
        *why = arena_printf(arena, "cannot listen on %s: %s", text, strerror(errno));
    return false;
}

/*
 * Bind alone first. With SO_REUSEPORT from the start, a second instance would silently take half
 * of the connections.
 */
static bool claim(struct address *address)
{
    int fd = bind_one(address, false);

    if (fd < 0)
        return false;
    /* With port 0, this is where one is picked. */
    getsockname(fd, (struct sockaddr *)&address->addr, &address->n);
    close(fd);
    return true;
}

bool http_listen_tcp(struct arena *arena, const char *text, int *fds, int n, str *address, str *why)
{
    struct address where = {.n = 0};

    if (!resolve(arena, text, &where, why))
        return false;
    if (!claim(&where))
        return cannot_bind(arena, text, why);
    for (int i = 0; i < n; i++) {
        fds[i] = bind_one(&where, true);
        if (fds[i] < 0) {
            cannot_bind(arena, text, why);
            while (i-- > 0)
                close(fds[i]);
            return false;
        }
    }
    *address = write_address(arena, &where);
    return true;
}

/* A socket file is left behind by a server that was killed; nobody answers on it then. */
static bool clear_stale(struct arena *arena, const char *name, const struct sockaddr_un *addr,
                        str *why)
{
    struct stat status;

    if (lstat(addr->sun_path, &status) != 0)
        return true;
    if (!S_ISSOCK(status.st_mode)) {
        *why = arena_printf(arena, "%s %s: a file that is no socket is in its place", name,
                            addr->sun_path);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_alive = connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0;
    close(fd);
    if (is_alive) {
        *why = arena_printf(arena, "%s %s is in use: another server runs", name, addr->sun_path);
        return false;
    }
    unlink(addr->sun_path);
    return true;
}

bool http_listen_unix(struct arena *arena, const char *name, const char *path, mode_t mode, int *fd,
                      str *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    str text = str_of(path);

    if (text.n >= sizeof addr.sun_path) {
        *why = arena_printf(arena, "%s %s: the path is longer than %zu bytes", name, path,
                            sizeof addr.sun_path - 1);
        return false;
    }
    memcpy(addr.sun_path, text.p, text.n);
    if (!clear_stale(arena, name, &addr, why))
        return false;
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The mode before bind is the mode of the file, so that it is never wider. */
    if (*fd < 0 || fchmod(*fd, mode) != 0 ||
        bind(*fd, (const struct sockaddr *)&addr, sizeof addr) != 0 ||
        chmod(path, mode) != 0) { /* bind took the bits of the umask away */
        *why = arena_printf(arena, "%s %s: %s", name, path, strerror(errno));
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        return false;
    }
    return true;
}
