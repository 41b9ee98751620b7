/*
 * The head of a request: find its end, then read it. RFC 9112 sections 2 to 6, RFC 9110 section 5.
 *
 * The verdict depends on the bytes alone, never on how they were cut into pieces on the way here:
 * the scan judges each byte by its position, and reading waits for the whole head.
 */
#include "http/parse.h"

#include <assert.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "http/chars.h"
#include "http/target.h"

static bool refuse(struct http_fault *fault, enum err e, const char *detail)
{
    *fault = (struct http_fault){e, detail};
    return false;
}

static bool malformed(struct http_fault *fault, const char *detail)
{
    return refuse(fault, E_MALFORMED_REQUEST, detail);
}

/* ---- the scan ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t line_max(const struct http_scan *scan)
{
    return scan->n_lines ? HTTP_FIELD_LINE_MAX_BYTES : HTTP_REQUEST_LINE_MAX_BYTES;
}

static bool refuse_long(const struct http_scan *scan, struct http_fault *fault)
{
    if (scan->at >= HTTP_HEAD_MAX_BYTES - 1 && scan->n_lines)
        return refuse(fault, E_HEADERS_TOO_LARGE, "The head is longer than 32768 bytes.");
    if (scan->n_lines)
        return refuse(fault, E_HEADERS_TOO_LARGE, "A header field is longer than 8192 bytes.");
    return refuse(fault, E_URI_TOO_LONG, "The request line is longer than 8192 bytes.");
}

/* scan->at is at a CR, and the byte after it is there. */
static bool end_line(struct http_scan *scan, str bytes, struct http_fault *fault)
{
    char first = bytes.p[scan->line_start];

    if (bytes.p[scan->at + 1] != '\n')
        return malformed(fault, "A CR is not followed by LF.");
    if (scan->at == scan->line_start && scan->n_lines == 0)
        return malformed(fault, "An empty line stands before the request line.");
    /* RFC 9112 section 5.2: a folded line, or a space before the first field. */
    if (first == ' ' || first == '\t')
        return malformed(fault, "A line begins with a space or a tab.");
    scan->at += 2;
    scan->line_start = scan->at;
    if (++scan->n_lines > HTTP_FIELDS_MAX + 2)
        return refuse(fault, E_HEADERS_TOO_LARGE, "There are more than 100 header fields.");
    return true;
}

enum http_parse http_scan_head(struct http_scan *scan, str bytes, size_t *head_bytes,
                               struct http_fault *fault)
{
    for (;;) {
        size_t stop = least(scan->line_start + line_max(scan), HTTP_HEAD_MAX_BYTES - 1);
        stop = least(stop, bytes.n);
        while (scan->at < stop && http_char_is(bytes.p[scan->at], CHAR_TEXT))
            scan->at++;
        if (scan->at == bytes.n)
            return HTTP_NEED_MORE;
        bool is_empty = scan->at == scan->line_start;
        if (bytes.p[scan->at] != '\r' || scan->at >= HTTP_HEAD_MAX_BYTES - 1) {
            if (http_char_is(bytes.p[scan->at], CHAR_TEXT) || bytes.p[scan->at] == '\r')
                refuse_long(scan, fault);
            else
                malformed(fault, "The head holds a control byte or a bare LF.");
            return HTTP_REFUSED;
        }
        if (scan->at + 1 == bytes.n)
            return HTTP_NEED_MORE;
        if (!end_line(scan, bytes, fault))
            return HTTP_REFUSED;
        if (is_empty) {
            *head_bytes = scan->at;
            return HTTP_COMPLETE;
        }
    }
}

/* ---- fields that the layer itself knows ---- */

enum known {
    HOST,
    ORIGIN,
    EXPECT,
    COOKIE,
    API_KEY,
    CONNECTION,
    CONTENT_TYPE,
    GATE_TOKEN,
    REQUEST_ID,
    API_VERSION,
    AUTHORIZATION,
    CONTENT_LENGTH,
    IDEMPOTENCY_KEY,
    CONTENT_ENCODING,
    TRANSFER_ENCODING,
    UNKNOWN,
};

static const struct known_field {
    str name;
    const char *if_twice; /* NULL: may be there more than once */
} known_fields[UNKNOWN] = {
    [HOST] = {S("host"), "Host is there twice."},
    [ORIGIN] = {S("origin"), "Origin is there twice."},
    [EXPECT] = {S("expect"), "Expect is there twice."},
    [COOKIE] = {S("cookie"), "Cookie is there twice."},
    /* Counted, and answered as an API key that is not valid: the application says so. */
    [API_KEY] = {S("x-api-key"), NULL},
    [CONNECTION] = {S("connection"), NULL},
    [CONTENT_TYPE] = {S("content-type"), "Content-Type is there twice."},
    [GATE_TOKEN] = {S("x-gate-token"), "X-Gate-Token is there twice."},
    [REQUEST_ID] = {S("x-request-id"), "X-Request-Id is there twice."},
    [API_VERSION] = {S("x-api-version"), "X-Api-Version is there twice."},
    [AUTHORIZATION] = {S("authorization"), "Authorization is there twice."},
    [CONTENT_LENGTH] = {S("content-length"), "Content-Length is there twice."},
    [IDEMPOTENCY_KEY] = {S("idempotency-key"), "Idempotency-Key is there twice."},
    [CONTENT_ENCODING] = {S("content-encoding"), "Content-Encoding is there twice."},
    [TRANSFER_ENCODING] = {S("transfer-encoding"), "Transfer-Encoding is there twice."},
};

