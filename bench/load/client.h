/*
 * One thread of the load: connections of its own, one request at a time on each, and what became of
 * the requests.
 */
#ifndef SALLYPORT_BENCH_CLIENT_H
#define SALLYPORT_BENCH_CLIENT_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/times.h"

enum { KEY_BYTES = 72, CLASSES = 26, STATUSES = 600 };

/* A line of the key file: the class of the key, 'a' to 'z', and its text. */
struct key_line {
    char class;
    char key[KEY_BYTES];
    char newline;
};

struct plan {
    struct sockaddr_in to;
    const char *before, *after; /* of the request, around the key */
    size_t before_bytes, after_bytes;
    const char *passes; /* what a 2xx must hold to let a call pass; NULL: nothing */
    const struct key_line *keys;
    size_t n_keys;
    double seconds;
    double rate;  /* requests a second of this thread; 0: as many as it can */
    bool is_once; /* each key once, in the order of the file, instead of by chance for seconds */
    int connections;
    int threads;
};

struct counts {
    uint64_t statuses[CLASSES][STATUSES];
    uint64_t passed[CLASSES];
    uint64_t errors;     /* no answer, or one that cannot be read */
    uint64_t reconnects; /* the server closed after an answer */
    uint64_t unsent;     /* due in time and never sent, for want of a free connection */
    struct times times;
};

struct client {
    pthread_t thread;
    const struct plan *plan;
    int number;
    double took_s;
    struct counts counts;
};

/* A thread's body; arg is a struct client. */
void *client_run(void *arg);

#endif
