/* A raw client: bytes out, bytes in, with time limits. */
#ifndef SALLYPORT_TESTS_UNIT_HTTP_CLIENT_H
#define SALLYPORT_TESTS_UNIT_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

enum { CLIENT_WAIT_MS = 10000 };

/* "127.0.0.1:4312" */
static inline int client_connect(str address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t port = 0;
    str rest = address;

    str_cut(&rest, S(":"));
    str_parse_u64(rest, 65535, &port);
    to.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline int client_connect_local(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(to.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* False: the other side is gone. */
static inline bool client_send(int fd, str bytes)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = str_sub(bytes, (size_t)n, bytes.n);
    }
    return true;
}

/* What recv says; -2 if nothing came in time. */
static inline ssize_t client_recv(int fd, char *p, size_t n, int wait_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    if (poll(&wait, 1, wait_ms) != 1)
        return -2;
    return recv(fd, p, n, 0);
}

struct client_reply {
    int status; /* 0: no reply; -1: reset; -2: too late */
    char head[8192];
    str body; /* into the heap, freed by the caller through body.p */
};

static inline void client_read_head(int fd, struct client_reply *r)
{
    size_t n = 0;

    while (n < sizeof r->head - 1 && !(n >= 4 && memcmp(r->head + n - 4, "\r\n\r\n", 4) == 0)) {
        ssize_t got = client_recv(fd, r->head + n, 1, CLIENT_WAIT_MS);
        if (got <= 0) {
            r->status = (int)got;
            return;
        }
        n++;
    }
    r->head[n] = '\0';
    r->status = (int)strtol(r->head + 9, NULL, 10);
}

static inline bool client_has(const struct client_reply *r, const char *text)
{
    return strstr(r->head, text) != NULL;
}

/* One reply; without a body where the request was HEAD. */
static inline struct client_reply client_reply(int fd, bool is_head)
{
    struct client_reply r = {0};

    client_read_head(fd, &r);
    const char *length = r.status > 0 ? strstr(r.head, "content-length: ") : NULL;
    size_t n = length && !is_head ? (size_t)strtoull(length + 16, NULL, 10) : 0;
    char *p = calloc(1, n + 1);
    size_t at = 0;
    while (at < n) {
        ssize_t got = client_recv(fd, p + at, n - at, CLIENT_WAIT_MS);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    r.body = (str){p, at};
    return r;
}

/* Nothing more came and the other side has closed: not by a reset. */
static inline bool client_ended(int fd)
{
    char c;

    return client_recv(fd, &c, 1, CLIENT_WAIT_MS) == 0;
}

#endif
