/*
 * Durable commits a second from 1, 8, 64 and 256 callers, next to what one fsync costs in the same
 * folder. store_bench [FOLDER]; prints, and asserts nothing.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "store/store.h"

enum { RUN_MS = 3000, CALLERS_MAX = 256, SAMPLES_MAX = 200000 };

static atomic_bool is_over;

struct caller {
    pthread_t thread;
    struct store *store;
    int number;
    int64_t done;
    int64_t *us; /* how long each call took */
};

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static enum err insert(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "INSERT INTO bench (caller, number, text) VALUES ($1, $2, $3)";
    const struct caller *c = arg;

    (void)cx;
    return tx_exec(tx, sql,
                   BIND(INT(c->number), INT(c->done), TEXT(S("somebody@example.com, a patient"))),
                   NULL);
}

static enum err make_table(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sql[] = "CREATE TABLE bench (caller BIGINT, number BIGINT, text TEXT)";

    (void)cx;
    (void)arg;
    return tx_exec(tx, sql, BIND(), NULL);
}

static void *call(void *arg)
{
    struct caller *c = arg;
    struct cx cx = {.arena = arena_new(), .store = c->store};

    while (!atomic_load(&is_over)) {
        int64_t began = now_us();
        if (store_run(&cx, insert, c) != E_OK)
            exit(1);
        c->us[c->done++ % SAMPLES_MAX] = now_us() - began;
        arena_reset(cx.arena);
    }
    arena_drop(&cx.arena);
    return NULL;
}

static void run(struct store *store, int n)
{
    static struct caller callers[CALLERS_MAX];
    struct store_stats before, after;
    int64_t sum = 0, n_us = 0;
    int64_t *us = calloc(SAMPLES_MAX, sizeof *us * 2);

    atomic_store(&is_over, false);
    store_count(store, &before);
    int64_t began = now_us();
    for (int i = 0; i < n; i++) {
        callers[i] = (struct caller){.store = store, .number = i};
        callers[i].us = calloc(SAMPLES_MAX, sizeof *us);
        pthread_create(&callers[i].thread, NULL, call, &callers[i]);
    }
    usleep(RUN_MS * 1000);
    atomic_store(&is_over, true);
    for (int i = 0; i < n; i++) {
        pthread_join(callers[i].thread, NULL);
        sum += callers[i].done;
        for (int64_t k = 0; k < callers[i].done && n_us < 2 * SAMPLES_MAX; k++)
            us[n_us++] = callers[i].us[k];
        free(callers[i].us);
    }
    int64_t took = now_us() - began;
    store_count(store, &after);
    qsort(us, (size_t)n_us, sizeof *us, by_number);
    printf("%4d callers: %8.0f durable requests/s, %7.0f commits/s, %5.1f to a commit, "
           "p50 %6.2f ms, p99 %6.2f ms\n",
           n, (double)sum * 1e6 / (double)took,
           (double)(after.commits - before.commits) * 1e6 / (double)took,
           (double)sum / (double)(after.commits - before.commits), (double)us[n_us / 2] / 1000,
           (double)us[n_us * 99 / 100] / 1000);
    free(us);
}

/* A page appended and made durable, over and over. */
static void run_fsync(const char *folder)
{
    static char page[4096];
    char path[4200];
    int64_t n = 0;

    snprintf(path, sizeof path, "%s/fsync", folder);
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    int64_t began = now_us();
    while (now_us() - began < RUN_MS * 1000) {
        if (write(fd, page, sizeof page) != (ssize_t)sizeof page || fsync(fd) != 0)
            exit(1);
        n++;
    }
    printf("raw fsync:    %8.0f a second\n", (double)n * 1e6 / (double)(now_us() - began));
    close(fd);
    unlink(path);
}

int main(int argc, char **argv)
{
    static const int callers[] = {1, 2, 8, 64, 256};
    char folder[4096], url[4200];
    struct arena *arena = arena_new();
    struct store *store = NULL;
    str why;

    snprintf(folder, sizeof folder, "%s/store-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    snprintf(url, sizeof url, "sqlite:%s/bench.db", folder);
    run_fsync(folder);
    if (store_open(arena, &(struct store_options){.url = url}, &store, &why) != E_OK) {
        fprintf(stderr, "%.*s\n", STR_ARG(why));
        return 1;
    }
    struct cx cx = {.arena = arena, .store = store};
    if (store_run(&cx, make_table, NULL) != E_OK)
        return 1;
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++)
        run(store, callers[i]);
    run_fsync(folder);
    store_drop(&store);
    arena_drop(&arena);
    snprintf(url, sizeof url, "rm -r '%s'", folder);
    return system(url) != 0;
}
