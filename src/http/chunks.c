/* Chunked bodies, RFC 9112 section 7.1, without extensions and trailers. */
#include "http/parse.h"

enum {
    CHUNK_SIZE, /* the start */
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LAST_CR,
    CHUNK_LAST_LF,
    CHUNK_DONE,
};

enum { CHUNK_DIGITS_MAX = 16 };

static enum http_parse refuse(struct http_fault *fault, enum err e, const char *detail)
{
    *fault = (struct http_fault){e, detail};
    return HTTP_REFUSED;
}

static enum http_parse read_size(struct http_chunks *c, char byte, struct http_fault *fault)
{
    int digit = hex_value(byte);

    if (digit >= 0 && c->digits < CHUNK_DIGITS_MAX) {
        c->left = c->left * 16 + (uint64_t)digit;
        c->digits++;
        return HTTP_NEED_MORE;
    }
    if (byte != '\r' || c->digits == 0)
        return refuse(fault, E_MALFORMED_REQUEST,
                      "A chunk size is not hexadecimal digits alone; extensions are not taken.");
    c->state = CHUNK_SIZE_LF;
    return HTTP_NEED_MORE;
}

static enum http_parse end_size(struct http_chunks *c, uint64_t max_bytes, struct http_fault *fault)
{
    if (c->left > max_bytes || c->total > max_bytes - c->left)
        return refuse(fault, E_BODY_TOO_LARGE, "The chunks together pass the limit.");
    c->total += c->left;
    c->digits = 0;
    c->state = c->left ? CHUNK_DATA : CHUNK_LAST_CR;
    return HTTP_NEED_MORE;
}

/* One byte of what stands between the data. */
static enum http_parse read_frame(struct http_chunks *c, char byte, uint64_t max_bytes,
                                  struct http_fault *fault)
{
    bool is_lf = byte == '\n';
    bool is_cr = byte == '\r';

    switch (c->state) {
    case CHUNK_SIZE:
        return read_size(c, byte, fault);
    case CHUNK_SIZE_LF:
        if (is_lf)
            return end_size(c, max_bytes, fault);
        break;
    case CHUNK_DATA_CR:
        c->state = CHUNK_DATA_LF;
        if (is_cr)
            return HTTP_NEED_MORE;
        break;
    case CHUNK_DATA_LF:
        c->state = CHUNK_SIZE;
        if (is_lf)
            return HTTP_NEED_MORE;
        break;
    case CHUNK_LAST_CR:
        c->state = CHUNK_LAST_LF;
        if (is_cr)
            return HTTP_NEED_MORE;
        return refuse(fault, E_MALFORMED_REQUEST, "Trailer fields are not taken.");
    default:
        c->state = CHUNK_DONE;
        if (is_lf)
            return HTTP_COMPLETE;
    }
    return refuse(fault, E_MALFORMED_REQUEST, "A line between chunks does not end in CR LF.");
}

static size_t read_data(struct http_chunks *c, str in, struct buf *body)
{
    size_t n = in.n < c->left ? in.n : (size_t)c->left;

    buf_put(body, str_sub(in, 0, n));
    c->left -= n;
    if (c->left == 0)
        c->state = CHUNK_DATA_CR;
    return n;
}

enum http_parse http_chunks_read(struct http_chunks *chunks, str in, size_t *used, struct buf *body,
                                 uint64_t max_bytes, struct http_fault *fault)
{
    enum http_parse verdict = chunks->state == CHUNK_DONE ? HTTP_COMPLETE : HTTP_NEED_MORE;
    size_t at = 0;

    while (at < in.n && verdict == HTTP_NEED_MORE) {
        if (chunks->state == CHUNK_DATA)
            at += read_data(chunks, str_sub(in, at, in.n), body);
        else
            verdict = read_frame(chunks, in.p[at++], max_bytes, fault);
        if (body->is_full)
            verdict = refuse(fault, E_BODY_TOO_LARGE, "The chunks together pass the limit.");
    }
    *used = at;
    return verdict;
}
