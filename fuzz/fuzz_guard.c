/*
 * outbound/guard.h: an entry of outbound_allow and a URL, a line each. What the guard lets through
 * means the same when it is judged again, and no literal inside gets past without an entry.
 */
#include <stdlib.h>
#include <string.h>

#include "outbound/outbound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

static void judge(struct arena *arena, const struct guard_rules *rules, str url)
{
    struct guard_url first, again;
    enum guard_verdict verdict = guard_judge_url(arena, rules, url, &first);

    if (verdict != GUARD_FINE)
        return;
    must(guard_judge_url(arena, rules, first.text, &again) == GUARD_FINE);
    must(str_eq(first.host, again.host) && first.port == again.port);
    must(first.is_plain == again.is_plain);
    must(first.host.n > 0 && first.port > 0);
    if (rules->n_allowed == 0) {
        must(!first.is_plain && (first.port == 443 || first.port >= 1024));
        must(first.addr.family != NET_V4 || first.addr.bytes[0] != 127);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    str url = {(const char *)data, size};
    str text = str_cut(&url, S("\n"));
    struct guard_entry entry;
    struct guard_rules none = {0};
    struct guard_rules one = {.allowed = &entry, .n_allowed = 1};

    if (str_is_none(url))
        return 0;
    judge(arena, &none, url);
    if (guard_entry_parse(arena, text, &entry))
        judge(arena, &one, url);
    return 0;
}
