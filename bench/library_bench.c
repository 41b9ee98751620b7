/*
 * What one decision of libsallyport costs on one core, on known keys in random order.
 *
 *     library_bench [KEYS]     how many are in the table; 1,000,000
 *
 * A line a way of asking: nanoseconds each, the median of the rounds. SHA-256 alone, key text
 * alone and clocks alone say where the time goes.
 */
#include <sallyport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 7, EACH = 1000000, ASKED = 1 << 16 };

static struct sallyport_table *table;
static struct sallyport_expression needs;
static char (*texts)[SALLYPORT_TEXT_MAX]; /* ASKED of the keys, in random order */
static size_t text_bytes;
static int64_t given_mono_ns;
static volatile uint64_t sink; /* so that nothing is left out */

static uint64_t next_random(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t text_of(unsigned n, char out[SALLYPORT_TEXT_MAX])
{
    uint8_t chance[SALLYPORT_RANDOM_BYTES] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)};

    return sallyport_key_text(table, chance, out);
}

static void put_keys(unsigned n_keys)
{
    static const char *const office[] = {"198.51.100.0/24", "2001:db8::/32"};
    char text[SALLYPORT_TEXT_MAX];
    char id[32];

    for (unsigned n = 0; n < n_keys; n++) {
        size_t bytes = text_of(n, text);
        snprintf(id, sizeof id, "key_%u", n);
        struct sallyport_key key = {.id = id, .owner_id = "acme", .scopes = 2047};
        key.addresses = office;
        key.n_addresses = 2;
        key.expires_at_ms = SALLYPORT_TIME_MAX_MS;
        key.rate_requests = SALLYPORT_REQUESTS_MAX;
        key.rate_window_s = 1;
        if (sallyport_put_text(table, text, bytes, &key, NULL) != SALLYPORT_OK)
            exit(1);
    }
    for (unsigned i = 0; i < ASKED; i++)
        text_bytes = text_of((unsigned)(next_random() % n_keys), texts[i]);
}

/* ---- what is measured ---- */

static uint64_t ask(struct sallyport_question *question, unsigned i)
{
    struct sallyport_verdict verdict;

    question->key = texts[i % ASKED];
    question->key_bytes = text_bytes;
    sallyport_decide(table, question, &verdict);
    return verdict.code == SALLYPORT_VALID;
}

static uint64_t with_all_rules(unsigned i)
{
    struct sallyport_question question = {
        .client = {4, {198, 51, 100, 7}}, .wanted = 1, .needs = &needs};

    return ask(&question, i);
}

static uint64_t with_time_given(unsigned i)
{
    struct sallyport_question question = {.client = {4, {198, 51, 100, 7}},
                                          .wanted = 1,
                                          .needs = &needs,
                                          .now_ms = 1772703000000,
                                          .now_mono_ns = given_mono_ns += 100};

    return ask(&question, i);
}

static uint64_t cut_short(unsigned i)
{
    struct sallyport_question question = {.key = texts[i % ASKED], .key_bytes = text_bytes - 1};
    struct sallyport_verdict verdict;

    sallyport_decide(table, &question, &verdict);
    return verdict.code == SALLYPORT_INVALID_API_KEY;
}

static uint64_t digest_alone(unsigned i)
{
    struct sallyport_digest digest = sallyport_digest_of(texts[i % ASKED], text_bytes);

    sink ^= digest.bytes[i % sizeof digest.bytes];
    return 1;
}

static uint64_t clocks_alone(unsigned i)
{
    struct timespec wall, mono;

    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return i == 0 || mono.tv_sec > 0 || wall.tv_sec > 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double measure(const char *name, uint64_t (*work)(unsigned))
{
    double ns[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t n_right = 0;
        double from = now_s();
        for (unsigned i = 0; i < EACH; i++)
            n_right += work(i);
        ns[round] = (now_s() - from) / EACH * 1e9;
        if (n_right != EACH) {
            fprintf(stderr, "%s: %llu of %d answers are not the one expected\n", name,
                    (unsigned long long)(EACH - n_right), EACH);
            exit(1);
        }
        sink += n_right;
    }
    qsort(ns, ROUNDS, sizeof *ns, by_size);
    printf("%-44s %7.1f ns  (%.1f to %.1f)\n", name, ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1]);
    return ns[ROUNDS / 2];
}

static long resident_kib(void)
{
    long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

int main(int argc, char **argv)
{
    unsigned n_keys = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;

    texts = calloc(ASKED, sizeof *texts);
    if (n_keys == 0 || !texts || sallyport_table_new(NULL, &table, NULL) != SALLYPORT_OK)
        return 1;
    if (sallyport_expression_parse(table, "cohort:read AND (fhir:read OR fhir:write)", &needs,
                                   NULL) != SALLYPORT_OK)
        return 1;
    long before_kib = resident_kib();
    double from = now_s();
    put_keys(n_keys);
    printf("%u keys put in %.2f s, %ld bytes each\n", n_keys, now_s() - from,
           (resident_kib() - before_kib) * 1024 / (long)n_keys);
    double whole = measure("a decision, all rules, time from the clock", with_all_rules);
    given_mono_ns = (int64_t)(now_s() * 1e9);
    double timed = measure("a decision, all rules, time given", with_time_given);
    double digest = measure("SHA-256 of the text alone", digest_alone);
    measure("both clocks alone", clocks_alone);
    measure("a key cut short, refused", cut_short);
    printf("without the digest: %.1f ns, time given: %.1f ns\n", whole - digest, timed - digest);
    sallyport_table_drop(&table);
    free(texts);
    return 0;
}
