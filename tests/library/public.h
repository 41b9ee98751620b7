/* Tables and keys for the tests of the library. Included after cmocka. */
#ifndef SALLYPORT_TESTS_LIBRARY_PUBLIC_H
#define SALLYPORT_TESTS_LIBRARY_PUBLIC_H

#include <sallyport.h>
#include <stdio.h>

#define SECOND INT64_C(1000000000)

/* An instant that is set: 2026-03-05T09:30:00Z, and a clock that has run for a while. */
#define NOW_MS      INT64_C(1772703000000)
#define NOW_MONO_NS (INT64_C(1000) * SECOND)

/* The text of key number n of a table; always the same. */
static inline size_t text_of(const struct sallyport_table *table, unsigned n,
                             char out[SALLYPORT_TEXT_MAX])
{
    uint8_t chance[SALLYPORT_RANDOM_BYTES] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)};

    return sallyport_key_text(table, chance, out);
}

static inline void put_number(struct sallyport_table *table, unsigned n,
                              const struct sallyport_key *key)
{
    char text[SALLYPORT_TEXT_MAX];
    size_t bytes = text_of(table, n, text);
    struct sallyport_problem problem = {{0}, 0, {0}};

    if (sallyport_put_text(table, text, bytes, key, &problem) != SALLYPORT_OK) {
        print_error("%s: %s\n", problem.member, problem.reason);
        _fail(__FILE__, __LINE__);
    }
}

/* Asked at the instant above, about key number n, with what else the question holds. */
static inline struct sallyport_verdict ask(struct sallyport_table *table, unsigned n,
                                           struct sallyport_question question)
{
    char text[SALLYPORT_TEXT_MAX];
    struct sallyport_verdict verdict;

    question.key = text;
    question.key_bytes = text_of(table, n, text);
    if (!question.now_ms)
        question.now_ms = NOW_MS;
    if (!question.now_mono_ns)
        question.now_mono_ns = NOW_MONO_NS;
    sallyport_decide(table, &question, &verdict);
    return verdict;
}

#endif
