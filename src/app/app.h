/* What the command line asks of the rest: serve, migrate, and a call without a running server. */
#ifndef SALLYPORT_APP_APP_H
#define SALLYPORT_APP_APP_H

#include "app/config.h"
#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"

/*
 * Run until SIGTERM or SIGINT; SIGHUP reads the settings file again. Returns the exit code; says on
 * standard error what went wrong. The secrets among the settings are dropped once they have served.
 */
int app_serve(struct config *config);

/* Bring the store's schema up to date and say so on standard output. Returns the exit code. */
int app_migrate(const struct config *config);

/*
 * Answer one request in this process, as the control socket would: for when no server runs.
 *
 * target      path and query
 * employer    the value of x-employer-id, or STR_NONE
 * body        JSON, or STR_NONE
 * reply_body  on E_OK the body of the reply, which may be a problem; else one sentence for people
 * status      written on E_OK only
 *
 * E_STORE_DOWN  the store cannot be opened, or another process holds it
 */
enum err app_call_local(const struct config *config, enum http_method method, str target,
                        str employer, str body, struct buf *reply_body, int *status);

#endif
