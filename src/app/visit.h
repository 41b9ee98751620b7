/*
 * Inside the door: one request on its way through, and what every kind of caller shares.
 * Others include app/door.h.
 */
#ifndef SALLYPORT_APP_VISIT_H
#define SALLYPORT_APP_VISIT_H

#include <stdatomic.h>

#include "app/door.h"
#include "keys/keys.h"

struct door {
    const struct door_settings *_Atomic settings; /* swapped by a reload */
    struct store *store;
    struct router router;
    struct metrics *metrics;
};

enum credential {
    CREDENTIAL_NONE,
    CREDENTIAL_KEY,
    CREDENTIAL_SESSION,
    CREDENTIAL_TOKEN,        /* an issuer's, in Authorization */
    CREDENTIAL_TOKEN_COOKIE, /* the same in a cookie */
    CREDENTIAL_OPERATOR,
    CREDENTIAL_GATE,
    CREDENTIAL_GATEWAY,
};

/* Lives in the call's arena. */
struct visit {
    struct door *door;
    struct http_req *req;
    struct http_reply *reply;
    const struct route *route;
    enum credential credential;
    struct secret session;    /* the token of a cookie, of an issuer or of the gate */
    const struct secret *key; /* CREDENTIAL_KEY: its text, in the request or in session */
    struct key_form form;     /* and what one for this route looks like, */
    str key_field;            /* in this field */
    struct cx cx;
    struct principal who;
    struct decide_facts facts;
    struct keys_answer answer;
    str idempotency_key; /* STR_NONE: none */
    int64_t began_ns;    /* monotonic */
    bool is_slow;        /* of an instant route: this one needs the store after all */
};

struct visit *visit_new(struct door *door, struct arena *arena, struct http_req *req,
                        struct http_reply *reply, str request_id);

/* Several fields of one name are one list (RFC 9110 section 5.3). STR_NONE: there is none. */
str visit_field(const struct http_req *req, struct arena *arena, str name);

bool visit_is_enterprise(const struct http_req *req);
bool visit_is_management(const struct http_req *req);

/* Which credential counts on this route; v->credential, and what was found of it. */
void visit_find_credential(struct visit *v);

/* The same where it stands in Authorization. E_MALFORMED_REQUEST: what stands there is none. */
enum err visit_find_bearer(struct visit *v);

/* What the verdict of v->answer has to say, into v->cx.failure; its code. */
enum err visit_explain(struct visit *v);

/* An unsupported version is refused wherever one is read, not for keys alone. */
enum err visit_check_version(struct visit *v);

/* The Origin that a browser adds must be ours: the cookie alone does not show who wrote the page.
 */
enum err visit_check_origin(struct visit *v);

/* The caller may: on with the body, and with the handler. */
enum http_next visit_let_in(struct visit *v, struct http_call *call);

/* With this code, and the words of v->cx.failure, in the dialect of the path. */
enum http_next visit_refuse(struct visit *v, enum err e);

/* The reply is there, or e is why there is none: it is written, logged, noted and counted. */
void visit_leave(struct visit *v, enum err e);

/* Every request ends here, however it was answered, or not. */
void visit_count(const struct visit *v);

/*
 * ---- each kind of caller ----
 *
 * judge is for I/O threads: by memory alone; HTTP_ASK_STORE: that was not enough. admit is for
 * workers then, and E_OK means that v->cx.who is set.
 */

enum http_next door_judge_key(struct visit *v, struct http_call *call);
enum err door_admit_key(struct visit *v);

/* Of the management dialect: whichever of the two it is. */
enum http_next door_judge_management(struct visit *v, struct http_call *call);

/* Sessions, tokens of issuers, and the operator. */
enum http_next door_judge_person(struct visit *v);
enum err door_admit_person(struct visit *v);

enum http_next door_judge_gate(struct visit *v, struct http_call *call);
enum err door_admit_gate(struct visit *v);

enum http_next door_judge_gateway(struct visit *v, struct http_call *call);
enum err door_admit_gateway(struct visit *v);

#endif
