/*
 * Rules of method and path: which one a request falls under, and so what it needs. Pure.
 *
 * A path is judged in one canonical form: percent-decoded once, without its query and without a
 * slash at the end. One that two readers could take for two different paths is not guessed at:
 * see enum path_fault.
 *
 * A pattern is a path, in which {name} stands for one segment, and a last segment ** for whatever
 * is below, the path itself included: /orders/{id}, /files/ and **. The first rule that fits
 * decides.
 */
#ifndef SALLYPORT_DECIDE_PATH_RULES_H
#define SALLYPORT_DECIDE_PATH_RULES_H

#include "decide/scope_expr.h"

enum {
    PATH_MAX_BYTES = 8192,
    PATH_SEGMENTS_MAX = 64,
    PATH_PATTERN_MAX_BYTES = 256,
    PATH_METHOD_MAX_BYTES = 32,
};

enum path_fault {
    PATH_OK,
    PATH_NOT_ABSOLUTE,  /* does not begin with a slash */
    PATH_TOO_LONG,      /* more than PATH_MAX_BYTES, or PATH_SEGMENTS_MAX segments */
    PATH_BYTE,          /* RFC 3986 section 3.3: a byte that must be percent-encoded */
    PATH_ESCAPE,        /* an escape that is none */
    PATH_SEPARATOR,     /* an escaped slash or backslash */
    PATH_CONTROL,       /* an escaped control byte */
    PATH_TWICE,         /* escaped twice: who decodes twice sees another path */
    PATH_PARAMETERS,    /* a semicolon, behind which some read parameters */
    PATH_DOT_SEGMENT,   /* "." or ".." */
    PATH_EMPTY_SEGMENT, /* "//" */
    PATH_NOT_UTF8,
};

/* The rest of a sentence: "holds an escaped slash or backslash". */
const char *path_fault_text(enum path_fault fault);

/* A path in its canonical form. Segments are loans from the target, or from `room`. */
struct path {
    str segments[PATH_SEGMENTS_MAX];
    size_t n; /* 0: "/" */
    char room[PATH_MAX_BYTES];
};

/* target: as in a request line, its query included. No allocation. */
enum path_fault path_read(str target, struct path *out);

struct path_rule {
    str method;  /* "*": any; GET takes HEAD too */
    str pattern; /* without a slash at the end */
    struct scope_expr needs;
    bool is_void;        /* what it needs is no more, so nobody has it */
    const str *segments; /* of the pattern, decoded; STR_NONE: any one */
    size_t n_segments;
    bool takes_below;
};

/*
 * method and pattern as written; their copies, and the segments, live in the arena. `needs` is left
 * alone. NULL, or what is wrong with the pattern: the rest of a sentence.
 */
const char *path_rule_read(struct arena *arena, str method, str pattern, struct path_rule *out);

/* "*", or a method's name in capital letters. */
bool path_rule_method_is_valid(str method);

/* The first that fits; NULL: none does. Methods are compared as they are (RFC 9110 section 9.1). */
const struct path_rule *path_rules_find(const struct path_rule *rules, size_t n, str method,
                                        const struct path *path);

/* The first of the rules that takes every request that `rule` would; NULL: there is none. */
const struct path_rule *path_rules_covering(const struct path_rule *rules, size_t n,
                                            const struct path_rule *rule);

/*
 * Where none fits: those that come nearest, in their order. First those of the path whose method is
 * another, then those that share the most segments from the front. Returns how many.
 */
size_t path_rules_near(const struct path_rule *rules, size_t n, const struct path *path,
                       const struct path_rule **out, size_t max);

#endif
