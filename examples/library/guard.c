/*
 * A guard on libsallyport: judges calls, one a line, with the keys of a file.
 *
 *     cc guard.c -o guard $(pkg-config --cflags --libs libsallyport)
 *
 *     guard --new          make a key: the text for its holder, the digest for the file
 *     guard FILE <CALLS    judge each line "METHOD PATH KEY ADDRESS"; "-" is an address not known
 *
 * A line of the file is a key: its SHA-256, id, owner, scopes and addresses with commas between
 * ("-": none), and its requests a minute (0: no limit).
 */
#include <errno.h>
#include <sallyport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { LINE_MAX_BYTES = 1024, LIST_MAX = 16 };

static const char *const scopes[] = {"orders:read", "orders:write", "orders:admin"};

/* What each call needs; prepared once, since a decision reads no text but the key's. */
static struct {
    const char *method, *path, *needs;
    struct sallyport_expression expression;
} routes[] = {
    {"GET", "/orders", "orders:read OR orders:admin", {{0}}},
    {"POST", "/orders", "orders:read AND orders:write OR orders:admin", {{0}}},
    {"DELETE", "/orders", "orders:admin", {{0}}},
};

enum { N_ROUTES = sizeof routes / sizeof *routes };

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "guard: %s: %s\n", what, why);
    exit(2);
}

/* ---- keys ---- */

static int new_key(const struct sallyport_table *table)
{
    uint8_t chance[SALLYPORT_RANDOM_BYTES];
    char text[SALLYPORT_TEXT_MAX];

    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
        stop("getrandom", strerror(errno));
    size_t bytes = sallyport_key_text(table, chance, text);
    struct sallyport_digest digest = sallyport_digest_of(text, bytes);
    printf("key     %s\ndigest  ", text);
    for (size_t i = 0; i < sizeof digest.bytes; i++)
        printf("%02x", digest.bytes[i]);
    putchar('\n');
    return 0;
}

static bool read_digest(const char *hex, struct sallyport_digest *out)
{
    for (size_t i = 0; i < sizeof out->bytes; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &out->bytes[i]) != 1)
            return false;
    return hex[2 * sizeof out->bytes] == '\0';
}

/* Cuts the text at its commas; "-" is an empty list. */
static size_t read_list(char *text, const char *out[LIST_MAX])
{
    size_t n = 0;
    char *rest = NULL;

    if (strcmp(text, "-") == 0)
        return 0;
    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (n == LIST_MAX)
            stop(text, "too many of them");
        out[n++] = word;
    }
    return n;
}

static uint64_t read_scopes(const struct sallyport_table *table, char *text)
{
    const char *names[LIST_MAX];
    size_t n = read_list(text, names);
    uint64_t all = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t one = sallyport_scope(table, names[i]);
        if (!one)
            stop(names[i], "there is no such scope");
        all |= one;
    }
    return all;
}

static void put_line(struct sallyport_table *table, char *line)
{
    char digest_hex[65], id[40], owner[40], held[256], allowed[512];
    const char *addresses[LIST_MAX];
    struct sallyport_digest digest;
    struct sallyport_key key = {0};
    struct sallyport_problem problem;
    long requests;

    if (sscanf(line, "%64s %39s %39s %255s %511s %ld", digest_hex, id, owner, held, allowed,
               &requests) != 6 ||
        !read_digest(digest_hex, &digest))
        stop(line, "must be DIGEST ID OWNER SCOPES ADDRESSES REQUESTS");
    key.id = id;
    key.owner_id = owner;
    key.scopes = read_scopes(table, held);
    key.n_addresses = read_list(allowed, addresses);
    key.addresses = addresses;
    key.rate_requests = requests;
    key.rate_window_s = requests ? 60 : 0;
    if (sallyport_put(table, &digest, &key, &problem) != SALLYPORT_OK)
        stop(problem.member, problem.reason);
}

static void put_file(struct sallyport_table *table, const char *path)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "r");

    if (!file)
        stop(path, strerror(errno));
    while (fgets(line, sizeof line, file))
        if (line[0] != '#' && line[0] != '\n')
            put_line(table, line);
    fclose(file);
}

/* ---- calls ---- */

static const struct sallyport_expression *needs_of(const char *method, const char *path)
{
    for (size_t i = 0; i < N_ROUTES; i++)
        if (strcmp(routes[i].method, method) == 0 && strcmp(routes[i].path, path) == 0)
            return &routes[i].expression;
    return NULL;
}

static void judge(struct sallyport_table *table, const char *line)
{
    char method[16], path[256], key[512], address[64];
    struct sallyport_question question = {0};
    struct sallyport_verdict verdict;
    static char why[SALLYPORT_EXPLANATION_MAX];

    if (sscanf(line, "%15s %255s %511s %63s", method, path, key, address) != 4) {
        printf("? must be METHOD PATH KEY ADDRESS\n\n");
        return;
    }
    question.needs = needs_of(method, path);
    if (!question.needs) {
        printf("? %s %s: there is no such route\n\n", method, path);
        return;
    }
    question.key = key;
    question.key_bytes = strlen(key);
    sallyport_address_parse(address, strlen(address), &question.client);
    sallyport_decide(table, &question, &verdict);
    sallyport_explain(table, &verdict, SALLYPORT_LINES, why, sizeof why);
    printf("%s %s %s: %s\n%s\n", method, path, verdict.key_id[0] ? verdict.key_id : "(unknown)",
           verdict.code == SALLYPORT_VALID ? "yes" : "no", why);
}

int main(int argc, char **argv)
{
    const struct sallyport_settings settings = {
        .prefix = "ord", .scopes = scopes, .n_scopes = sizeof scopes / sizeof *scopes};
    struct sallyport_table *table;
    struct sallyport_problem problem;
    char line[LINE_MAX_BYTES];

    if (sallyport_table_new(&settings, &table, &problem) != SALLYPORT_OK)
        stop(problem.member, problem.reason);
    if (argc != 2)
        stop("usage", "guard --new, or guard FILE");
    if (strcmp(argv[1], "--new") == 0)
        return new_key(table);
    for (size_t i = 0; i < N_ROUTES; i++)
        if (sallyport_expression_parse(table, routes[i].needs, &routes[i].expression, &problem) !=
            SALLYPORT_OK)
            stop(routes[i].needs, problem.reason);
    put_file(table, argv[1]);
    while (fgets(line, sizeof line, stdin))
        judge(table, line);
    sallyport_table_drop(&table);
    return 0;
}
