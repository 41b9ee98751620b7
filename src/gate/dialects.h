/* What gateways ask about the request they have before them. Inside gate/ only. */
#ifndef SALLYPORT_GATE_DIALECTS_H
#define SALLYPORT_GATE_DIALECTS_H

#include "gate/gate.h"

enum err gate_introspect(struct cx *cx, const struct http_req *req, struct http_reply *out);

/* Routes. Each reads the guarded request from its own fields, and from no other dialect's. */
enum err gate_nginx(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err gate_forward(struct cx *cx, const struct http_req *req, struct http_reply *out);
enum err gate_envoy(struct cx *cx, const struct http_req *req, struct http_reply *out);

#endif
