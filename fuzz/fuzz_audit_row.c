/* Lines of an archive's file: refused, or what is written again reads as the same line. */
#include <stdlib.h>

#include "audit/archive_file.h"
#include "base/json.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_start();
    return 0;
}

static str canonical(struct arena *arena, const struct audit_record *record)
{
    struct buf out;

    buf_init(&out, 1024 * 1024);
    audit_canonical(record, &out);
    str text = arena_dup(arena, buf_str(&out));
    buf_drop(&out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    struct audit_row row, back;
    struct audit_head head;
    struct buf text;

    if (audit_head_parse((str){(const char *)data, size}, &head) && head.number <= 0)
        abort();
    if (!archive_parse_row(&cx, (str){(const char *)data, size}, &row))
        return 0;
    buf_init(&text, 1024 * 1024);
    archive_put_row(&row, &text);
    if (!archive_parse_row(&cx, buf_str(&text), &back) || back.number != row.number ||
        !str_eq(canonical(arena, &row.record), canonical(arena, &back.record)))
        abort();
    buf_drop(&text);
    return 0;
}
