/*
 * The least that a server on epoll can do: two threads, each with its own listening socket;
 * whatever ends in an empty line is answered with the same 200. Nothing is parsed. bare PORT.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 2, EVENTS = 256, READ_BYTES = 16 * 1024, BACKLOG = 1024 };

static const char REPLY[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const void *)&at, sizeof at) != 0 || listen(fd, BACKLOG) != 0)
        give_up("listening");
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, int listener)
{
    int on = 1;

    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(epoll, fd);
    }
}

/* A request comes in one piece here, since the load sends it in one and it is small. */
static void answer(int fd)
{
    char text[READ_BYTES];
    ssize_t n = recv(fd, text, sizeof text, 0);

    if (n <= 0)
        close(fd);
    else if (memmem(text, (size_t)n, "\r\n\r\n", 4))
        (void)!write(fd, REPLY, sizeof REPLY - 1);
}

static void *serve(void *arg)
{
    struct epoll_event events[EVENTS];
    int listener = listen_on(*(const int *)arg);
    int epoll = epoll_create1(0);

    watch(epoll, listener);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer(events[i].data.fd);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int port = argc == 2 ? atoi(argv[1]) : 0;

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, serve, &port) != 0)
            give_up("starting a thread");
    pthread_join(threads[0], NULL);
    return 1;
}
