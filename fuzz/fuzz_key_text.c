/*
 * key_text_judge: what is judged right is exactly what key_text_make writes for those random bytes;
 * every other fault is true of the text.
 */
#include <assert.h>
#include <string.h>

#include "decide/key_text.h"

enum { HEAD = 8, WHOLE = HEAD + KEY_HEX_DIGITS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct key_form form = {{"mt", 2}, {"live", 4}};

static void check_right(str text)
{
    uint8_t random[KEY_RANDOM_BYTES];
    char made[KEY_TEXT_MAX_BYTES];

    assert(text.n == WHOLE);
    for (size_t i = 0; i < sizeof random; i++)
        random[i] =
            (uint8_t)(hex_value(text.p[HEAD + 2 * i]) << 4 | hex_value(text.p[HEAD + 2 * i + 1]));
    assert(str_eq(text, (str){made, key_text_make(&form, random, made)}));
    assert(key_text_resembles(text, &form));
}

static void check_fault(str text, struct key_text_verdict v)
{
    switch (v.fault) {
    case KEY_TEXT_OK:
        check_right(text);
        break;
    case KEY_TEXT_MISSING:
        assert(text.n == 0);
        break;
    case KEY_TEXT_SHORT:
        assert(text.n + v.by == WHOLE && v.by > 0);
        break;
    case KEY_TEXT_LONG:
        assert(text.n - v.by == WHOLE && v.by > 0);
        break;
    case KEY_TEXT_NOT_HEX:
        assert(v.by > HEAD && v.by <= WHOLE && hex_value(text.p[v.by - 1]) < 0);
        break;
    case KEY_TEXT_ENVIRONMENT:
        assert(str_istarts(text, S("mt_test_")));
        break;
    case KEY_TEXT_PREFIX:
        assert(!str_istarts(text, S("mt_live_")) && !str_istarts(S("mt_live_"), text));
        break;
    default:
        assert(text.n > 0);
    }
}

/* The digits of the input under the right head and sum: always right. */
static void check_made(const uint8_t *data)
{
    char made[KEY_TEXT_MAX_BYTES];
    str text = {made, key_text_make(&form, data, made)};

    assert(key_text_judge(text, &form).fault == KEY_TEXT_OK);
    made[data[0] % WHOLE] ^= (char)(1 + data[1] % 255);
    assert(key_text_judge(text, &form).fault != KEY_TEXT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};

    check_fault(text, key_text_judge(text, &form));
    if (size >= KEY_RANDOM_BYTES)
        check_made(data);
    return 0;
}
