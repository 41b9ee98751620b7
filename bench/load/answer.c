/* Lengths by Content-Length, or a chunked body that is looked at for its end only. */
#include "bench/load/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char LAST_CHUNK[] = "\r\n0\r\n\r\n";

/* The value of a field, or NULL; looks no further than the head. */
static const char *field(const char *text, size_t head, const char *name)
{
    size_t n = strlen(name);
    const char *end = text + head;

    for (const char *line = memchr(text, '\n', head); line && line + n < end;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1)))
        if (strncasecmp(line + 1, name, n) == 0)
            return line + 1 + n;
    return NULL;
}

static enum answer_state read_chunked(const char *text, size_t n, struct answer *out)
{
    /* The chunk of length nought may be the only one, and stands after the head's empty line. */
    const char *from = text + out->head - 2;
    const char *last = memmem(from, n - out->head + 2, LAST_CHUNK, strlen(LAST_CHUNK));

    if (!last)
        return ANSWER_PARTIAL;
    out->length = (size_t)(last - text) + strlen(LAST_CHUNK);
    return ANSWER_WHOLE;
}

enum answer_state answer_read(const char *text, size_t n, struct answer *out)
{
    const char *end = memmem(text, n, "\r\n\r\n", 4);

    if (n >= 9 && memcmp(text, "HTTP/1.1 ", 9) != 0)
        return ANSWER_UNREADABLE;
    if (!end)
        return ANSWER_PARTIAL;
    out->head = (size_t)(end - text) + 4;
    out->status = atoi(text + 9);
    const char *connection = field(text, out->head, "connection:");
    out->closes = connection && strncasecmp(connection + strspn(connection, " "), "close", 5) == 0;
    const char *length = field(text, out->head, "content-length:");
    if (length) {
        out->length = out->head + strtoul(length, NULL, 10);
        return n >= out->length ? ANSWER_WHOLE : ANSWER_PARTIAL;
    }
    if (field(text, out->head, "transfer-encoding:"))
        return read_chunked(text, n, out);
    out->length = out->head;
    return out->status == 204 || out->status == 304 ? ANSWER_WHOLE : ANSWER_UNREADABLE;
}
