/* API keys as text: made, judged, and checked with CRC-32. */
#include "decide/key_text.h"

#include <assert.h>
#include <string.h>

#include "base/banned.h"

/*
 * CRC-32 by eight bytes at a time (slicing-by-8, Kounavis and Berry 2005), polynomial 0xedb88320.
 * The tables are linear: an entry is the exclusive-or of the entries of its bits, so eight numbers
 * make each of them.
 */
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                           \
    ((((i)&1) ? (a) : 0) ^ (((i)&2) ? (b) : 0) ^ (((i)&4) ? (c) : 0) ^ (((i)&8) ? (d) : 0) ^       \
     (((i)&16) ? (e) : 0) ^ (((i)&32) ? (f) : 0) ^ (((i)&64) ? (g) : 0) ^ (((i)&128) ? (h) : 0))
#define ENTRIES_4(i, ...)                                                                          \
    ENTRY(i, __VA_ARGS__), ENTRY(i + 1, __VA_ARGS__), ENTRY(i + 2, __VA_ARGS__),                   \
        ENTRY(i + 3, __VA_ARGS__)
#define ENTRIES_16(i, ...)                                                                         \
    ENTRIES_4(i, __VA_ARGS__), ENTRIES_4(i + 4, __VA_ARGS__), ENTRIES_4(i + 8, __VA_ARGS__),       \
        ENTRIES_4(i + 12, __VA_ARGS__)
#define ENTRIES_64(i, ...)                                                                         \
    ENTRIES_16(i, __VA_ARGS__), ENTRIES_16(i + 16, __VA_ARGS__), ENTRIES_16(i + 32, __VA_ARGS__),  \
        ENTRIES_16(i + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__), ENTRIES_64(128, __VA_ARGS__),     \
            ENTRIES_64(192, __VA_ARGS__)                                                           \
    }

/* crc_table[k][byte]: what a byte does to the sum when k zero bytes follow it. */
static const uint32_t crc_table[8][256] = {
    TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190,
          0xedb88320),
    TABLE(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05,
          0x3b83984b),
    TABLE(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0,
          0xe1351b80),
    TABLE(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d,
          0xed59b63b),
    TABLE(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1, 0x60e09782, 0xc1c12f04, 0x58f35849,
          0xb1e6b092),
    TABLE(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d, 0x03d6029b, 0x07ac0536, 0x0f580a6c,
          0x1eb014d8),
    TABLE(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67, 0x67de9cce, 0xcfbd399c, 0x440b7579,
          0x8816eaf2),
    TABLE(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5, 0x7cbb312b, 0xf9766256, 0x299dc2ed,
          0x533b85da),
};

uint32_t key_text_crc32(str text)
{
    const uint8_t *p = (const uint8_t *)text.p;
    size_t n = text.n;
    uint32_t crc = UINT32_MAX;

    for (; n >= 8; n -= 8, p += 8) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = crc_table[7][crc & 255] ^ crc_table[6][crc >> 8 & 255] ^
              crc_table[5][crc >> 16 & 255] ^ crc_table[4][crc >> 24] ^ crc_table[3][p[4]] ^
              crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    }
    for (; n; n--, p++)
        crc = crc_table[0][(crc ^ *p) & 255] ^ crc >> 8;
    return ~crc;
}

static void write_check(str text, char out[KEY_CHECK_DIGITS])
{
    uint32_t crc = key_text_crc32(text);
    uint8_t bytes[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                        (uint8_t)crc};

    hex_write(bytes, sizeof bytes, out);
}

/* "mt_live_"; returns its length. */
static size_t write_head(const struct key_form *form, char out[KEY_TEXT_MAX_BYTES])
{
    size_t n = form->prefix.n + form->environment.n + 2;

    assert(n + KEY_HEX_DIGITS <= KEY_TEXT_MAX_BYTES);
    memcpy(out, form->prefix.p, form->prefix.n);
    out[form->prefix.n] = '_';
    memcpy(out + form->prefix.n + 1, form->environment.p, form->environment.n);
    out[n - 1] = '_';
    return n;
}

size_t key_text_make(const struct key_form *form, const uint8_t random[KEY_RANDOM_BYTES],
                     char out[KEY_TEXT_MAX_BYTES])
{
    size_t n = write_head(form, out);

    hex_write(random, KEY_RANDOM_BYTES, out + n);
    n += (size_t)2 * KEY_RANDOM_BYTES;
    write_check((str){out, n}, out + n);
    return n + KEY_CHECK_DIGITS;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}

