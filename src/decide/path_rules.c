/* Rules of method and path: reading both, and finding the one that decides. */
#include "decide/path_rules.h"

#include <string.h>

#include "base/banned.h"
#include "base/text.h"

const char *path_fault_text(enum path_fault fault)
{
    static const char *const texts[] = {
        [PATH_OK] = "is fine",
        [PATH_NOT_ABSOLUTE] = "does not begin with a slash",
        [PATH_TOO_LONG] = "is too long, or has too many segments",
        [PATH_BYTE] = "holds a byte that must be percent-encoded",
        [PATH_ESCAPE] = "holds a percent escape that is not valid",
        [PATH_SEPARATOR] = "holds an escaped slash or backslash",
        [PATH_CONTROL] = "holds an escaped control byte",
        [PATH_TWICE] = "is percent-encoded twice",
        [PATH_PARAMETERS] = "holds a semicolon, behind which some servers read parameters",
        [PATH_DOT_SEGMENT] = "holds a segment '.' or '..'",
        [PATH_EMPTY_SEGMENT] = "holds two slashes in a row",
        [PATH_NOT_UTF8] = "is not UTF-8",
    };

    return texts[fault];
}

/* ---- one path ---- */

/* RFC 3986 section 3.3: pchar without its escapes, and without the semicolon. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~!$&'()*+,=:@", c));
}

/* The value of the escape at s.p[i], or -1. */
static int escape_at(str s, size_t i)
{
    int high = s.n - i > 2 ? hex_value(s.p[i + 1]) : -1;
    int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;

    return low < 0 ? -1 : high * 16 + low;
}

static enum path_fault judge_escaped(str s, size_t i, int value)
{
    bool is_percent =
        value == '%' && s.n - i > 4 && hex_value(s.p[i + 3]) >= 0 && hex_value(s.p[i + 4]) >= 0;

    if (value < 0)
        return PATH_ESCAPE;
    if (value == '/' || value == '\\')
        return PATH_SEPARATOR;
    if (value < 0x20 || value == 0x7F)
        return PATH_CONTROL;
    if (value == ';')
        return PATH_PARAMETERS;
    return is_percent ? PATH_TWICE : PATH_OK;
}

/* Decodes into *room, which has space for all of it, and moves that on; without an escape the
 * segment stays where it is. */
static enum path_fault decode_segment(str raw, char **room, str *out)
{
    char *p = *room;

    *out = raw;
    if (!str_has_byte(raw, '%'))
        return PATH_OK;
    for (size_t i = 0; i < raw.n; i++) {
        int value = (unsigned char)raw.p[i];
        if (value == '%') {
            value = escape_at(raw, i);
            enum path_fault fault = judge_escaped(raw, i, value);
            if (fault != PATH_OK)
                return fault;
            i += 2;
        }
        *p++ = (char)value;
    }
    *out = (str){*room, (size_t)(p - *room)};
    *room = p;
    return text_valid_prefix(*out).n == out->n ? PATH_OK : PATH_NOT_UTF8;
}

static enum path_fault read_segment(str raw, char **room, str *out)
{
    for (size_t i = 0; i < raw.n; i++)
        if (!is_plain(raw.p[i]) && raw.p[i] != '%')
            return raw.p[i] == ';' ? PATH_PARAMETERS : PATH_BYTE;
    enum path_fault fault = decode_segment(raw, room, out);
    if (fault != PATH_OK)
        return fault;
    if (out->n == 0)
        return PATH_EMPTY_SEGMENT;
    return str_eq(*out, S(".")) || str_eq(*out, S("..")) ? PATH_DOT_SEGMENT : PATH_OK;
}

/* Cuts the slash in front, and one at the end. */
static bool strip(str *path)
{
    if (!str_starts(*path, S("/")))
        return false;
    *path = str_sub(*path, 1, path->n);
    if (path->n > 1 && str_ends(*path, S("/")))
        path->n--;
    return true;
}

enum path_fault path_read(str target, struct path *out)
{
    str rest = str_cut(&target, S("?"));
    char *room = out->room;

    out->n = 0;
    if (rest.n > PATH_MAX_BYTES)
        return PATH_TOO_LONG;
    if (!strip(&rest))
        return PATH_NOT_ABSOLUTE;
    if (rest.n == 0)
        return PATH_OK;
    while (!str_is_none(rest)) {
        if (out->n == PATH_SEGMENTS_MAX)
            return PATH_TOO_LONG;
        enum path_fault fault = read_segment(str_cut(&rest, S("/")), &room, &out->segments[out->n]);
        if (fault != PATH_OK)
            return fault;
        out->n++;
    }
    return PATH_OK;
}

/* ---- one rule ---- */

bool path_rule_method_is_valid(str method)
{
    if (str_eq(method, S("*")))
        return true;
    for (size_t i = 0; i < method.n; i++)
        if (!(method.p[i] >= 'A' && method.p[i] <= 'Z') && method.p[i] != '-')
            return false;
    return method.n > 0 && method.n <= PATH_METHOD_MAX_BYTES;
}

