/*
 * Request targets, RFC 9112 section 3.2: decoded once, and refused where two readers could see two
 * different paths in them.
 */
#include "http/target.h"

#include <string.h>

#include "base/banned.h"
#include "http/chars.h"

static bool refuse(struct http_fault *fault, const char *detail)
{
    *fault = (struct http_fault){E_MALFORMED_REQUEST, detail};
    return false;
}

/* How many bytes follow this first byte of a character, or -1 (RFC 3629 section 4). */
static int utf8_tail(unsigned char first)
{
    if (first < 0x80)
        return 0;
    if (first >= 0xC2 && first <= 0xDF)
        return 1;
    if (first >= 0xE0 && first <= 0xEF)
        return 2;
    return first >= 0xF0 && first <= 0xF4 ? 3 : -1;
}

/* The second byte rules out overlong forms, surrogates, and what lies past U+10FFFF. */
static bool utf8_second_fits(unsigned char first, unsigned char second)
{
    unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;

    return second >= least && second <= most;
}

static bool is_utf8(str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char first = (unsigned char)s.p[i];
        int tail = utf8_tail(first);
        if (tail < 0 || (size_t)tail >= s.n - i)
            return false;
        for (int k = 1; k <= tail; k++) {
            unsigned char next = (unsigned char)s.p[i + (size_t)k];
            if ((next & 0xC0) != 0x80 || (k == 1 && !utf8_second_fits(first, next)))
                return false;
        }
        i += (size_t)tail + 1;
    }
    return true;
}

/* The value of the escape at s.p[i], or -1. */
static int escape_at(str s, size_t i)
{
    int high = s.n - i > 2 ? hex_value(s.p[i + 1]) : -1;
    int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;

    return low < 0 ? -1 : high * 16 + low;
}

/* False: an escape is cut short, is not hex, or stands for NUL. */
static bool decode(struct arena *arena, str s, str *out)
{
    char *p = arena_alloc(arena, s.n);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        int value = (unsigned char)s.p[i];
        if (s.p[i] == '%') {
            value = escape_at(s, i);
            if (value <= 0)
                return false;
            i += 2;
        }
        p[n++] = (char)value;
    }
    *out = (str){p, n};
    return true;
}

/* An escaped separator would be one segment to us and two to the next reader. */
static bool hides_separator_or_control(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int value = s.p[i] == '%' ? escape_at(s, i) : 'x';
        if (value == '/' || value == '\\' || value < 0x20 || value == 0x7F)
            return true;
    }
    return false;
}

static bool has_dot_segment(str path)
{
    while (!str_is_none(path)) {
        str segment = str_cut(&path, S("/"));
        if (str_eq(segment, S(".")) || str_eq(segment, S("..")))
            return true;
    }
    return false;
}

static bool read_path(struct arena *arena, str raw, str *path, struct http_fault *fault)
{
    *path = raw;
    if (!http_chars_are(raw, CHAR_PATH))
        return refuse(fault, "The path holds a byte that must be percent-encoded.");
    if (str_has_byte(raw, '%')) {
        if (!decode(arena, raw, path))
            return refuse(fault, "The path holds a percent escape that is not valid.");
        if (hides_separator_or_control(raw))
            return refuse(fault, "The path holds an escaped slash, backslash or control byte.");
        if (!is_utf8(*path))
            return refuse(fault, "The path is not UTF-8.");
    }
    if (str_has_byte(*path, '.') && has_dot_segment(*path))
        return refuse(fault, "The path holds a segment '.' or '..'.");
    return true;
}

static bool check_query(struct arena *arena, str query, struct http_fault *fault)
{
    str decoded;

    if (!http_chars_are(query, CHAR_QUERY))
        return refuse(fault, "The query holds a byte that must be percent-encoded.");
    if (!str_has_byte(query, '%'))
        return true;
    if (!decode(arena, query, &decoded))
        return refuse(fault, "The query holds a percent escape that is not valid.");
    if (!is_utf8(decoded))
        return refuse(fault, "The query is not UTF-8.");
    return true;
}

/* Cuts "http://host:port" off the front; what is left begins with "/" or "?", or is empty. */
static bool take_authority(str *rest, str *authority, struct http_fault *fault)
{
    str scheme = str_istarts(*rest, S("http://")) ? S("http://") : S("https://");
    size_t end = scheme.n;

    if (!str_istarts(*rest, scheme))
        return refuse(fault, "The request target is neither a path nor an http or https address.");
    while (end < rest->n && rest->p[end] != '/' && rest->p[end] != '?')
        end++;
    *authority = str_sub(*rest, scheme.n, end - scheme.n);
    *rest = str_sub(*rest, end, rest->n);
    if (!http_host_is_valid(*authority))
        return refuse(fault, "The request target names no valid host.");
    return true;
}

bool http_target_read(struct arena *arena, struct http_req *req, str *authority,
                      struct http_fault *fault)
{
    str rest = req->target;

    *authority = STR_NONE;
    if (str_starts(rest, S(HTTP_GUARDED_PATH "/"))) {
        req->path = S(HTTP_GUARDED_PATH);
        req->guarded = str_sub(rest, req->path.n, rest.n);
        return true;
    }
    if (str_eq(rest, S("*"))) {
        req->path = rest;
        return req->method == HTTP_OPTIONS || refuse(fault, "The target '*' is for OPTIONS only.");
    }
    if (!str_starts(rest, S("/")) && !take_authority(&rest, authority, fault))
        return false;
    str path = str_cut(&rest, S("?"));
    req->query = rest;
    if (path.n == 0)
        path = S("/");
    return read_path(arena, path, &req->path, fault) && check_query(arena, req->query, fault);
}

static bool port_is_valid(str port)
{
    uint64_t value;

    return port.n <= 5 && str_parse_u64(port, 65535, &value);
}

/* Coarse: which address it is matters to nobody here. */
static bool ipv6_is_shaped(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (hex_value(s.p[i]) < 0 && s.p[i] != ':' && s.p[i] != '.')
            return false;
    return s.n >= 2 && str_has_byte(s, ':');
}

/* RFC 1034 section 3.1: the empty label is the root, which one dot at the end stands for. */
static bool has_empty_label(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '.' && (i == 0 || name.p[i - 1] == '.'))
            return true;
    return false;
}

bool http_host_is_valid(str host)
{
    str rest = host;

    if (str_starts(host, S("["))) {
        str address = str_sub(str_cut(&rest, S("]")), 1, host.n);
        if (str_is_none(rest) || !ipv6_is_shaped(address))
            return false;
        return rest.n == 0 || (rest.p[0] == ':' && port_is_valid(str_sub(rest, 1, rest.n)));
    }
    str name = str_cut(&rest, S(":"));
    if (name.n == 0 || !http_chars_are(name, CHAR_NAME) || has_empty_label(name))
        return false;
    return str_is_none(rest) || port_is_valid(rest);
}
