/*
 * `sallyport doctor`: looks at everything a server needs, and says what to do about what it finds.
 * It writes nothing, and may run beside the server.
 *
 *     doctor.c          the list of checks, and how findings are told
 *     doctor_server.c   the running server, its ports and limits
 *     doctor_store.c    the database, its file or its PostgreSQL, the instance key
 *     doctor_machine.c  clock, disk, what can be reached
 *     doctor_tls.c      the certificate, its key, the TLS library
 *     probe.c           asking the kernel and other programs
 */
#ifndef SALLYPORT_APP_DOCTOR_H
#define SALLYPORT_APP_DOCTOR_H

#include "app/cli.h"
#include "app/probe.h"

enum finding_level { FINDING_OK, FINDING_WARNING, FINDING_PROBLEM, FINDING_LEVELS };

struct finding {
    enum finding_level level;
    const char *check; /* "store.lock": never renamed, monitors go by it */
    str text;
    str fix; /* STR_NONE where it is ok */
    struct finding *next;
};

struct doctor {
    struct arena *arena;
    const struct config *config;
    const struct cli_args *args;
    struct probe_server server; /* set by the first check */
    struct finding *first;
    struct finding **last;
    int n[FINDING_LEVELS];
};

/* text: a sentence, which the fix follows. */
void doctor_ok(struct doctor *d, const char *check, const char *format, ...) PRINTF_LIKE(3, 4);
void doctor_find(struct doctor *d, enum finding_level level, const char *check, str fix,
                 const char *format, ...) PRINTF_LIKE(5, 6);

/* ---- the checks ---- */

void doctor_server(struct doctor *d);
void doctor_listen(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_store(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_tls(struct doctor *d);
void doctor_reach(struct doctor *d);

/* ---- the command ---- */

/*
 * problems  what config_load said of the settings, STR_NONE if they are fit; config is not looked
 *           at if they are not
 * Returns the exit code; what is to be shown is in show->out.
 */
int doctor_run(struct cli_show *show, const struct config *config, str problems);

/* `sallyport ready`: asks the running server whether it is. */
int doctor_ready(struct cli_show *show, const struct config *config);

#endif
