/* The handlers of the pages. Inside console/ only. */
#ifndef SALLYPORT_CONSOLE_PAGES_H
#define SALLYPORT_CONSOLE_PAGES_H

#include "console/view.h"

/* ---- session.c ---- */
enum err console_get_sign_in(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_sign_in(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_sign_out(struct cx *cx, const struct http_req *req, struct http_reply *out);

/* To /sign-in, and back to this path afterwards where it may be asked for. */
enum err console_ask_to_sign_in(struct cx *cx, const struct http_req *req, struct http_reply *out);

/* ---- keys.c, key_forms.c ---- */
enum err console_get_keys(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_get_key(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_get_new(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_new(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_get_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_status(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_get_revoke(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_revoke(struct cx *cx, const struct http_req *req, struct http_reply *out);

/* ---- refusals.c ---- */
enum err console_get_refusals(struct cx *cx, const struct http_req *req, struct http_reply *out);

/* The newest refusals of one key, or with STR_NONE of the whole employer, as a list. */
enum err refusals_write(struct view *p, str key_id);

/* ---- account.c ---- */
enum err console_get_account(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_password(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_session_end(struct cx *cx, const struct http_req *req,
                                  struct http_reply *out);
enum err console_get_reset(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err console_post_reset(struct cx *cx, const struct http_req *req, struct http_reply *out);

/* ---- what the pages of keys share ---- */

/* "/employer/api-keys/ID", and below it. */
str key_path(struct arena *arena, str id, const char *below);

/* The API's path for the key that the page's path names. E_API_KEY_NOT_FOUND */
enum err key_target(struct cx *cx, const struct http_req *req, const char *below, str *out);

/* That key, to be dropped. E_API_KEY_NOT_FOUND */
enum err key_get(struct cx *cx, const struct http_req *req, json_t **out);

/* Name, prefix and suffix: which key this is. */
void key_write_title(struct view *p, const json_t *key);

/* ---- troubleshooting.c ---- */
enum err console_get_troubleshooting(struct cx *cx, const struct http_req *req,
                                     struct http_reply *out);

#endif
