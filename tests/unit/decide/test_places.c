/* decide/places.h */
#include "unit.h"

#include "decide/places.h"

static bool lets(const char *words, const char *code)
{
    struct places places = places_parse(str_of(words));
    struct country here = {{0}};

    if (*code)
        memcpy(here.code, code, 2);
    return places_have(&places, here);
}

static void rules_let_places_pass(void **state)
{
    static const struct {
        const char *words, *code;
        bool passes;
    } cases[] = {
        {"", "DE", true},         {"", "", true},           {"+DE +AT", "AT", true},
        {"+DE +AT", "FR", false}, {"+DE", "", false},       {"+DE ?", "", true},
        {"-RU", "DE", true},      {"-RU", "RU", false},     {"-RU", "", true},
        {"+DE -DE", "DE", false}, {"-DE +DE", "DE", false}, {"+ZZ", "ZZ", true},
        {"+AA", "AA", true},      {"?", "DE", true},        {"-RU", "", true},
        {"-RU !", "", false},     {"-RU !", "DE", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (lets(cases[i].words, cases[i].code) != cases[i].passes)
            flunk("\"%s\" and %s", cases[i].words, cases[i].code);
}

static void words_of_another_kind_mean_nothing(void **state)
{
    static const char *const strange[] = {"DE", "+de", "+DEU", "+", "+1A", "* *", "+D "};

    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        if (places_parse(str_of(strange[i])).is_limited)
            flunk("%s", strange[i]);
}

static void several_rules_must_all_let_pass(void **state)
{
    struct places a = places_parse(S("+DE +AT ?")), b = places_parse(S("-AT")), none = {0};

    (void)state;
    places_meet(&a, &none);
    places_meet(&a, &b);
    assert_true(places_have(&a, (struct country){{'D', 'E'}}));
    assert_false(places_have(&a, (struct country){{'A', 'T'}}));
    assert_true(places_have(&a, (struct country){{0}}));
    b = places_parse(S("+DE"));
    places_meet(&a, &b);
    assert_false(places_have(&a, (struct country){{0}}));
    places_meet(&none, &a);
    assert_true(places_have(&none, (struct country){{'D', 'E'}}));
    assert_false(places_have(&none, (struct country){{'F', 'R'}}));
}

static void countries_are_those_of_the_standard(void **state)
{
    static const char *const there[] = {"AD", "DE", "GB", "XK", "ZW"};
    static const char *const not_there[] = {"UK", "EU", "AA", "ZZ", "de", "D", "DEU", ""};

    (void)state;
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (!country_exists(str_of(there[i])))
            flunk("%s", there[i]);
    for (size_t i = 0; i < sizeof not_there / sizeof *not_there; i++)
        if (country_exists(str_of(not_there[i])))
            flunk("%s", not_there[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_let_places_pass),
        cmocka_unit_test(words_of_another_kind_mean_nothing),
        cmocka_unit_test(several_rules_must_all_let_pass),
        cmocka_unit_test(countries_are_those_of_the_standard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
