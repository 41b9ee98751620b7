/*
 * Forms: the members of a JSON object, taken by name. Every problem is collected, so that a caller
 * sees all of them at once, each with what would be valid.
 */
#ifndef SALLYPORT_BASE_FORM_H
#define SALLYPORT_BASE_FORM_H

#include "base/json.h"

enum { FORM_MEMBERS_MAX = 32, FORM_PROBLEMS_MAX = 100 };

struct form {
    struct cx *cx;
    const json_t *object; /* NULL: the text was no object, which is noted as a problem */
    str known[FORM_MEMBERS_MAX];
    size_t n_known;
    struct form *outer;  /* the form this one is a part of, or NULL */
    const char *prefix;  /* before the names of members in problems: "rateLimit." */
    int64_t index;       /* of a row, shown with its problems; -1: none */
    size_t n_problems;   /* of this form; the outermost counts those of its parts too */
    struct buf problems; /* of the outermost: {"member","reason"}, … without the brackets */
    enum err code; /* what form_close answers: E_INVALID_REQUEST, unless a reader knows better */
};

/* Values are loans from `object`. Every form_open is followed by one form_close. */
void form_open(struct form *f, struct cx *cx, const json_t *object);

/* Over nothing: for problems that are found later, without an object to read. */
void form_open_blank(struct form *f, struct cx *cx);

/*
 * Problem-free: E_OK. Else f->code with errors in the failure's members. A member that
 * was not asked for is a problem; its reason lists the known ones.
 */
enum err form_close(struct form *f);

/*
 * A form over an object inside another: its problems go to the outer form, with `prefix` before
 * the member's name ("rateLimit."), or as row number `index` of a list. The prefix lives as long as
 * the form.
 */
void form_open_part(struct form *f, struct form *outer, const json_t *object, const char *prefix);
void form_open_row(struct form *f, struct form *outer, const json_t *object, int64_t index);
void form_close_part(struct form *f);

/* The first FORM_PROBLEMS_MAX problems noted so far, as a JSON list, in the arena. */
str form_problems(const struct form *f);

/* Forget the problems that were noted since the mark: for what may run more than once. */
struct form_mark {
    size_t n_problems;
    size_t bytes;
};
struct form_mark form_mark(const struct form *f);
void form_rewind(struct form *f, struct form_mark mark);

/* Note a problem with a member, e.g. "scopes[2]". */
void form_problem(struct form *f, const char *member, const char *format, ...) PRINTF_LIKE(3, 4);

/* The member, marked as known; NULL if absent. */
const json_t *form_value(struct form *f, const char *member);
bool form_has(const struct form *f, const char *member);

/*
 * Text of 1 to max_chars characters (code points) without control characters, trimmed of nothing.
 * Absent: STR_NONE, and a problem if it is required. null counts as absent where not required.
 */
str form_text(struct form *f, const char *member, size_t max_chars, bool is_required);

bool form_bool(struct form *f, const char *member, bool if_absent);
int64_t form_int(struct form *f, const char *member, int64_t min, int64_t max, int64_t if_absent);

/* RFC 3339; null or absent: 0. */
int64_t form_time(struct form *f, const char *member);

#endif
