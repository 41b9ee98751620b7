/*
 * HTTP as values: a request comes in, a reply goes out. Only engine.c knows sockets and the loop.
 *
 * Rules: RFC 9110 and RFC 9112, every MAY resolved towards refusing; docs/http.md lists them.
 */
#ifndef SALLYPORT_HTTP_HTTP_H
#define SALLYPORT_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cx.h"
#include "base/net.h"
#include "base/secret.h"
#include "base/str.h"

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* any other token; under HTTP_GUARDED_PATH only */
    HTTP_ANY,   /* of a route: it takes every method; never a request's */
    HTTP_METHODS_END,
};

str http_method_text(enum http_method method);

/*
 * What follows this path is the target of another request, which a gateway asks about (Envoy puts
 * it there). It is handed on as it was sent, with whatever method: here it can be neither decoded
 * nor refused, since it is not this server's.
 */
#define HTTP_GUARDED_PATH "/gate/envoy"

enum { HTTP_FIELDS_MAX = 100, HTTP_PARAMS_MAX = 4 };

struct http_field {
    str name;  /* as sent; compare with str_ieq */
    str value; /* without the spaces around it */
    str raw;   /* all bytes between the colon and the line end */
};

/* The certificate of a client, checked against the authorities of the options. */
struct http_client_cert {
    bool is_client;  /* one of client_ca stands behind it */
    bool is_gateway; /* one of gate_ca does */
    str subject;     /* RFC 2253: "CN=payroll,O=Example" */
    str fingerprint; /* SHA-256 of the certificate (DER), lower-case hex */
};

/* Where a connection came in. */
enum http_way {
    HTTP_OVER_TCP,
    HTTP_OVER_CONTROL, /* the control socket */
    HTTP_OVER_GATE,    /* the gate's Unix socket */
};

struct http_req {
    enum http_method method;
    str method_name; /* as sent */
    str target;      /* as sent */
    str path;        /* decoded; no dot segments, no encoded slash, no NUL */
    str query;       /* as sent, without the "?"; STR_NONE if there is none */
    str guarded;     /* what follows HTTP_GUARDED_PATH, from "/" on, as sent; else STR_NONE */
    bool is_http_1_0;
    const struct http_field *fields;
    size_t n_fields;
    /*
     * Credentials, moved out of `fields` before anything else sees the request: their values there
     * are empty. n_api_keys counts the x-api-key fields; api_key holds the first one raw, with the
     * spaces around it that are not the one after the colon. A value longer than SECRET_MAX_BYTES
     * is counted and leaves api_key unset; in the others it is refused.
     */
    struct secret api_key;
    struct secret authorization;
    struct secret cookie;
    struct secret gate_token; /* x-gate-token */
    int n_api_keys;
    bool has_body; /* a length above 0, or chunks */
    bool is_chunked;
    bool expects_continue;   /* Expect: 100-continue, in HTTP/1.1 */
    bool wants_close;        /* Connection: close */
    uint64_t declared_bytes; /* Content-Length; 0 if there is none */
    str body;                /* whole; empty until the handler runs */
    struct net_addr peer;    /* the connection's other end; NET_NONE on a Unix socket */
    bool is_tls;
    const struct http_client_cert *client_cert; /* NULL: none was shown */
    enum http_way way;
    int64_t local_uid;           /* the peer's uid on a Unix socket, else -1 */
    str params[HTTP_PARAMS_MAX]; /* {keyId} …, in the order of the pattern */
};

/* The value of the only field of that name; STR_NONE if absent. *count, if not NULL, says how many
 * there are; with several the first is returned. */
str http_req_field(const struct http_req *req, str name, int *count);

/* A query parameter, decoded into the arena; STR_NONE if absent. "+" is a space. */
str http_req_query(const struct http_req *req, struct arena *arena, str name);

/* Walk all query parameters: *rest starts as req->query; false at the end. */
bool http_query_next(str *rest, struct arena *arena, str *name, str *value);

