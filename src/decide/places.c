/* Countries as bits; the list of those there are; rules as words. */
#include "decide/places.h"

#include <string.h>

#include "base/banned.h"

/* Two letters each, in order. */
static const char countries[] =
    "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCA"
    "CCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGA"
    "GBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJP"
    "KEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMS"
    "MTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORS"
    "RURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTW"
    "TZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

static unsigned bit_of(const char code[2])
{
    return (unsigned)(code[0] - 'A') * 26 + (unsigned)(code[1] - 'A');
}

static bool is_shaped(str code)
{
    return code.n == 2 && code.p[0] >= 'A' && code.p[0] <= 'Z' && code.p[1] >= 'A' &&
           code.p[1] <= 'Z';
}

bool country_exists(str code)
{
    for (size_t i = 0; is_shaped(code) && i + 1 < sizeof countries; i += 2)
        if (memcmp(&countries[i], code.p, 2) == 0)
            return true;
    return false;
}

static bool has(const struct places *places, unsigned bit)
{
    return places->allowed[bit / 64] >> (bit % 64) & 1;
}

static void set(struct places *places, unsigned bit)
{
    places->allowed[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void clear(struct places *places, unsigned bit)
{
    places->allowed[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static void allow_all(struct places *places)
{
    memset(places->allowed, 0xff, sizeof places->allowed);
}

struct places places_parse(str words)
{
    struct places places = {0};
    bool has_allowed = false, lets_unknown = false, stops_unknown = false;
    str rest = words;

    while (rest.n) {
        str word = str_cut(&rest, S(" "));
        lets_unknown = lets_unknown || str_eq(word, S("?"));
        stops_unknown = stops_unknown || str_eq(word, S("!"));
        if (word.n != 3 || !is_shaped(str_sub(word, 1, 2)))
            continue;
        places.is_limited = true;
        has_allowed = has_allowed || word.p[0] == '+';
    }
    if (!has_allowed)
        allow_all(&places);
    places.unknown_passes = lets_unknown || !(has_allowed || stops_unknown);
    for (rest = words; rest.n;) {
        str word = str_cut(&rest, S(" "));
        if (word.n == 3 && is_shaped(str_sub(word, 1, 2)) && word.p[0] == '+')
            set(&places, bit_of(word.p + 1));
    }
    for (rest = words; rest.n;) {
        str word = str_cut(&rest, S(" "));
        if (word.n == 3 && is_shaped(str_sub(word, 1, 2)) && word.p[0] == '-')
            clear(&places, bit_of(word.p + 1));
    }
    return places;
}

void places_meet(struct places *into, const struct places *with)
{
    if (!with->is_limited)
        return;
    if (!into->is_limited) {
        *into = *with;
        return;
    }
    into->unknown_passes = into->unknown_passes && with->unknown_passes;
    for (size_t i = 0; i < COUNTRY_WORDS; i++)
        into->allowed[i] &= with->allowed[i];
}

bool places_have(const struct places *places, struct country here)
{
    if (!places->is_limited)
        return true;
    if (!is_shaped((str){here.code, 2}))
        return places->unknown_passes;
    return has(places, bit_of(here.code));
}
