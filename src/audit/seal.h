/* Linking committed lines in order. Inside audit/ only. */
#ifndef SALLYPORT_AUDIT_SEAL_H
#define SALLYPORT_AUDIT_SEAL_H

#include "audit/keys.h"

/*
 * A store_work: seal what is marked and has no seal. A line whose MAC is wrong gets none. Where the
 * head is not what the last sealer left, a line audit.alarm says so for good: verification reports
 * it whatever is put right afterwards.
 */
enum err audit_seal_in_tx(struct cx *cx, struct tx *tx, void *arg);

/* Is the MAC of this line right? E_ABSENT: its key is not known. */
enum err audit_check_line(struct arena *arena, const struct audit_record *record, bool *is_right);

/* Write a line that is complete but for its id, time, key and MAC. */
enum err audit_insert(struct cx *cx, struct tx *tx, struct audit_record *record);

#endif