/* The value of one cookie in a Cookie field's text; STR_NONE if absent or if it is there twice. */
str http_cookie(str cookie_field, str name);

enum { HTTP_REPLY_FIELDS_MAX = 16, HTTP_REPLY_BODY_MAX = 64 * 1024 * 1024 };

struct http_reply_field {
    str name; /* literal, lower case */
    str value;
};

struct json_out;

/* Writes a body; the same whenever it is called. */
typedef void (*http_body_writer)(struct cx *cx, struct json_out *j, const void *what);

/* How the answer will be written, told before the change that it answers; see http/reply.h. */
struct http_plan {
    int status;             /* 0: there is no plan */
    http_body_writer write; /* NULL: no body */
    const void *what;
};

struct http_reply {
    int status;
    str content_type; /* STR_NONE: no body */
    struct http_reply_field fields[HTTP_REPLY_FIELDS_MAX];
    size_t n_fields;
    struct buf body;
    struct http_plan plan;
    str static_body; /* sent instead of `body` when set: bytes that outlive all requests */
    bool closes;     /* close the connection after this reply */
    bool is_faulty;  /* a field could not be taken: the engine answers INTERNAL_ERROR instead */
};

/* What the engine hands to the application is initialised already. */
void http_reply_init(struct http_reply *reply);
void http_reply_drop(struct http_reply *reply);

/* Forget what was written so far, wiped; the memory of the body stays. */
void http_reply_clear(struct http_reply *reply);

/* The value must live as long as the request's arena. One with a control byte in it, or one field
 * too many, makes the reply faulty. */
void http_reply_field(struct http_reply *reply, str name, str value);

/* ---- what the engine asks of the application ---- */

enum http_next {
    HTTP_ANSWERED,   /* the reply is there */
    HTTP_ASK_STORE,  /* call admit on a worker: judging needs the store */
    HTTP_RUN_WORKER, /* read the body, at most call->body_max_bytes, then handle on a worker */
    HTTP_RUN_HERE,   /* the same, on the I/O thread: handle must not block */
};

struct http_call {
    struct http_req req;
    struct http_reply reply;
    struct arena *arena; /* the life of this call */
    str request_id;      /* the caller's or a new one; the engine sends it back */
    uint64_t body_max_bytes;
    void *state; /* the application's own, in the arena */
};

struct http_service {
    void *self;
    /* I/O thread, head complete, body not read: judge what can be judged without the store. */
    enum http_next (*head)(void *self, struct http_call *call);
    /* Worker: judge the rest. Never answers HTTP_ASK_STORE. */
    enum http_next (*admit)(void *self, struct http_call *call);
    /*
     * Worker or I/O thread, as chosen; req.body is whole. Fills the reply and answers
     * HTTP_ANSWERED. On an I/O thread it may answer HTTP_RUN_WORKER instead: it is then called
     * again, on a worker.
     */
    enum http_next (*handle)(void *self, struct http_call *call);
    /* I/O thread: turn an error found by the engine (malformed, too large, timeout, overload) into
     * a reply. call->req may be half filled. */
    void (*refuse)(void *self, struct http_call *call, enum err e, str detail);
    /* I/O thread: a call that head has seen is over, answered or not (its connection may have
     * died). For what call->state holds outside the arena; NULL if there is nothing to do. */
    void (*ended)(void *self, struct http_call *call);
    /* On each I/O thread and worker, first and last; NULL if there is nothing to do. */
    void (*thread_starts)(void *self);
    void (*thread_ends)(void *self);
};

struct http_engine;

/* Both outlive the engine. */
struct http_proxies {
    const struct net_cidr *cidrs;
    size_t n;
};

/* The paths are kept, for reloads; docs/tls.md. */
struct http_tls_options {
    const char *cert;      /* PEM, the whole chain; NULL: no TLS */
    const char *key;       /* PEM */
    const char *client_ca; /* PEM; NULL: no client is asked for a certificate */
    const char *gate_ca;   /* PEM: likewise, of gateways */
    bool client_cert_is_required;
    bool is_1_3_only;
};

