/* What can be asked of the audit. Inside audit/ only. */
#ifndef SALLYPORT_AUDIT_OPS_H
#define SALLYPORT_AUDIT_OPS_H

#include "audit/queries.h"

const struct audit_settings *audit_settings(void);

enum err audit_page(struct cx *cx, const struct audit_filter *filter, struct audit_rows *out);

/* ---- verification (verify.c) ---- */

enum { AUDIT_FINDINGS_MAX = 100 };

struct audit_finding {
    int64_t number; /* 0: it is about none */
    str line_id;    /* STR_NONE likewise */
    str problem;    /* a sentence */
    str fix;        /* what to do */
};

struct audit_report {
    int64_t lines;   /* looked at, in the store */
    int64_t sealed;  /* of them, linked */
    int64_t waiting; /* of them, written a moment ago */
    int64_t archived;
    struct audit_head head; /* where the chain ends; number 0: nowhere */
    struct audit_finding list[AUDIT_FINDINGS_MAX];
    size_t n;          /* in the list */
    size_t n_findings; /* all */
};

struct audit_asked {
    struct audit_head head; /* what the log said earlier; number 0: nothing */
    str archive;            /* the name of an archive's file to read; STR_NONE: none */
};

/* A batch to a read, so that none is long. The store may be written meanwhile. */
enum err audit_verify(struct cx *cx, const struct audit_asked *asked, struct audit_report *out);

void audit_report_put(struct cx *cx, struct audit_report *report, int64_t number, str line_id,
                      const char *fix, const char *format, ...) PRINTF_LIKE(6, 7);

/* ---- archives (archive.c) ---- */

struct audit_archiving {
    int64_t lines; /* 0: none was old enough */
    str file;
    int64_t first;
    int64_t through;
};

/*
 * Put lines older than the retention into a file and take them out of the store. AUDIT_ARCHIVE_MAX
 * at most; the rest is for the next call. E_STORE_DOWN: the file cannot be written, nothing was
 * deleted.
 */
enum { AUDIT_ARCHIVE_MAX = 20000 };

enum err audit_archive(struct cx *cx, struct audit_archiving *out);

#endif
