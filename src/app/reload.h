/* SIGHUP: the settings file and the certificates are read again. */
#ifndef SALLYPORT_APP_RELOAD_H
#define SALLYPORT_APP_RELOAD_H

#include "app/parts.h"
#include "http/http.h"

/*
 * Take over what has changed and may, and say in the log what was changed and what needs a restart.
 * A file that is wrong changes nothing.
 *
 * config  what parts were started with; the main thread's own
 */
void reload_settings(struct parts *parts, struct config *config);

/* Take over the files that tls_cert, tls_key and tls_client_ca name, for connections that come; say
 * in the log what they are. If one is wrong, all old ones stay. */
void reload_certificates(struct http_engine *engine);

/* The settings file where none is named: ./sallyport.conf, else the one of the package. */
const char *reload_default_file(void);

#endif
