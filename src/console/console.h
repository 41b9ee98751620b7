/*
 * The pages for people: sign in, API keys, refusals. HTML from the server, forms, and no more.
 *
 * A page is a view of the API: it runs the API's own route in this process (console/api.h) and
 * shows what that answers, so rules, audit, idempotency and errors are the same. Its dialect is
 * HTML: a refusal becomes a page with the error table's words, and who is not signed in is sent to
 * /sign-in.
 */
#ifndef SALLYPORT_CONSOLE_CONSOLE_H
#define SALLYPORT_CONSOLE_CONSOLE_H

#include "http/router.h"

extern const struct route console_routes[];

/* Is this path one of the pages', whether or not there is one? */
bool console_owns(str path);

/* What is answered instead of a problem body. A page that a handler has written stays as it is. */
void console_refuse(struct cx *cx, const struct http_req *req, enum err e, struct http_reply *out);

#endif
