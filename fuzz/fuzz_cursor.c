/* Cursors: what reads back is what was written, and nothing else reads. */
#include <stdlib.h>

#include "base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    str text = {(const char *)data, size};
    str id;

    if (size == 0 || !cursor_read(text, (char)data[0], &id))
        return 0;
    if (!str_eq(cursor_write(arena, (char)data[0], id), text))
        abort();
    return 0;
}
