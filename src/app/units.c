/* Numbers with a unit. */
#include "app/units.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"
#include "base/time.h"

struct unit {
    str name;
    int64_t size;
};

/* Largest first. */
static const struct unit time_units[] = {
    {{"d", 1}, DAY_MS},    {{"h", 1}, HOUR_MS}, {{"m", 1}, MINUTE_MS},
    {{"s", 1}, SECOND_MS}, {{"ms", 2}, 1},      {{NULL, 0}, 0},
};

static const struct unit byte_units[] = {
    {{"GiB", 3}, INT64_C(1) << 30},
    {{"MiB", 3}, 1 << 20},
    {{"KiB", 3}, 1 << 10},
    {{"B", 1}, 1},
    {{NULL, 0}, 0},
};

static const int64_t DURATION_MAX_MS = 3660 * DAY_MS;
static const int64_t BYTES_MAX = INT64_C(1) << 40;

static bool parse(str text, const struct unit *units, int64_t max, int64_t *out)
{
    size_t n_digits = 0;
    uint64_t number;

    while (n_digits < text.n && text.p[n_digits] >= '0' && text.p[n_digits] <= '9')
        n_digits++;
    str name = str_sub(text, n_digits, text.n);
    while (units->size && !str_eq(units->name, name))
        units++;
    if (!units->size ||
        !str_parse_u64(str_sub(text, 0, n_digits), (uint64_t)(max / units->size), &number))
        return false;
    *out = (int64_t)number * units->size;
    return true;
}

static size_t write(int64_t value, const struct unit *units, char *out)
{
    while (units->size > 1 && (value == 0 || value % units->size != 0))
        units++;
    return (size_t)snprintf(out, UNITS_TEXT_BYTES, "%" PRId64 "%s", value / units->size,
                            units->name.p);
}

bool duration_parse(str text, int64_t *out_ms)
{
    return parse(text, time_units, DURATION_MAX_MS, out_ms);
}

bool bytes_parse(str text, int64_t *out)
{
    return parse(text, byte_units, BYTES_MAX, out);
}

size_t duration_write(int64_t ms, char out[UNITS_TEXT_BYTES])
{
    return write(ms, time_units, out);
}

size_t bytes_write(int64_t bytes, char out[UNITS_TEXT_BYTES])
{
    return write(bytes, byte_units, out);
}
