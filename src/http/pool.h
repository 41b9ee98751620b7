/*
 * The workers: a fixed number of threads that run blocking jobs from one bounded queue, first come
 * first served.
 */
#ifndef SALLYPORT_HTTP_POOL_H
#define SALLYPORT_HTTP_POOL_H

#include <pthread.h>

#include "http/http.h"

enum { HTTP_QUEUE_MAX_JOBS = 1024 };

/* Embedded in what it works on, so that queueing allocates nothing. */
struct http_job {
    struct http_job *next;
    void (*run)(struct http_job *job);
};

struct http_pool;

/* NULL: a thread could not be started. */
struct http_pool *http_pool_new(int n_workers, const struct http_service *service);

/* False: too many are waiting, and the job was not taken. */
bool http_pool_put(struct http_pool *pool, struct http_job *job);

/* Jobs that no worker has taken yet. */
size_t http_pool_waiting(struct http_pool *pool);

/* Runs what is still queued, then ends and joins the threads. */
void http_pool_drop(struct http_pool **pool);

/* A thread that takes no signals; stack_bytes 0 is the system's default. */
bool http_thread_start(pthread_t *thread, size_t stack_bytes, void *(*main)(void *), void *arg);

#endif
