/*
 * The texts that programs hand to libsallyport: an expression, an address rule, a client's address
 * and a key, a line each. What is taken decides, what decides is explained, and what is explained
 * is JSON that shows nothing of the key.
 */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line, as a text of its own that ends with NUL: a byte read too far is seen. */
static char *take_line(const uint8_t **data, size_t *size, size_t *out_bytes)
{
    const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
    size_t bytes = end ? (size_t)(end - *data) : *size;
    char *line = malloc(bytes + 1);

    assert(line);
    if (bytes)
        memcpy(line, *data, bytes);
    line[bytes] = '\0';
    *data += bytes + (end != NULL);
    *size -= bytes + (end != NULL);
    *out_bytes = bytes;
    return line;
}

static void explain(const struct sallyport_table *table, const struct sallyport_verdict *verdict,
                    const char *key, size_t key_bytes)
{
    static char why[SALLYPORT_EXPLANATION_MAX];
    size_t n = sallyport_explain(table, verdict, SALLYPORT_LINES, why, sizeof why);

    assert(n > 0 && strlen(why) == n);
    n = sallyport_explain(table, verdict, SALLYPORT_JSON, why, sizeof why);
    json_t *json = json_loadb(why, n, JSON_REJECT_DUPLICATES, NULL);
    assert(json_is_object(json));
    assert(json_is_true(json_object_get(json, "valid")) == (verdict->code == SALLYPORT_VALID));
    json_decref(json);
    /* Shorter pieces are words that any explanation has. */
    assert(key_bytes < 40 || strlen(key) < key_bytes || !strstr(why, key));
}

static void judge(struct sallyport_table *table, const struct sallyport_question *question,
                  bool is_known)
{
    struct sallyport_verdict verdict;

    sallyport_decide(table, question, &verdict);
    assert(sallyport_code_text(verdict.code));
    assert((verdict.code == SALLYPORT_VALID) == (verdict.check == SALLYPORT_CHECK_NONE));
    assert((verdict.key_id[0] != '\0') == is_known);
    explain(table, &verdict, question->key, question->key_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t expression_bytes, rule_bytes, client_bytes, key_bytes;
    char *expression = take_line(&data, &size, &expression_bytes);
    char *rule = take_line(&data, &size, &rule_bytes);
    char *client = take_line(&data, &size, &client_bytes);
    char *key_text = take_line(&data, &size, &key_bytes);
    const char *rules[] = {rule};
    struct sallyport_key key = {.id = "key", .scopes = 5, .addresses = rules, .n_addresses = 1};
    struct sallyport_question question = {.key = key_text, .key_bytes = key_bytes};
    struct sallyport_expression needs;
    struct sallyport_problem problem;
    struct sallyport_table *table;

    if (sallyport_table_new(NULL, &table, NULL) != SALLYPORT_OK)
        abort();
    if (sallyport_expression_parse(table, expression, &needs, &problem) == SALLYPORT_OK)
        question.needs = &needs;
    else
        assert(problem.index <= expression_bytes && problem.reason[0]);
    sallyport_address_parse(client, client_bytes, &question.client);
    judge(table, &question, false);
    if (sallyport_put_text(table, key_text, key_bytes, &key, &problem) == SALLYPORT_OK)
        judge(table, &question, true);
    else
        assert(problem.member[0] && problem.reason[0]);
    sallyport_table_drop(&table);
    free(expression);
    free(rule);
    free(client);
    free(key_text);
    return 0;
}