static enum known find_known(str name)
{
    /* One bit for each length that occurs above: most fields need no comparison at all. */
    const unsigned lengths = 1u << 4 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 12 | 1u << 13 |
                             1u << 14 | 1u << 15 | 1u << 16 | 1u << 17;

    if (name.n > 17 || !(lengths >> name.n & 1))
        return UNKNOWN;
    for (enum known k = 0; k < UNKNOWN; k++)
        if (known_fields[k].name.n == name.n && str_ieq(known_fields[k].name, name))
            return k;
    return UNKNOWN;
}

/* What is collected while a head is read. */
struct head {
    struct http_req *req;
    struct http_fault *fault;
    str authority; /* of an absolute-form target */
    str known[UNKNOWN];
    struct http_field *fields;
};

/* ---- the request line ---- */

static const struct {
    str text;
    enum http_method method;
} methods[] = {
    {S("GET"), HTTP_GET},         {S("POST"), HTTP_POST},   {S("PUT"), HTTP_PUT},
    {S("HEAD"), HTTP_HEAD},       {S("PATCH"), HTTP_PATCH}, {S("DELETE"), HTTP_DELETE},
    {S("OPTIONS"), HTTP_OPTIONS},
};

static bool read_method(struct head *head, str text)
{
    head->req->method_name = text;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_eq(methods[i].text, text))
            head->req->method = methods[i].method;
    if (!head->req->method && str_starts(head->req->target, S(HTTP_GUARDED_PATH "/")))
        head->req->method = HTTP_OTHER;
    if (head->req->method)
        return true;
    return refuse(head->fault, E_NOT_IMPLEMENTED, "The method is not one the server knows.");
}

static bool read_version(struct head *head, str text)
{
    if (text.n != 8 || !str_starts(text, S("HTTP/")) || !http_char_is(text.p[5], CHAR_DIGIT) ||
        text.p[6] != '.' || !http_char_is(text.p[7], CHAR_DIGIT))
        return malformed(head->fault, "The request line does not end in an HTTP version.");
    head->req->is_http_1_0 = str_eq(text, S("HTTP/1.0"));
    if (!head->req->is_http_1_0 && !str_eq(text, S("HTTP/1.1")))
        return refuse(head->fault, E_HTTP_VERSION_NOT_SUPPORTED,
                      "The version is neither HTTP/1.1 nor HTTP/1.0.");
    return true;
}

static bool read_request_line(struct head *head, struct arena *arena, str line)
{
    str rest = line;
    str method = str_cut(&rest, S(" "));
    str target = str_cut(&rest, S(" "));

    if (method.n == 0 || target.n == 0 || str_is_none(rest))
        return malformed(head->fault, "The request line is not method, target and version with "
                                      "single spaces between them.");
    if (!http_chars_are(method, CHAR_TOKEN))
        return malformed(head->fault, "The method is not a token.");
    head->req->target = target;
    return read_version(head, rest) && read_method(head, method) &&
           http_target_read(arena, head->req, &head->authority, head->fault);
}

/* ---- fields ---- */

static_assert((int)HTTP_FIELD_LINE_MAX_BYTES <= (int)SECRET_MAX_BYTES, "a secret holds any field");

/* Move a credential out, and leave no byte of it in the head. */
static void take_secret(struct http_field *field, struct secret *into, str text)
{
    if (into)
        secret_set(into, text);
    /* The loans of a head are into bytes that its reader owns. */
    mem_wipe((char *)field->raw.p, field->raw.n);
    field->raw = field->value = (str){field->raw.p, 0};
}

static void take_api_key(struct http_req *req, struct http_field *field)
{
    bool is_first = req->n_api_keys++ == 0;
    size_t space = str_starts(field->raw, S(" ")) ? 1 : 0;
    str text = str_sub(field->raw, space, field->raw.n);

    take_secret(field, is_first ? &req->api_key : NULL, text);
}

static void read_connection(struct http_req *req, str list)
{
    while (!str_is_none(list))
        if (str_ieq(str_trim(str_cut(&list, S(","))), S("close")))
            req->wants_close = true;
}

/* RFC 9110 section 5.6.3 allows it; nginx and Node do not all see a number or "chunked" behind it.
 */
static bool has_tab_beside(const struct http_field *field)
{
    str end = {field->value.p + field->value.n,
               (size_t)(field->raw.p + field->raw.n - field->value.p) - field->value.n};
    str start = {field->raw.p, (size_t)(field->value.p - field->raw.p)};

    return str_has_byte(start, '\t') || str_has_byte(end, '\t');
}

