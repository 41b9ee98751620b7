/*
 * Load with a key chosen at random for each request, at a rate or as fast as it goes, counting what
 * became of each class of keys. wrk has no rate, and h2load no header field that changes.
 *
 *     load [--connections N] [--threads N] [--seconds S] [--rate N] [--once] [--passes TEXT]
 *          PORT REQUEST KEYS
 *
 * REQUEST is the text of a request with {key} where the key goes; KEYS holds one key a line, after
 * the letter of its class. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/load/client.h"

static const char PLACE[] = "{key}";

static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static const char *map_file(const char *path, size_t *n)
{
    struct stat stat;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &stat) != 0 || stat.st_size == 0)
        refuse("cannot read REQUEST or KEYS");
    *n = (size_t)stat.st_size;
    void *at = mmap(NULL, *n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED)
        refuse("cannot map REQUEST or KEYS");
    close(fd);
    return at;
}

static void read_request(const char *path, struct plan *plan)
{
    size_t n;
    const char *text = map_file(path, &n);
    const char *place = memmem(text, n, PLACE, strlen(PLACE));

    if (!place || n > 2048)
        refuse("REQUEST must hold {key}, and be short");
    plan->before = text;
    plan->before_bytes = (size_t)(place - text);
    plan->after = place + strlen(PLACE);
    plan->after_bytes = n - plan->before_bytes - strlen(PLACE);
}

static void read_keys(const char *path, struct plan *plan)
{
    size_t n;

    plan->keys = (const struct key_line *)(const void *)map_file(path, &n);
    plan->n_keys = n / sizeof *plan->keys;
    for (size_t i = 0; i < plan->n_keys; i++)
        if (plan->keys[i].class < 'a' || plan->keys[i].class > 'z' || plan->keys[i].newline != '\n')
            refuse("a line of KEYS is a letter and 72 characters");
}

static void read_options(int argc, char **argv, struct plan *plan)
{
    static const struct option options[] = {
        {"connections", required_argument, NULL, 'c'},
        {"threads", required_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"passes", required_argument, NULL, 'p'},
        {"once", no_argument, NULL, 'o'},
        {0},
    };

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (o) {
        case 'c':
            plan->connections = atoi(optarg);
            break;
        case 't':
            plan->threads = atoi(optarg);
            break;
        case 's':
            plan->seconds = atof(optarg);
            break;
        case 'r':
            plan->rate = atof(optarg);
            break;
        case 'p':
            plan->passes = optarg;
            break;
        case 'o':
            plan->is_once = true;
            break;
        default:
            exit(2);
        }
    if (argc - optind != 3 || plan->threads < 1 || plan->connections % plan->threads != 0)
        refuse("give PORT REQUEST KEYS, and each thread as many connections as the others");
}

static void merge(struct counts *into, const struct counts *from)
{
    for (int c = 0; c < CLASSES; c++) {
        into->passed[c] += from->passed[c];
        for (int s = 0; s < STATUSES; s++)
            into->statuses[c][s] += from->statuses[c][s];
    }
    into->errors += from->errors;
    into->reconnects += from->reconnects;
    into->unsent += from->unsent;
    times_merge(&into->times, &from->times);
}

static void print_classes(const struct counts *counts)
{
    const char *between = "";

    for (int c = 0; c < CLASSES; c++) {
        uint64_t n = 0;
        for (int s = 0; s < STATUSES; s++)
            n += counts->statuses[c][s];
        if (n == 0)
            continue;
        printf("%s\"%c\":{\"passed\":%" PRIu64, between, 'a' + c, counts->passed[c]);
        for (int s = 0; s < STATUSES; s++)
            if (counts->statuses[c][s])
                printf(",\"%d\":%" PRIu64, s, counts->statuses[c][s]);
        printf("}");
        between = ",";
    }
}

static void print_counts(const struct counts *counts, double seconds)
{
    printf("{\"requests\":%" PRIu64 ",\"seconds\":%.3f,\"rate\":%.0f,\"errors\":%" PRIu64
           ",\"reconnects\":%" PRIu64 ",\"unsent\":%" PRIu64,
           counts->times.n, seconds, (double)counts->times.n / seconds, counts->errors,
           counts->reconnects, counts->unsent);
    printf(",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"classes\":{",
           (double)times_percentile_ns(&counts->times, 0.50) / 1e6,
           (double)times_percentile_ns(&counts->times, 0.99) / 1e6,
           (double)counts->times.max_ns / 1e6);
    print_classes(counts);
    printf("}}\n");
}

int main(int argc, char **argv)
{
    static struct counts sum;
    struct plan plan = {.connections = 64, .threads = 2, .seconds = 5};
    double seconds = 0;

    read_options(argc, argv, &plan);
    plan.to = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)atoi(argv[optind])),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    read_request(argv[optind + 1], &plan);
    read_keys(argv[optind + 2], &plan);
    plan.rate /= plan.threads;
    struct client *clients = calloc((size_t)plan.threads, sizeof *clients);
    for (int i = 0; i < plan.threads; i++) {
        clients[i] = (struct client){.plan = &plan, .number = i};
        if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0)
            refuse("cannot start a thread");
    }
    for (int i = 0; i < plan.threads; i++) {
        pthread_join(clients[i].thread, NULL);
        merge(&sum, &clients[i].counts);
        if (clients[i].took_s > seconds)
            seconds = clients[i].took_s;
    }
    print_counts(&sum, seconds);
    free(clients);
    return 0;
}
