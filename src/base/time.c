/* Clocks, and instants as text. */
#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

struct civil {
    int64_t year;
    unsigned month, day;
};

/* Days since 1970-01-01 of a civil date, and back (Howard Hinnant, "chrono-compatible low-level
 * date algorithms"). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static struct civil civil_from_days(int64_t z)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    unsigned m = mp < 10 ? mp + 3 : mp - 9;
    return (struct civil){(int64_t)yoe + era * 400 + (m <= 2), m, doy - (153 * mp + 2) / 5 + 1};
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && is_leap ? 29 : days[month - 1];
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t time_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t time_mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t time_mono_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t clip(int64_t at_ms)
{
    return at_ms < 0 ? 0 : at_ms > TIME_MAX_MS ? TIME_MAX_MS : at_ms;
}

void time_write(int64_t at_ms, char out[TIME_TEXT_BYTES])
{
    char text[64];
    int64_t at = clip(at_ms);
    struct civil c = civil_from_days(at / DAY_MS);
    int ms = (int)(at % DAY_MS);

    snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", (int)c.year, c.month, c.day,
             ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
    memcpy(out, text, TIME_TEXT_BYTES);
}

void time_write_http(int64_t at_ms, char out[HTTP_DATE_BYTES])
{
    static const char *const weekdays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[64];
    int64_t at = clip(at_ms);
    struct civil c = civil_from_days(at / DAY_MS);
    int s = (int)(at % DAY_MS / 1000);

    snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT", weekdays[at / DAY_MS % 7],
             c.day, months[c.month - 1], (int)c.year, s / 3600, s / 60 % 60, s % 60);
    memcpy(out, text, HTTP_DATE_BYTES);
}

/* Exactly n digits at the front of *rest. */
static bool take_digits(str *rest, size_t n, unsigned *out)
{
    uint64_t value;

    if (rest->n < n || !str_parse_u64(str_sub(*rest, 0, n), UINT32_MAX, &value))
        return false;
    *out = (unsigned)value;
    *rest = str_sub(*rest, n, rest->n);
    return true;
}

static bool take_byte(str *rest, char c)
{
    if (rest->n == 0 || rest->p[0] != c)
        return false;
    *rest = str_sub(*rest, 1, rest->n);
    return true;
}

static bool take_date(str *rest, int64_t *day_ms)
{
    unsigned year, month, day;

    if (!take_digits(rest, 4, &year) || !take_byte(rest, '-') || !take_digits(rest, 2, &month) ||
        !take_byte(rest, '-') || !take_digits(rest, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *day_ms = days_from_civil(year, month, day) * DAY_MS;
    return true;
}

static bool take_clock(str *rest, int64_t *ms)
{
    unsigned hour, minute, second, digit, scale = 100, fraction = 0;

    if (!take_digits(rest, 2, &hour) || !take_byte(rest, ':') || !take_digits(rest, 2, &minute) ||
        !take_byte(rest, ':') || !take_digits(rest, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (take_byte(rest, '.')) {
        if (!take_digits(rest, 1, &digit))
            return false;
        do {
            fraction += digit * scale;
            scale /= 10;
        } while (take_digits(rest, 1, &digit));
    }
    *ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction;
    return true;
}

static bool take_offset(str *rest, int64_t *ms)
{
    unsigned hour, minute;
    bool is_west = rest->n && rest->p[0] == '-';

    *ms = 0;
    if (take_byte(rest, 'Z'))
        return true;
    if (!take_byte(rest, is_west ? '-' : '+') || !take_digits(rest, 2, &hour) ||
        !take_byte(rest, ':') || !take_digits(rest, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *ms = (hour * HOUR_MS + minute * MINUTE_MS) * (is_west ? -1 : 1);
    return true;
}

bool time_parse(str text, int64_t *out_ms)
{
    int64_t day_ms, clock, offset;

    if (!take_date(&text, &day_ms) || !take_byte(&text, 'T') || !take_clock(&text, &clock) ||
        !take_offset(&text, &offset) || text.n)
        return false;
    int64_t at_ms = day_ms + clock - offset;
    if (at_ms < 0 || at_ms > TIME_MAX_MS)
        return false;
    *out_ms = at_ms;
    return true;
}

bool time_parse_date(str text, int64_t *out_ms)
{
    int64_t day_ms;

    if (!take_date(&text, &day_ms) || text.n)
        return false;
    *out_ms = day_ms;
    return true;
}
