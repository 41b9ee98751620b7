/*
 * keys/manage_import.h: the lines of keys of another system, with their digests, places, limits and
 * metadata. What is taken is whole: each line has a secret, and words that are read back as they
 * are.
 */
#include <assert.h>

#include "base/json.h"
#include "keys/manage_import.h"
#include "places/places.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_start();
    apis_start(&(struct apis_settings){.enterprise = {S("mt"), S("live")}});
    return 0;
}

static void check_line(struct cx *cx, const struct order_import *line)
{
    const struct key *key = &line->order.key;
    DROP(json) json_t *metadata = NULL;

    assert(key->name.n > 0 && line->order.api.id.n > 0);
    assert((line->order.org_code.n > 0) != (key->owner_id.n > 0));
    enum err e = json_read(cx, key->metadata.n ? key->metadata : S("{}"), &metadata);
    assert(e == E_OK);
    struct places places = places_parse(key->places);
    assert(places.is_limited == (key->places.n > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(json) json_t *body = NULL;
    struct cx cx = {.arena = arena, .now_ms = 1700000000000};
    struct order_import *lines;
    bool is_dry_run;
    size_t n;

    if (json_read(&cx, (str){(const char *)data, size}, &body) != E_OK ||
        manage_import_read(&cx, body, &lines, &n, &is_dry_run) != E_OK)
        return 0;
    for (size_t i = 0; i < n; i++)
        check_line(&cx, &lines[i]);
    return 0;
}
