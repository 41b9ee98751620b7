/* Telling systemd how far the server is: sd_notify(3), for Type=notify. Nothing without systemd. */
#ifndef SALLYPORT_APP_NOTIFY_H
#define SALLYPORT_APP_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
