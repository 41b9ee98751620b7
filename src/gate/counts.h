/* Counting verdicts for metrics. Inside gate/ only. */
#ifndef SALLYPORT_GATE_COUNTS_H
#define SALLYPORT_GATE_COUNTS_H

#include "gate/judge.h"

void gate_counts_start(void);
void gate_counts_stop(void);

/* E_OK: it may pass. From any thread. */
void gate_count(enum gate_dialect dialect, enum err code);

#endif
