/* Running a route of the API in this process, for the person a page is for. Inside console/ only.
 */
#ifndef SALLYPORT_CONSOLE_API_H
#define SALLYPORT_CONSOLE_API_H

#include <jansson.h>

#include "http/router.h"

struct api_call {
    enum http_method method;
    str target;                /* path and query */
    const json_t *body;        /* or NULL */
    str once;                  /* the Idempotency-Key; STR_NONE: none */
    const struct http_req *of; /* the page's own request: its cookie goes along */
};

/*
 * cx->who has been let in to the page, whose role is at least that of the route.
 *
 * answer   the JSON body, to be dropped; NULL: it has none
 * cookies  takes over a Set-Cookie of the answer; NULL: there is none
 *
 * The errors are the route's, with cx->failure.
 */
enum err api_run(struct cx *cx, const struct api_call *call, struct http_reply *cookies,
                 json_t **answer);

/* A GET. */
enum err api_get(struct cx *cx, const struct http_req *of, str target, json_t **answer);

/* A member's text; STR_NONE if it is absent or no text. */
str api_text(const json_t *object, const char *member);

#endif
