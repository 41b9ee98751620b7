/* The notification socket: one datagram of NAME=VALUE lines to the address in NOTIFY_SOCKET. */
#include "app/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/str.h"
#include "base/time.h"

/* sd_notify(3): "@" stands for the NUL byte that an abstract address begins with. Nobody listening
 * is no reason to fail. */
static void notify(const char *text)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    str path = str_of(getenv("NOTIFY_SOCKET"));

    if (path.n < 2 || path.n > sizeof addr.sun_path)
        return;
    memcpy(addr.sun_path, path.p, path.n);
    if (path.p[0] == '@')
        addr.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n);
    ssize_t sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&addr, n);
    (void)sent;
    close(fd);
}

void notify_ready(void)
{
    notify("READY=1");
}

void notify_reloading(void)
{
    char text[64];

    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, time_mono_ns() / 1000);
    notify(text);
}

void notify_stopping(void)
{
    notify("STOPPING=1");
}
