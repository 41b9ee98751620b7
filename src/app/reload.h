/* SIGHUP: the settings file is read again. */
#ifndef SALLYPORT_APP_RELOAD_H
#define SALLYPORT_APP_RELOAD_H

#include "app/parts.h"

/*
 * Take over what has changed and may, and say in the log what was changed and what needs a restart.
 * A file that is wrong changes nothing.
 *
 * config  what parts were started with; the main thread's own
 */
void reload_settings(struct parts *parts, struct config *config);

/* The settings file where none is named: ./sallyport.conf, else the one of the package. */
const char *reload_default_file(void);

#endif
