/*
 * What the flat reader takes, the JSON library takes with the same meaning; and a question scanned
 * is the question that the form reads.
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "gate/flat.h"
#include "gate/question.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_start();
    return 0;
}

static void must_be_same(const struct flat_member *list, size_t n, const json_t *object)
{
    assert(json_object_size(object) == n);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_getn(object, list[i].name.p, list[i].name.n);
        if (list[i].is_text)
            assert(str_eq(json_text(value), list[i].text) && json_is_string(value));
        else
            assert(json_is_integer(value) && json_integer_value(value) == list[i].number);
    }
}

static void must_be_equal(const struct gate_question *a, const struct gate_question *b)
{
    assert(str_eq(secret_reveal(a->key), secret_reveal(b->key)));
    assert(a->api == b->api);
    assert(str_eq(a->method, b->method) && str_eq(a->target, b->target));
    assert(a->needs.n == b->needs.n && memcmp(a->needs.steps, b->needs.steps, a->needs.n) == 0);
    assert(a->client.family == b->client.family);
    assert(memcmp(a->client.bytes, b->client.bytes, sizeof a->client.bytes) == 0);
    assert(a->cost == b->cost);
}

static void ask_both(struct cx *cx, str text, const json_t *object)
{
    struct gate_asked scanned, read;
    struct form form;

    if (!gate_scan_question(text, &scanned))
        return;
    assert(object);
    form_open(&form, cx, object);
    gate_read_question(&form, &read);
    enum err e = form_close(&form);
    assert(e == E_OK);
    must_be_equal(&scanned.question, &read.question);
    gate_asked_drop(&scanned);
    gate_asked_drop(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(json) json_t *object = NULL;
    struct cx cx = {.arena = arena};
    str text = {(const char *)data, size};
    struct flat_member list[16];
    size_t n;
    enum err e = json_read(&cx, text, &object);

    if (flat_read(text, list, 16, &n)) {
        assert(e == E_OK);
        must_be_same(list, n, object);
    }
    ask_both(&cx, text, object);
    return 0;
}
