/* Durations and sizes as people write them: 250ms, 12h, 30d; 64KiB, 16MiB. */
#ifndef SALLYPORT_APP_UNITS_H
#define SALLYPORT_APP_UNITS_H

#include "base/str.h"

/* Digits and one of ms, s, m, h, d. False leaves *out_ms alone; so does more than ten years. */
bool duration_parse(str text, int64_t *out_ms);

/* Digits and one of B, KiB, MiB, GiB; 1 TiB at most. */
bool bytes_parse(str text, int64_t *out);

enum { UNITS_TEXT_BYTES = 32 };

/* In the largest unit that leaves a whole number; returns the length. */
size_t duration_write(int64_t ms, char out[UNITS_TEXT_BYTES]);
size_t bytes_write(int64_t bytes, char out[UNITS_TEXT_BYTES]);

#endif
