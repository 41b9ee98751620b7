/*
 * http/parse.h: any bytes as a request with its body. However the bytes are cut into pieces, the
 * verdict is the same, and no credential stays in the head.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/parse.h"

enum { BODY_MAX_BYTES = 4096, SPLITS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum http_parse head, body;
    enum err err;
    const char *detail;
    size_t head_bytes, body_used, n_fields, n_body;
    uint64_t declared_bytes;
    enum http_method method;
    char body_bytes[BODY_MAX_BYTES];
};

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* Pieces: up to `cut`, then up to the end; with a cut of 0, each byte for itself. */
static size_t piece_end(size_t at, size_t cut, size_t n)
{
    size_t end = cut == 0 ? at + 1 : at < cut ? cut : n;

    return end < n ? end : n;
}

static void run_chunks(struct outcome *o, str in, size_t cut)
{
    struct http_chunks chunks = {0};
    struct http_fault fault = {E_OK, NULL};
    struct buf body;

    buf_init(&body, BODY_MAX_BYTES);
    o->body = HTTP_NEED_MORE;
    while (o->body == HTTP_NEED_MORE && o->body_used < in.n) {
        size_t end = piece_end(o->body_used, cut, in.n);
        str piece = str_sub(in, o->body_used, end - o->body_used);
        size_t used;
        o->body = http_chunks_read(&chunks, piece, &used, &body, BODY_MAX_BYTES, &fault);
        must(used <= piece.n && (used == piece.n || o->body != HTTP_NEED_MORE));
        o->body_used += used;
    }
    if (o->body == HTTP_REFUSED) {
        o->err = fault.err;
        o->detail = fault.detail;
    }
    o->n_body = body.n;
    memcpy(o->body_bytes, buf_str(&body).p, body.n);
    buf_drop(&body);
}

static void check_request(const struct http_req *req)
{
    must(req->method > 0 && req->method < HTTP_METHODS_END);
    must(!str_has_byte(req->path, '\0') && req->path.n > 0);
    must(memmem(req->path.p, req->path.n, "/../", 4) == NULL);
    must(req->method != HTTP_OTHER || !str_is_none(req->guarded));
    must(str_is_none(req->guarded) || str_eq(req->path, S(HTTP_GUARDED_PATH)));
    must(!(req->is_chunked && req->declared_bytes));
    must(req->n_fields <= HTTP_FIELDS_MAX);
    for (size_t i = 0; i < req->n_fields; i++)
        if (str_ieq(req->fields[i].name, S("x-api-key")) ||
            str_ieq(req->fields[i].name, S("authorization")) ||
            str_ieq(req->fields[i].name, S("x-gate-token")) ||
            str_ieq(req->fields[i].name, S("cookie")))
            must(req->fields[i].value.n == 0 && req->fields[i].raw.n == 0);
}

static void run(struct outcome *o, const uint8_t *data, size_t size, size_t cut)
{
    struct arena *arena = arena_new();
    char *bytes = mem_new(size);
    struct http_req req = {0};
    struct http_scan scan = {0};
    struct http_fault fault = {E_OK, NULL};

    *o = (struct outcome){.head = HTTP_NEED_MORE};
    if (size)
        memcpy(bytes, data, size);
    for (size_t at = 0; o->head == HTTP_NEED_MORE && at < size;) {
        at = piece_end(at, cut, size);
        o->head = http_scan_head(&scan, (str){bytes, at}, &o->head_bytes, &fault);
    }
    if (o->head == HTTP_COMPLETE) {
        must(o->head_bytes <= size && o->head_bytes <= HTTP_HEAD_MAX_BYTES);
        o->head = http_parse_head(arena, bytes, o->head_bytes, &req, &fault);
        o->n_fields = req.n_fields;
        o->declared_bytes = req.declared_bytes;
        o->method = req.method;
    }
    if (o->head == HTTP_REFUSED) {
        must(fault.err != E_OK && fault.detail != NULL);
        o->err = fault.err;
        o->detail = fault.detail;
    } else if (o->head == HTTP_COMPLETE) {
        check_request(&req);
        if (req.is_chunked)
            run_chunks(o, (str){bytes + o->head_bytes, size - o->head_bytes},
                       cut > o->head_bytes ? cut - o->head_bytes
                       : cut               ? size
                                           : 0);
    }
    http_req_drop(&req);
    arena_drop(&arena);
    mem_wipe_free(bytes);
}

static void must_agree(const struct outcome *a, const struct outcome *b)
{
    must(a->head == b->head && a->body == b->body && a->err == b->err && a->detail == b->detail);
    must(a->body_used == b->body_used && a->n_body == b->n_body && a->n_fields == b->n_fields);
    must(a->declared_bytes == b->declared_bytes && a->method == b->method);
    must(a->head != HTTP_COMPLETE || a->head_bytes == b->head_bytes);
    must(memcmp(a->body_bytes, b->body_bytes, a->n_body) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, cut;
    size_t step = size / SPLITS_MAX + 1;

    run(&whole, data, size, size);
    run(&cut, data, size, 0);
    must_agree(&whole, &cut);
    for (size_t at = 1; at < size; at += step) {
        run(&cut, data, size, at);
        must_agree(&whole, &cut);
    }
    whole = (struct outcome){0};
    cut = (struct outcome){0};
    run_chunks(&whole, (str){(const char *)data, size}, size);
    run_chunks(&cut, (str){(const char *)data, size}, 0);
    must_agree(&whole, &cut);
    return 0;
}
