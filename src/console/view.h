/*
 * What all pages share: head, navigation, forms, notices, problems. Inside console/ only.
 *
 * A new page adds a row to the navigation in view.c, and its routes to routes.c.
 */
#ifndef SALLYPORT_CONSOLE_VIEW_H
#define SALLYPORT_CONSOLE_VIEW_H

#include <jansson.h>

#include "console/html.h"
#include "http/http.h"
#include "http/urlencoded.h"

#define PATH_SIGN_IN  "/sign-in"
#define PATH_API_KEYS "/employer/api-keys"
#define PATH_REFUSALS "/employer/refusals"
#define PATH_ACCOUNT  "/account"
#define PATH_RESET    "/reset-password"

enum { CONSOLE_FORM_MAX_BYTES = 32 * 1024 };

struct view {
    struct cx *cx;
    const struct http_req *req;
    struct http_reply *out;
    struct html h;
};

/*
 * Start the reply with everything before the page's own content, which is left inside <main>.
 *
 * title    for the browser's title, and the page's one <h1>
 * section  the path of the page's row in the navigation, or STR_NONE
 */
struct view view_begin(struct cx *cx, const struct http_req *req, struct http_reply *out,
                       int status, str title, str section);
enum err view_end(struct view *p); /* E_OK, to end a handler */

/* 303: get this path next. It lives in the arena. */
enum err view_redirect(struct http_reply *out, str path);

/* "?done=revoked" shows a sentence from a fixed list: what the form before has done. Only where the
 * state is the one it leads to, so that a link made by somebody else can claim nothing untrue. */
void view_notice(struct view *p, str state);

/* ---- forms ---- */

/* <form method="post"> with the session's token; closed by the caller. */
void view_form(struct view *p, str action);

/* The same with a nonce, so that the form can be sent twice and its work be done once. */
void view_form_once(struct view *p, str action);

/*
 * Read a form that was sent, and see that it comes from a page of this session.
 *
 * E_FORM_TOKEN_INVALID, E_MALFORMED_FORM, E_UNSUPPORTED_MEDIA_TYPE
 */
enum err view_read_form(struct cx *cx, const struct http_req *req, str many,
                        struct urlencoded *out);

/* The nonce of a form of view_form_once. E_MALFORMED_FORM */
enum err view_nonce(struct cx *cx, const struct urlencoded *form, str *out);

/* ---- problems ---- */

/* Problem, cause and fix as the error table and cx->failure have them, in a box. */
void view_problem(struct view *p, enum err e);

/*
 * What was wrong with each field: cx->failure's errors, as a list to be dropped; NULL: nothing.
 */
json_t *view_field_problems(const struct cx *cx);

/* A field of a form, by the API's name for it. Its hint and faults are "MEMBER-hint", "-error". */
struct view_field {
    const char *member; /* NULL ends a list */
    const char *label;
    const char *input; /* the id of what is typed into */
};

/* What is wrong with a field, under its id; nothing if all is well. */
void view_field_error(struct view *p, const json_t *problems, const struct view_field *field);

/* All that is wrong, each a link to its field; or view_problem where it is about no field. */
void view_form_problem(struct view *p, enum err e, const json_t *problems,
                       const struct view_field *fields);

/* ' aria-invalid="true" aria-describedby="MEMBER-hint MEMBER-error"', or the hint alone. */
void view_field_state(struct view *p, const json_t *problems, const struct view_field *field);

/* ---- values ---- */

/* An instant as the API writes it: UTC for people; what_if_none where there is none. */
void view_time(struct view *p, str instant, str what_if_none);
str view_number(struct view *p, int64_t value);

#endif
