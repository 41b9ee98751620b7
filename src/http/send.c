/* A reply as bytes: status line and fields, then the body, in one write where the socket takes it.
 */
#include <string.h>

#include "base/banned.h"
#include "http/tls.h"

static str status_text(int status)
{
    static const struct {
        int status;
        str text;
    } texts[] = {
        {200, S("OK")},
        {201, S("Created")},
        {202, S("Accepted")},
        {204, S("No Content")},
        {206, S("Partial Content")},
        {207, S("Multi-Status")},
        {301, S("Moved Permanently")},
        {302, S("Found")},
        {303, S("See Other")},
        {304, S("Not Modified")},
        {307, S("Temporary Redirect")},
        {308, S("Permanent Redirect")},
        {400, S("Bad Request")},
        {401, S("Unauthorized")},
        {403, S("Forbidden")},
        {404, S("Not Found")},
        {405, S("Method Not Allowed")},
        {406, S("Not Acceptable")},
        {408, S("Request Timeout")},
        {409, S("Conflict")},
        {410, S("Gone")},
        {412, S("Precondition Failed")},
        {413, S("Content Too Large")},
        {414, S("URI Too Long")},
        {415, S("Unsupported Media Type")},
        {416, S("Range Not Satisfiable")},
        {417, S("Expectation Failed")},
        {422, S("Unprocessable Content")},
        {428, S("Precondition Required")},
        {429, S("Too Many Requests")},
        {431, S("Request Header Fields Too Large")},
        {500, S("Internal Server Error")},
        {501, S("Not Implemented")},
        {502, S("Bad Gateway")},
        {503, S("Service Unavailable")},
        {504, S("Gateway Timeout")},
        {505, S("HTTP Version Not Supported")},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return S(""); /* RFC 9112 section 4: the phrase may be empty */
}

static str date_text(struct http_loop *loop)
{
    int64_t now_ms = time_now_ms();

    if (now_ms / SECOND_MS != loop->date_s) {
        loop->date_s = now_ms / SECOND_MS;
        time_write_http(now_ms, loop->date);
    }
    return (str){loop->date, HTTP_DATE_BYTES};
}

/* RFC 9110 section 6.4.1. */
static bool status_has_body(int status)
{
    return status != 204 && status != 304;
}

static str reply_body(const struct http_reply *reply)
{
    if (str_is_none(reply->content_type) || !status_has_body(reply->status))
        return STR_NONE;
    return str_is_none(reply->static_body) ? buf_str(&reply->body) : reply->static_body;
}

static void put_field(struct buf *out, str name, str value)
{
    buf_put(out, name);
    buf_put(out, S(": "));
    buf_put(out, value);
    buf_put(out, S("\r\n"));
}

static void write_head(struct http_loop *loop, const struct http_call *call, size_t body_bytes,
                       struct buf *out)
{
    const struct http_reply *reply = &call->reply;

    buf_put(out, S("HTTP/1.1 "));
    buf_put_int(out, reply->status);
    buf_put(out, S(" "));
    buf_put(out, status_text(reply->status));
    buf_put(out, S("\r\ndate: "));
    buf_put(out, date_text(loop));
    buf_put(out, S("\r\n"));
    if (status_has_body(reply->status)) {
        buf_put(out, S("content-length: "));
        buf_put_int(out, (int64_t)body_bytes);
        buf_put(out, S("\r\n"));
        if (!str_is_none(reply->content_type))
            put_field(out, S("content-type"), reply->content_type);
    }
    put_field(out, S("x-request-id"), call->request_id);
    for (size_t i = 0; i < reply->n_fields; i++)
        put_field(out, reply->fields[i].name, reply->fields[i].value);
    buf_put(out, reply->closes ? S("connection: close\r\n\r\n") : S("\r\n"));
}

/* What would break the protocol or tell half a story becomes an answer that can be sent. */
static void check_reply(struct http_conn *c)
{
    struct http_call *call = &c->x->call;
    const struct http_service *service = c->loop->engine->service;

    if (call->reply.status >= 200 && call->reply.status <= 599 && !call->reply.is_faulty &&
        !call->reply.body.is_full)
        return;
    bool closes = call->reply.closes;
    http_reply_clear(&call->reply);
    service->refuse(service->self, call, E_INTERNAL_ERROR, S("The reply could not be written."));
    if (call->reply.status < 200 || call->reply.status > 599 || call->reply.is_faulty) {
        http_reply_clear(&call->reply);
        call->reply.status = 500;
    }
    call->reply.closes |= closes;
}

static void on_written(uv_write_t *write, int status)
{
    struct http_exchange *x = write->data;
    struct http_conn *c = x->conn;

    if (c->state == CONN_CLOSED)
        return;
    if (status < 0) {
        http_conn_close(c);
        return;
    }
    http_conn_replied(c);
    http_conn_run(c);
}

void http_skip_sent(struct http_exchange *x, size_t n)
{
    for (int i = 0; i < 2; i++) {
        size_t part = n < x->parts[i].len ? n : x->parts[i].len;
        x->parts[i].base += part;
        x->parts[i].len -= part;
        n -= part;
    }
}

static void write_later(struct http_conn *c)
{
    struct http_exchange *x = c->x;

    http_conn_wait(c, CONN_WRITE, c->loop->engine->options.write_timeout_ms);
    x->write.data = x;
    if (uv_write(&x->write, &c->uv.stream, x->parts, 2, on_written) != 0)
        http_conn_close(c);
    else
        c->unsent = c->uv.stream.write_queue_size;
}

/* In one write, where the socket takes it. */
static void send_plain(struct http_conn *c)
{
    struct http_exchange *x = c->x;
    size_t n = x->parts[0].len + x->parts[1].len;

    int sent = uv_try_write(&c->uv.stream, x->parts, x->parts[1].len ? 2 : 1);
    if (sent == (int)n) {
        http_conn_replied(c);
    } else if (sent < 0 && sent != UV_EAGAIN) {
        http_conn_close(c);
    } else {
        http_skip_sent(x, sent > 0 ? (size_t)sent : 0);
        write_later(c);
    }
}

void http_send(struct http_conn *c)
{
    struct http_exchange *x = c->x;

    check_reply(c);
    str body = reply_body(&x->call.reply);
    write_head(c->loop, &x->call, body.n, &x->out);
    if (x->call.req.method == HTTP_HEAD)
        body = STR_NONE;
    x->parts[0] = uv_buf_init(x->out.p, (unsigned)x->out.n);
    x->parts[1] = uv_buf_init((char *)body.p, (unsigned)body.n);
    if (c->tls)
        http_tls_send(c);
    else
        send_plain(c);
}

bool http_send_continue(struct http_conn *c)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const uv_buf_t part = uv_buf_init(text, sizeof text - 1);

    if (c->tls)
        return http_tls_send_text(c, str_of(text));
    /* Everything before it has left, so that the socket has room for these few bytes. */
    return uv_try_write(&c->uv.stream, &part, 1) == (int)part.len;
}
