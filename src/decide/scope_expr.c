/* Scope expressions: a recursive descent into postfix steps, and a stack to judge them. */
#include "decide/scope_expr.h"

#include <assert.h>

enum { STEP_AND = 0xfe, STEP_OR = 0xff };

static_assert((int)SCOPES_MAX < (int)STEP_AND, "a step is a scope or an operator");

/* ---- reading ---- */

struct reader {
    const struct scope_names *names;
    str text;
    size_t at; /* of the word that is next */
    str word;  /* STR_NONE: the end */
    int depth;
    struct scope_expr *out;
    struct scope_expr_fault *fault;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_word_end(char c)
{
    return is_space(c) || c == '(' || c == ')';
}

static void next(struct reader *r)
{
    size_t end;

    r->at += r->word.n;
    while (r->at < r->text.n && is_space(r->text.p[r->at]))
        r->at++;
    end = r->at;
    if (end < r->text.n && is_word_end(r->text.p[end]))
        end++;
    else
        while (end < r->text.n && !is_word_end(r->text.p[end]))
            end++;
    r->word = end > r->at ? str_sub(r->text, r->at, end - r->at) : STR_NONE;
}

static bool fault(struct reader *r, str reason)
{
    *r->fault = (struct scope_expr_fault){r->at, reason};
    return false;
}

static bool put(struct reader *r, uint8_t step)
{
    if (r->out->n == SCOPE_EXPR_STEPS_MAX)
        return fault(r, S("is too long: 32 scopes are the most"));
    r->out->steps[r->out->n++] = step;
    return true;
}

static bool read_any(struct reader *r);

static bool read_group(struct reader *r)
{
    if (++r->depth > SCOPE_EXPR_DEPTH_MAX)
        return fault(r, S("has more than 16 brackets inside each other"));
    next(r);
    if (!read_any(r))
        return false;
    if (!str_eq(r->word, S(")")))
        return fault(r, str_is_none(r->word) ? S("lacks a )") : S("must be AND, OR or )"));
    next(r);
    r->depth--;
    return true;
}

static bool read_factor(struct reader *r)
{
    unsigned scope;

    if (str_eq(r->word, S("(")))
        return read_group(r);
    if (str_is_none(r->word))
        return fault(r, S("must be a scope or (, and the text ends"));
    if (!scope_names_find(r->names, r->word, &scope))
        return fault(r, S("must be a scope or ("));
    next(r);
    return put(r, (uint8_t)scope);
}

static bool read_all(struct reader *r)
{
    if (!read_factor(r))
        return false;
    while (str_ieq(r->word, S("AND"))) {
        next(r);
        if (!read_factor(r) || !put(r, STEP_AND))
            return false;
    }
    return true;
}

static bool read_any(struct reader *r)
{
    if (!read_all(r))
        return false;
    while (str_ieq(r->word, S("OR"))) {
        next(r);
        if (!read_all(r) || !put(r, STEP_OR))
            return false;
    }
    return true;
}

bool scope_expr_parse_names(const struct scope_names *names, str text, struct scope_expr *out,
                            struct scope_expr_fault *why)
{
    struct reader r = {.names = names, .text = text, .word = STR_NONE, .out = out, .fault = why};

    *out = (struct scope_expr){0};
    if (text.n > SCOPE_EXPR_MAX_BYTES)
        return fault(&r, S("is too long: 1024 bytes are the most"));
    next(&r);
    if (str_is_none(r.word))
        return true;
    if (!read_any(&r))
        return false;
    return str_is_none(r.word) ||
           fault(&r, str_eq(r.word, S(")")) ? S("closes a bracket that is not open")
                                            : S("must be AND or OR, or the end"));
}

bool scope_expr_parse(str text, struct scope_expr *out, struct scope_expr_fault *why)
{
    return scope_expr_parse_names(&scope_names_enterprise, text, out, why);
}

/* ---- judging ---- */

static struct scope_set fewer(struct scope_set a, struct scope_set b)
{
    return __builtin_popcountll(b.bits) < __builtin_popcountll(a.bits) ? b : a;
}

struct scope_set scope_expr_missing(const struct scope_expr *expr, struct scope_set held)
{
    struct scope_set stack[SCOPE_EXPR_STEPS_MAX + 1];
    size_t n = 0;

    /* Of no step nothing is missing; the rest is written before it is read. */
    stack[0].bits = 0;
    for (size_t i = 0; i < expr->n; i++) {
        uint8_t step = expr->steps[i];
        if (step < STEP_AND) {
            stack[n++].bits = ~held.bits & UINT64_C(1) << step;
            continue;
        }
        n--;
        if (step == STEP_AND)
            stack[n - 1].bits |= stack[n].bits;
        else
            stack[n - 1] = fewer(stack[n - 1], stack[n]);
    }
    return stack[0];
}

struct scope_set scope_expr_scopes(const struct scope_expr *expr)
{
    struct scope_set all = {0};

    for (size_t i = 0; i < expr->n; i++)
        if (expr->steps[i] < STEP_AND)
            all.bits |= UINT64_C(1) << expr->steps[i];
    return all;
}
