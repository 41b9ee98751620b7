/*
 * Instants are int64_t Unix milliseconds (UTC); durations come from the monotonic clock.
 * In JSON an instant is RFC 3339 with milliseconds: 2026-03-05T09:30:00.000Z.
 */
#ifndef SALLYPORT_BASE_TIME_H
#define SALLYPORT_BASE_TIME_H

#include "base/str.h"

enum { TIME_TEXT_BYTES = 24, HTTP_DATE_BYTES = 29 };

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* The last instant that RFC 3339 can spell: 9999-12-31T23:59:59.999Z. */
#define TIME_MAX_MS INT64_C(253402300799999)

int64_t time_now_ms(void);
int64_t time_mono_ms(void);
int64_t time_mono_ns(void);

/* Writes TIME_TEXT_BYTES bytes, no NUL; an instant outside 0 … TIME_MAX_MS is clipped to it. */
void time_write(int64_t at_ms, char out[TIME_TEXT_BYTES]);

/*
 * RFC 3339 section 5.6: date, "T", time, fraction of any length (cut to milliseconds), and "Z" or
 * an offset. No leap second, no lower-case letters, nothing before 1970. False leaves *out alone.
 */
bool time_parse(str text, int64_t *out_ms);

/* A real calendar day "YYYY-MM-DD"; the out parameter is its first millisecond in UTC. */
bool time_parse_date(str text, int64_t *out_ms);

/* RFC 9110 section 5.6.7 IMF-fixdate. Writes HTTP_DATE_BYTES bytes, no NUL. */
void time_write_http(int64_t at_ms, char out[HTTP_DATE_BYTES]);

#endif