/* What is wrong with them. */
enum http_tls_fault {
    HTTP_TLS_FINE,
    HTTP_TLS_NO_FILE,
    HTTP_TLS_CLOSED, /* this user may not read it */
    HTTP_TLS_NO_PEM, /* not what it should hold, or too weak */
    HTTP_TLS_KEY_OF_ANOTHER,
    HTTP_TLS_NOT_SET_UP,
};

struct http_tls_files {
    enum http_tls_fault fault;
    str path;    /* of the file at fault */
    str why;     /* names setting and file; STR_NONE: they are fine */
    str subject; /* of the certificate, if that could be read */
    int64_t starts_ms, ends_ms;
    bool key_is_open; /* to everybody on this machine */
};

/* Read the files as http_engine_start would, and use them for nothing. */
void http_tls_look(struct arena *arena, const struct http_tls_options *options,
                   struct http_tls_files *out);

struct http_engine_options {
    const char *listen;         /* "127.0.0.1:8080", "[::1]:8080"; port 0 picks one */
    const char *control_socket; /* path, or NULL; only its owner may connect */
    const char *gate_socket;    /* path, or NULL; every user of the machine may connect */
    int io_threads;             /* 0 = one a core */
    int workers;
    int64_t head_timeout_ms;       /* from the first byte of a request to the end of its head */
    int64_t body_timeout_ms;       /* for the whole body */
    int64_t idle_timeout_ms;       /* between requests */
    int64_t write_timeout_ms;      /* while no byte of the reply is taken */
    int64_t body_memory_max_bytes; /* all bodies being received together */
    int connections_max;           /* per process; more are answered 503 and closed */
    int connections_per_address;   /* likewise for each client address; 0 = no limit */
    const struct http_proxies *trusted_proxies; /* not counted for their address; NULL: none */
    struct http_tls_options tls;
    int64_t handshake_timeout_ms; /* from accepting to the end of the handshake */
    int handshakes_max; /* unfinished ones for each I/O thread; one more ends the oldest */
};

/*
 * Bind, start the threads, accept. A setting of 0 takes its default, see docs/http.md. Ignores
 * SIGPIPE from then on. The service and the arena must outlive the engine.
 *
 * E_INTERNAL_ERROR  with *why: "port 8080 is in use (PORT_IN_USE): …"
 */
enum err http_engine_start(struct arena *arena, const struct http_engine_options *options,
                           const struct http_service *service, struct http_engine **out, str *why);

enum http_handshake_end {
    HTTP_HANDSHAKE_FULL,
    HTTP_HANDSHAKE_RESUMED,
    HTTP_HANDSHAKE_FAILED,
    HTTP_HANDSHAKE_ENDS,
};

/* At this moment, for metrics. */
struct http_engine_stats {
    int64_t connections; /* without those of the control socket */
    int64_t body_bytes;  /* of bodies being received */
    int64_t waiting;     /* calls in the queue for a worker */
    int64_t turned_away; /* connections past a limit, since the start */
    /* TLS, since the start. A connection on which nothing was sent counts nowhere. */
    int64_t handshakes[HTTP_HANDSHAKE_ENDS];
};

void http_engine_count(const struct http_engine *engine, struct http_engine_stats *out);

/* "127.0.0.1:43127": the address really bound. */
str http_engine_address(const struct http_engine *engine);

/*
 * Read certificate and key again. Connections that are open keep the old ones. From any thread.
 *
 * E_INTERNAL_ERROR  with *why; the old ones stay in use
 */
enum err http_engine_reload_tls(struct http_engine *engine, struct arena *arena, str *why);

/* Other proxies are trusted from now on; the list outlives the engine. From any thread. */
void http_engine_trust(struct http_engine *engine, const struct http_proxies *proxies);

/* Stop accepting, finish what runs within the time, close, join. From any thread but theirs. */
void http_engine_stop(struct http_engine *engine, int64_t within_ms);
void http_engine_drop(struct http_engine **engine);

#endif
