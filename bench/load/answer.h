/* Reading an answer of HTTP/1.1, as far as a load generator must. */
#ifndef SALLYPORT_BENCH_ANSWER_H
#define SALLYPORT_BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

enum answer_state {
    ANSWER_PARTIAL,
    ANSWER_WHOLE,
    ANSWER_UNREADABLE, /* not HTTP/1.1, or of a length that is not told */
};

struct answer {
    int status;
    size_t length; /* of head and body */
    size_t head;
    bool closes;
};

/* text is NUL-terminated after its n bytes. */
enum answer_state answer_read(const char *text, size_t n, struct answer *out);

#endif
