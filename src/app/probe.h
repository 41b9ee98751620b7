/* Asking the kernel and other programs: for doctor. Nothing here changes anything. */
#ifndef SALLYPORT_APP_PROBE_H
#define SALLYPORT_APP_PROBE_H

#include "app/config.h"

/* A server on the control socket. */
struct probe_server {
    int64_t pid; /* 0: nobody listens there */
    int64_t uid;
    int status; /* of /readyz; 0: no answer */
    str why;    /* no answer: why */
    str stream; /* as /readyz has it: "current", "lost"; STR_NONE: it follows none */
};

void probe_server(struct arena *arena, const struct config *config, struct probe_server *out);

/* Who listens on a TCP port of this machine, whatever the address. */
enum probe_port { PORT_FREE, PORT_HELD, PORT_HELD_BY };

/* *pid is set for PORT_HELD_BY; other users' processes are not seen without root: PORT_HELD. */
enum probe_port probe_port(struct arena *arena, int64_t port, int64_t *pid);

/* Could a server bind to it? 0, or errno. host: a name or an address without brackets. */
int probe_bind(struct arena *arena, str host, int64_t port);

/* The bytes of memory that a process may use: of the machine, or of its control group. */
int64_t probe_memory_bytes(struct arena *arena, int64_t pid);

/* Does the process of this lock file hold it? *pid is 0 where the file does not say. */
bool probe_lock(const char *path, int64_t *pid);

/* One connection to a URL, with TLS where it is https; nothing is sent. */
struct probe_reach {
    str why; /* STR_NONE: it was reached */
    str address;
    str tls_fault; /* the certificate cannot be verified: why */
    int64_t took_ms;
    int64_t certificate_ends_ms; /* 0: none, or not known */
};

void probe_reach(struct arena *arena, str url, struct probe_reach *out);

/* The TLS library of libcurl: "OpenSSL/3.0.17". */
str probe_curl_tls(struct arena *arena);

#endif
