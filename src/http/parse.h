/*
 * The strict request parser: bytes in, a request value or a refusal out. Pure: no socket, no clock.
 */
#ifndef SALLYPORT_HTTP_PARSE_H
#define SALLYPORT_HTTP_PARSE_H

#include "http/http.h"

enum {
    HTTP_REQUEST_LINE_MAX_BYTES = 8192,
    HTTP_FIELD_LINE_MAX_BYTES = 8192,
    HTTP_HEAD_MAX_BYTES = 32768,
};

enum http_parse { HTTP_NEED_MORE, HTTP_COMPLETE, HTTP_REFUSED };

/* Where the search for the end of the head stands, so that no byte is looked at twice. */
struct http_scan {
    size_t at;
    size_t line_start;
    size_t n_lines;
};

struct http_fault {
    enum err err;
    const char *detail; /* a literal sentence naming the part at fault */
};

/*
 * Look at the bytes of a head as they arrive. HTTP_COMPLETE: *head_bytes is its length with the
 * empty line. Refuses bare LF and CR, NUL and control bytes, and everything past a limit, as soon
 * as it is seen. One empty line (CRLF) before the request line is refused too.
 */
enum http_parse http_scan_head(struct http_scan *scan, str bytes, size_t *head_bytes,
                               struct http_fault *fault);

/*
 * Read a complete head, one that http_scan_head has passed. *out is written anew, also where the
 * head is refused: then it holds what was read until there. Credentials are moved into secrets, and
 * wiped from `head`, which is why it is not const; all other texts are loans from it or from the
 * arena.
 */
enum http_parse http_parse_head(struct arena *arena, char *head, size_t head_bytes,
                                struct http_req *out, struct http_fault *fault);

void http_req_drop(struct http_req *req); /* its secrets */

/* ---- chunked bodies, RFC 9112 section 7.1; extensions and trailers are refused ---- */

struct http_chunks {
    int state;
    uint64_t left;
    uint64_t total;
    uint32_t digits;
};

/*
 * Decode from `in` and append to `body`. *used says how much was read; HTTP_COMPLETE: the last
 * chunk was read. More than max_bytes in all: HTTP_REFUSED with E_BODY_TOO_LARGE.
 */
enum http_parse http_chunks_read(struct http_chunks *chunks, str in, size_t *used, struct buf *body,
                                 uint64_t max_bytes, struct http_fault *fault);

#endif
