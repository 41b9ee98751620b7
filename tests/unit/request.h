/* A cx and a form over a JSON text, for tests of rules. */
#ifndef SALLYPORT_TESTS_UNIT_REQUEST_H
#define SALLYPORT_TESTS_UNIT_REQUEST_H

#include "unit.h"

#include "base/form.h"

#define A_DAY_IN_2026 INT64_C(1780000000000)

struct request {
    struct cx cx;
    json_t *json;
    struct form form;
};

static inline void request_start(struct request *r, const char *text)
{
    *r = (struct request){.cx = {.arena = arena_new(), .now_ms = A_DAY_IN_2026}};
    assert_int_equal(json_read(&r->cx, str_of(text), &r->json), E_OK);
    form_open(&r->form, &r->cx, r->json);
}

static inline enum err request_close(struct request *r)
{
    return form_close(&r->form);
}

static inline void request_end(struct request *r)
{
    json_drop(&r->json);
    arena_drop(&r->cx.arena);
}

/* Does the failure name this member, and say this of it? */
static inline void assert_problem(const struct request *r, const char *member, const char *says)
{
    str members = r->cx.failure.members;
    char wanted[256];

    snprintf(wanted, sizeof wanted, "{\"member\":\"%s\",\"reason\":\"", member);
    const char *at = members.n ? memmem(members.p, members.n, wanted, strlen(wanted)) : NULL;
    if (!at)
        flunk("no problem with %s in %.*s", member, STR_ARG(members));
    const char *end = strchr(at, '}');
    if (!memmem(at, (size_t)(end - at), says, strlen(says)))
        flunk("the problem with %s is %.*s", member, (int)(end - at), at);
}

#endif