/* {name}: one segment, whatever it is. */
static bool is_parameter(str segment)
{
    if (segment.n < 3 || !str_starts(segment, S("{")) || !str_ends(segment, S("}")))
        return false;
    return text_is_plain(str_sub(segment, 1, segment.n - 2), PATH_PATTERN_MAX_BYTES);
}

static const char *read_pattern_segment(str raw, char **room, str *out)
{
    if (is_parameter(raw)) {
        *out = STR_NONE;
        return NULL;
    }
    if (str_has_byte(raw, '{') || str_has_byte(raw, '}'))
        return "may have { and } only around the name of a whole segment, as in /orders/{id}";
    if (str_has_byte(raw, '*'))
        return "may have ** only as its last segment, for everything below";
    enum path_fault fault = read_segment(raw, room, out);
    return fault == PATH_OK ? NULL : path_fault_text(fault);
}

static const char *read_segments(struct arena *arena, str rest, struct path_rule *out)
{
    char *room = arena_alloc(arena, rest.n);
    str *segments = arena_array(arena, PATH_PATTERN_MAX_BYTES / 2, sizeof *segments);
    const char *wrong = NULL;

    while (!str_is_none(rest) && !wrong) {
        str segment = str_cut(&rest, S("/"));
        if (str_eq(segment, S("**")) && str_is_none(rest)) {
            out->takes_below = true;
            break;
        }
        if (out->n_segments == PATH_SEGMENTS_MAX)
            return path_fault_text(PATH_TOO_LONG);
        wrong = read_pattern_segment(segment, &room, &segments[out->n_segments++]);
    }
    out->segments = segments;
    return wrong;
}

const char *path_rule_read(struct arena *arena, str method, str pattern, struct path_rule *out)
{
    str rest = pattern;

    out->method = arena_dup(arena, method);
    out->n_segments = 0;
    out->takes_below = false;
    if (pattern.n > PATH_PATTERN_MAX_BYTES)
        return path_fault_text(PATH_TOO_LONG);
    if (!strip(&rest))
        return path_fault_text(PATH_NOT_ABSOLUTE);
    out->pattern = arena_dup(arena, rest.n ? str_sub(pattern, 0, rest.n + 1) : S("/"));
    return rest.n ? read_segments(arena, str_sub(out->pattern, 1, rest.n), out) : NULL;
}

/* ---- several ---- */

static bool takes_method(const struct path_rule *rule, str method)
{
    return str_eq(rule->method, method) || str_eq(rule->method, S("*")) ||
           (str_eq(method, S("HEAD")) && str_eq(rule->method, S("GET")));
}

/* How many segments fit, from the front. */
static size_t count_fitting(const struct path_rule *rule, const struct path *path)
{
    size_t n = 0;

    while (n < rule->n_segments && n < path->n &&
           (str_is_none(rule->segments[n]) || str_eq(rule->segments[n], path->segments[n])))
        n++;
    return n;
}

static bool takes_path(const struct path_rule *rule, const struct path *path)
{
    if (rule->n_segments != path->n && !(rule->takes_below && rule->n_segments < path->n))
        return false;
    return count_fitting(rule, path) == rule->n_segments;
}

const struct path_rule *path_rules_find(const struct path_rule *rules, size_t n, str method,
                                        const struct path *path)
{
    for (size_t i = 0; i < n; i++)
        if (takes_path(&rules[i], path) && takes_method(&rules[i], method))
            return &rules[i];
    return NULL;
}

/* Every path of the second is one of the first. */
static bool covers_path(const struct path_rule *all, const struct path_rule *rule)
{
    bool has_length = all->takes_below ? all->n_segments <= rule->n_segments
                                       : all->n_segments == rule->n_segments && !rule->takes_below;

    for (size_t i = 0; has_length && i < all->n_segments; i++)
        if (!str_is_none(all->segments[i]) &&
            (str_is_none(rule->segments[i]) || !str_eq(all->segments[i], rule->segments[i])))
            return false;
    return has_length;
}

const struct path_rule *path_rules_covering(const struct path_rule *rules, size_t n,
                                            const struct path_rule *rule)
{
    for (size_t i = 0; i < n; i++)
        if (takes_method(&rules[i], rule->method) && covers_path(&rules[i], rule))
            return &rules[i];
    return NULL;
}

/* Up to which segment they agree; one that fits whole is ahead of all others. */
static size_t nearness(const struct path_rule *rule, const struct path *path)
{
    return takes_path(rule, path) ? PATH_SEGMENTS_MAX + 1 : count_fitting(rule, path);
}

size_t path_rules_near(const struct path_rule *rules, size_t n, const struct path *path,
                       const struct path_rule **out, size_t max)
{
    size_t best = 0;
    size_t n_out = 0;

    for (size_t i = 0; i < n; i++)
        if (nearness(&rules[i], path) > best)
            best = nearness(&rules[i], path);
    for (size_t i = 0; i < n && n_out < max; i++)
        if (nearness(&rules[i], path) == best)
            out[n_out++] = &rules[i];
    return n_out;
}
