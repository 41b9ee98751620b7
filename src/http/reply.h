/* Replies in JSON, and errors as RFC 9457 problem details. */
#ifndef SALLYPORT_HTTP_REPLY_H
#define SALLYPORT_HTTP_REPLY_H

#include "base/cx.h"
#include "base/form.h"
#include "decide/limit.h"
#include "http/http.h"

/*
 * The address people and programs use, "https://api.example": where "type" of a problem points, and
 * what Origin is compared with. Set before the first request; both texts outlive the process.
 */
void http_set_public_url(const str *url);
str http_public_url(void);

/* Start a JSON body; what is written next goes into it. */
struct json_out http_reply_json(struct http_reply *out, int status);

/*
 * For handlers of changes: plan the answer, make the change, write the answer. The change's
 * transaction can then keep what will be answered (idempotency/), which is why what is written is
 * complete at the end of the transaction. `what` must live until then; write NULL: no body.
 */
void http_reply_plan(struct http_reply *out, int status, http_body_writer write, const void *what);
enum err http_reply_write(struct cx *cx, struct http_reply *out); /* E_OK, to end a handler */

/* Write what is planned without secrets and personal data. */
void http_reply_keep(struct cx *cx, const struct http_reply *reply, struct buf *out,
                     bool *left_secret_out);

/* 204: done, and nothing to say. */
void http_reply_empty(struct http_reply *out);

/*
 * The problem body for an error, from the catalogue and cx->failure, with the fields that its
 * status asks for: Retry-After, WWW-Authenticate. Whatever was in the reply is dropped.
 */
void http_reply_problem(const struct cx *cx, const struct http_req *req, enum err e,
                        struct http_reply *out);

/* The same under /api/v1, in the words of its contract: contracts/management_messages.def. */
void http_reply_errors(const struct cx *cx, enum err e, struct http_reply *out);

/* When to come back, where the status asks for it: Retry-After, and its value; else STR_NONE. */
str http_reply_wait(const struct cx *cx, int status, struct http_reply *out);

/* draft-ietf-httpapi-ratelimit-headers-10: a policy and its present state; nothing where no limit
 * was looked at. */
void http_reply_rate(struct http_reply *out, struct arena *arena, const struct rate_verdict *rate);

/* Does the request say that its body is JSON, in UTF-8 and as it is? E_UNSUPPORTED_MEDIA_TYPE */
enum err http_req_is_json(struct cx *cx, const struct http_req *req);

/* The body as JSON. E_UNSUPPORTED_MEDIA_TYPE, E_MALFORMED_JSON. Declared DROP(json). */
enum err http_req_json(struct cx *cx, const struct http_req *req, json_t **out);

/* The query as an object of texts, for a form; a parameter given twice is refused. */
enum err http_req_query_json(struct cx *cx, const struct http_req *req, json_t **out);

/* ---- paging: the same two names on every list ---- */

enum { PAGE_LIMIT_MAX = 1000, PAGE_LIMIT_DEFAULT = 100 };

struct page {
    int64_t limit;
    str after; /* the last id of the page before; STR_NONE on the first */
};

/* From a form over the query. `list` is the letter of the list's cursors; a bad cursor makes the
 * form close with E_INVALID_CURSOR. */
void page_read(struct form *query, char list, struct page *out);

/* A query of nothing but a page, as most lists take. */
enum err page_query(struct cx *cx, const struct http_req *req, char list, struct page *out);

/*
 * The answer of a list: {"sessions":[ …, then ],"nextCursor":…}. Queries ask for one row more than
 * the limit, and its presence says that there is a next page; last_id is that of the last row
 * shown.
 */
struct json_out page_open(struct http_reply *out, str member);
void page_write_next(struct cx *cx, struct json_out *j, char list, bool has_more, str last_id);
void page_close(struct cx *cx, struct json_out *j, char list, bool has_more, str last_id);

#endif
