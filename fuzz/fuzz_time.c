/*
 * time_parse: an instant that is read is written and read again as the same, and a text in the
 * written form comes back byte for byte; the day of a date agrees with the instant of its midnight.
 */
#include <assert.h>
#include <string.h>

#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_instant(str text)
{
    char written[TIME_TEXT_BYTES], http[HTTP_DATE_BYTES];
    int64_t at_ms = -1, back_ms = -1;

    if (!time_parse(text, &at_ms)) {
        assert(at_ms == -1);
        return;
    }
    assert(at_ms >= 0 && at_ms <= TIME_MAX_MS);
    time_write(at_ms, written);
    assert(time_parse((str){written, sizeof written}, &back_ms) && back_ms == at_ms);
    if (text.n == sizeof written && str_ends(text, S("Z")))
        assert(memcmp(text.p, written, sizeof written) == 0);
    time_write_http(at_ms, http);
    assert(memcmp(http + 12, written, 4) == 0 && memcmp(http + 17, written + 11, 8) == 0);
}

static void check_date(str text)
{
    char instant[] = "YYYY-MM-DDT00:00:00.000Z";
    int64_t day_ms = -1, at_ms = -1;

    if (!time_parse_date(text, &day_ms))
        return;
    assert(day_ms % DAY_MS == 0 && text.n == 10);
    memcpy(instant, text.p, 10);
    assert(time_parse((str){instant, sizeof instant - 1}, &at_ms) == (day_ms >= 0));
    assert(day_ms < 0 || at_ms == day_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};

    check_instant(text);
    check_date(text);
    return 0;
}
