/*
 * Bodies: any bytes are either refused with a word, or read; and every rule that takes a form
 * takes whatever object was read.
 */
#include <stdlib.h>

#include "cohorts/rules.h"
#include "keys/import.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_start();
    keys_start(&(struct keys_settings){.form = {S("mt"), S("live")}});
    return 0;
}

static void must_explain(const struct cx *cx, enum err e)
{
    if (e != E_OK && cx->failure.detail.n == 0)
        abort();
}

static void as_row(struct cx *cx, const json_t *json)
{
    struct row row = {0};
    struct form form;

    form_open(&form, cx, json);
    row_read(&form, 1780000000000, &row);
    must_explain(cx, form_close(&form));
}

static void as_key(struct cx *cx, const json_t *json)
{
    struct form form;
    struct key key;

    form_open(&form, cx, json);
    key_read_draft(&form, 1780000000000, &key);
    enum err e = form_close(&form);
    must_explain(cx, e);
    if (e != E_OK)
        return;
    /* What was accepted can be kept, and shown as JSON. */
    DROP(buf) struct buf shown;
    DROP(json) json_t *back = NULL;
    buf_init(&shown, 1 << 20);
    struct json_out j = {&shown};
    key_write(cx, &j, &key, NULL);
    if (json_read(cx, buf_str(&shown), &back) != E_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(json) json_t *json = NULL;
    struct cx cx = {.arena = arena, .now_ms = 1780000000000};
    struct key_import *lines;
    size_t n;
    enum err e = json_read(&cx, (str){(const char *)data, size}, &json);

    must_explain(&cx, e);
    if (e != E_OK)
        return 0;
    as_row(&cx, json);
    as_key(&cx, json);
    must_explain(&cx, import_read(&cx, json, &lines, &n));
    return 0;
}