static bool has_scheme(str text)
{
    static const str schemes[] = {
        {"Bearer ", 7}, {"Basic ", 6}, {"Token ", 6}, {"ApiKey ", 7}, {"Api-Key ", 8}, {"Key ", 4},
    };

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (str_istarts(text, schemes[i]))
            return true;
    return false;
}

/* The space after a scheme word belongs to the scheme. */
static bool has_spaces(str text)
{
    if (is_space(text.p[0]) || is_space(text.p[text.n - 1]))
        return true;
    for (size_t i = 0; i < text.n; i++)
        if (is_space(text.p[i]))
            return !has_scheme(text);
    return false;
}

/* The prefix, and live or test after it, whichever of them this instance takes. */
static bool has_known_head(str text, str prefix)
{
    str rest = str_sub(text, prefix.n, text.n);

    return str_istarts(text, prefix) &&
           (str_istarts(rest, S("_live_")) || str_istarts(rest, S("_test_")));
}

bool key_text_resembles(str text, const struct key_form *form)
{
    return has_known_head(text, form->prefix);
}

static bool is_check_right(str text)
{
    char check[KEY_CHECK_DIGITS];
    str body = str_sub(text, 0, text.n - KEY_CHECK_DIGITS);

    write_check(body, check);
    return memcmp(text.p + body.n, check, sizeof check) == 0;
}

static bool is_right_in_lower_case(str text)
{
    char copy[KEY_TEXT_MAX_BYTES];
    bool has_upper = false;

    for (size_t i = 0; i < text.n; i++) {
        bool is_upper = text.p[i] >= 'A' && text.p[i] <= 'Z';
        copy[i] = is_upper ? (char)(text.p[i] - 'A' + 'a') : text.p[i];
        has_upper |= is_upper;
    }
    return has_upper && is_check_right((str){copy, text.n});
}

/* The length is right, and the head is but for case. */
static struct key_text_verdict find_digit_fault(str text, size_t head)
{
    if (is_right_in_lower_case(text))
        return (struct key_text_verdict){KEY_TEXT_UPPER_CASE, 0};
    for (size_t i = head; i < text.n; i++)
        if (hex_value(text.p[i]) < 0)
            return (struct key_text_verdict){KEY_TEXT_NOT_HEX, i + 1};
    return (struct key_text_verdict){KEY_TEXT_CHECKSUM, 0};
}

static bool is_lower_hex(str text)
{
    unsigned n_hex = 0;

    /* Counting has no branch to mispredict. */
    for (size_t i = 0; i < text.n; i++)
        n_hex += (unsigned)((uint8_t)(text.p[i] - '0') < 10) | ((uint8_t)(text.p[i] - 'a') < 6);
    return n_hex == text.n;
}

/* What is wrong with a text that is not right. */
static struct key_text_verdict find_fault(str text, str head, const struct key_form *form)
{
    size_t whole = head.n + KEY_HEX_DIGITS;

    if (text.n == 0)
        return (struct key_text_verdict){KEY_TEXT_MISSING, 0};
    if (has_spaces(text))
        return (struct key_text_verdict){KEY_TEXT_SPACES, 0};
    if (is_quote(text.p[0]) || is_quote(text.p[text.n - 1]))
        return (struct key_text_verdict){KEY_TEXT_QUOTED, 0};
    if (has_scheme(text))
        return (struct key_text_verdict){KEY_TEXT_SCHEME, 0};
    bool is_cut_in_head = text.n < head.n && str_istarts(head, text);
    if (!is_cut_in_head && !str_istarts(text, head))
        return (struct key_text_verdict){
            has_known_head(text, form->prefix) ? KEY_TEXT_ENVIRONMENT : KEY_TEXT_PREFIX, 0};
    if (text.n < whole)
        return (struct key_text_verdict){KEY_TEXT_SHORT, whole - text.n};
    if (text.n > whole)
        return (struct key_text_verdict){KEY_TEXT_LONG, text.n - whole};
    return find_digit_fault(text, head.n);
}

struct key_text_verdict key_text_judge(str text, const struct key_form *form)
{
    char head_text[KEY_TEXT_MAX_BYTES];
    str head = {head_text, write_head(form, head_text)};

    /* The hot path: one look at each byte. Only a text that fails is looked at again, for why. */
    if (text.n == head.n + KEY_HEX_DIGITS && str_starts(text, head) &&
        is_lower_hex(str_sub(text, head.n, text.n)) && is_check_right(text))
        return (struct key_text_verdict){KEY_TEXT_OK, 0};
    return find_fault(text, head, form);
}
