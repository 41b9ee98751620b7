/*
 * decide/path_rules.h: a method, a pattern and a target, a line each. What a path is read as is
 * plain: written again it is read as itself. A rule covers itself, and what it takes is found.
 */
#include <stdlib.h>
#include <string.h>

#include "decide/path_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* Each byte of each segment escaped; none may mean anything any more but itself. */
static size_t write_again(const struct path *path, char *out)
{
    size_t n = 0;

    out[n++] = '/';
    for (size_t i = 0; i < path->n; i++) {
        if (i)
            out[n++] = '/';
        for (size_t k = 0; k < path->segments[i].n; k++) {
            out[n++] = '%';
            hex_write((const uint8_t *)&path->segments[i].p[k], 1, out + n);
            n += 2;
        }
    }
    return n;
}

static void check_path(const struct path *path)
{
    static char text[3 * PATH_MAX_BYTES + PATH_SEGMENTS_MAX + 1];
    static struct path again;

    for (size_t i = 0; i < path->n; i++) {
        str segment = path->segments[i];
        must(segment.n > 0 && !str_eq(segment, S(".")) && !str_eq(segment, S("..")));
        must(!str_has_byte(segment, '/') && !str_has_byte(segment, '\\'));
        must(!str_has_byte(segment, '\0') && !str_has_byte(segment, ';'));
    }
    size_t n = write_again(path, text);
    if (n > PATH_MAX_BYTES || memmem(text, n, "%25", 3))
        return;
    must(path_read((str){text, n}, &again) == PATH_OK && again.n == path->n);
    for (size_t i = 0; i < path->n; i++)
        must(str_eq(path->segments[i], again.segments[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct path path;
    DROP(arena) struct arena *arena = arena_new();
    str target = {(const char *)data, size};
    str method = str_cut(&target, S("\n"));
    str pattern = str_cut(&target, S("\n"));
    struct path_rule rule = {0};
    const struct path_rule *near;

    bool is_rule =
        path_rule_method_is_valid(method) && !path_rule_read(arena, method, pattern, &rule);
    bool is_path = path_read(target, &path) == PATH_OK;
    if (is_path)
        check_path(&path);
    if (is_rule)
        must(path_rules_covering(&rule, 1, &rule) == &rule);
    if (is_rule && is_path) {
        must(path_rules_near(&rule, 1, &path, &near, 1) == 1);
        const struct path_rule *found = path_rules_find(&rule, 1, method, &path);
        must(!found || path.n >= rule.n_segments);
    }
    return 0;
}
