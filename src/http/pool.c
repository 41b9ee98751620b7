/* Worker threads and their queue. */
#include "http/pool.h"

#include <signal.h>
#include <stdlib.h>

#include "base/banned.h"
#include "base/mem.h"

/* Handlers keep what is large in their arena */
enum { WORKER_STACK_BYTES = 512 * 1024 };

struct http_pool {
    const struct http_service *service;
    pthread_mutex_t lock; /* guards all below but the threads */
    pthread_cond_t work_came;
    struct http_job *first;
    struct http_job **end;
    size_t n_jobs;
    bool is_ending;
    int n_threads;
    pthread_t *threads;
};

bool http_thread_start(pthread_t *thread, size_t stack_bytes, void *(*main)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t all, before;

    sigfillset(&all);
    pthread_attr_init(&attr);
    if (stack_bytes)
        pthread_attr_setstacksize(&attr, stack_bytes);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(thread, &attr, main, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return is_started;
}

static struct http_job *take_locked(struct http_pool *pool)
{
    struct http_job *job = pool->first;

    if (!job)
        return NULL;
    pool->first = job->next;
    if (!pool->first)
        pool->end = &pool->first;
    pool->n_jobs--;
    return job;
}

/* NULL: the pool ends. */
static struct http_job *wait_for_job(struct http_pool *pool)
{
    struct http_job *job;

    pthread_mutex_lock(&pool->lock);
    while (!(job = take_locked(pool)) && !pool->is_ending)
        pthread_cond_wait(&pool->work_came, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *worker(void *arg)
{
    struct http_pool *pool = arg;
    const struct http_service *service = pool->service;
    struct http_job *job;

    if (service->thread_starts)
        service->thread_starts(service->self);
    while ((job = wait_for_job(pool)))
        job->run(job);
    if (service->thread_ends)
        service->thread_ends(service->self);
    return NULL;
}

struct http_pool *http_pool_new(int n_workers, const struct http_service *service)
{
    struct http_pool *pool = mem_new(sizeof *pool);

    pool->service = service;
    pool->end = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_came, NULL);
    pool->threads = mem_new_array((size_t)n_workers, sizeof *pool->threads);
    while (pool->n_threads < n_workers) {
        if (!http_thread_start(&pool->threads[pool->n_threads], WORKER_STACK_BYTES, worker, pool)) {
            http_pool_drop(&pool);
            return NULL;
        }
        pool->n_threads++;
    }
    return pool;
}

bool http_pool_put(struct http_pool *pool, struct http_job *job)
{
    bool fits;

    pthread_mutex_lock(&pool->lock);
    fits = pool->n_jobs < HTTP_QUEUE_MAX_JOBS;
    if (fits) {
        job->next = NULL;
        *pool->end = job;
        pool->end = &job->next;
        pool->n_jobs++;
        pthread_cond_signal(&pool->work_came);
    }
    pthread_mutex_unlock(&pool->lock);
    return fits;
}

size_t http_pool_waiting(struct http_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t n = pool->n_jobs;
    pthread_mutex_unlock(&pool->lock);
    return n;
}

void http_pool_drop(struct http_pool **pool)
{
    struct http_pool *p = *pool;

    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->is_ending = true;
    pthread_cond_broadcast(&p->work_came);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work_came);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
    *pool = NULL;
}