static bool note_known(struct head *head, enum known k, struct http_field *field)
{
    struct http_req *req = head->req;
    bool is_framing = k == HOST || k == CONTENT_LENGTH || k == TRANSFER_ENCODING;

    if (known_fields[k].if_twice && !str_is_none(head->known[k]))
        return malformed(head->fault, known_fields[k].if_twice);
    if (is_framing && has_tab_beside(field))
        return malformed(head->fault, "A tab stands beside the value of Host, Content-Length or "
                                      "Transfer-Encoding.");
    head->known[k] = field->value;
    if (k == API_KEY)
        take_api_key(req, field);
    else if (k == CONNECTION)
        read_connection(req, field->value);
    else if (k == AUTHORIZATION)
        take_secret(field, &req->authorization, field->value);
    else if (k == COOKIE)
        take_secret(field, &req->cookie, field->value);
    else if (k == GATE_TOKEN)
        take_secret(field, &req->gate_token, field->value);
    return true;
}

static bool read_field(struct head *head, str line)
{
    struct http_field *field = &head->fields[head->req->n_fields];
    str rest = line;

    if (head->req->n_fields == HTTP_FIELDS_MAX)
        return refuse(head->fault, E_HEADERS_TOO_LARGE, "There are more than 100 header fields.");
    field->name = str_cut(&rest, S(":"));
    if (str_is_none(rest))
        return malformed(head->fault, "A header line has no colon.");
    if (field->name.n == 0 || !http_chars_are(field->name, CHAR_TOKEN))
        return malformed(head->fault, "A field name is empty or is not a token.");
    field->raw = rest;
    field->value = str_trim(rest);
    head->req->n_fields++;
    enum known k = find_known(field->name);
    return k == UNKNOWN || note_known(head, k, field);
}

/* ---- what the fields say together ---- */

static bool check_host(struct head *head)
{
    str host = head->known[HOST];

    if (str_is_none(host) && !head->req->is_http_1_0)
        return malformed(head->fault, "Host is missing.");
    if (!str_is_none(host) && !http_host_is_valid(host))
        return malformed(head->fault, "Host is not a name or address with an optional port.");
    /* RFC 9112 section 3.2.2 has the target win; a request that says two things is refused here. */
    if (!str_is_none(head->authority) && !str_ieq(head->authority, host))
        return malformed(head->fault, "The request target and Host name different hosts.");
    return true;
}

/* RFC 9112 section 6: how long the body is may be said once, in one way. */
static bool check_framing(struct head *head)
{
    struct http_req *req = head->req;
    str length = head->known[CONTENT_LENGTH];
    str coding = head->known[TRANSFER_ENCODING];

    if (!str_is_none(length) && !str_parse_u64(length, INT64_MAX, &req->declared_bytes))
        return malformed(head->fault, "Content-Length is not a number of bytes.");
    req->has_body = req->declared_bytes > 0;
    if (str_is_none(coding))
        return true;
    if (req->is_http_1_0)
        return malformed(head->fault, "HTTP/1.0 has no Transfer-Encoding.");
    if (!str_is_none(length))
        return malformed(head->fault, "Content-Length and Transfer-Encoding are both there.");
    if (!str_ieq(coding, S("chunked")))
        return refuse(head->fault, E_NOT_IMPLEMENTED, "Transfer-Encoding is not just 'chunked'.");
    req->is_chunked = req->has_body = true;
    return true;
}

static bool check_expect(struct head *head)
{
    str expect = head->known[EXPECT];

    if (str_is_none(expect))
        return true;
    if (!str_ieq(expect, S("100-continue")))
        return refuse(head->fault, E_EXPECTATION_FAILED, "Expect is not '100-continue'.");
    /* RFC 9110 section 10.1.1: in HTTP/1.0 it is ignored. */
    head->req->expects_continue = !head->req->is_http_1_0;
    return true;
}

static bool read_lines(struct head *head, struct arena *arena, str rest)
{
    if (!read_request_line(head, arena, str_cut(&rest, S("\r\n"))))
        return false;
    for (;;) {
        str line = str_cut(&rest, S("\r\n"));
        if (line.n == 0)
            break;
        if (!read_field(head, line))
            return false;
    }
    return check_host(head) && check_framing(head) && check_expect(head);
}

enum http_parse http_parse_head(struct arena *arena, char *bytes, size_t head_bytes,
                                struct http_req *out, struct http_fault *fault)
{
    struct http_field fields[HTTP_FIELDS_MAX];
    struct head head = {.req = out, .fault = fault, .fields = fields};

    *out = (struct http_req){.local_uid = -1};
    bool is_good = read_lines(&head, arena, (str){bytes, head_bytes});
    struct http_field *kept = arena_array(arena, out->n_fields, sizeof *kept);
    if (out->n_fields)
        memcpy(kept, fields, out->n_fields * sizeof *kept);
    out->fields = kept;
    return is_good ? HTTP_COMPLETE : HTTP_REFUSED;
}

void http_req_drop(struct http_req *req)
{
    secret_drop(&req->api_key);
    secret_drop(&req->authorization);
    secret_drop(&req->cookie);
    secret_drop(&req->gate_token);
}
