/* decide/path_rules.h */
#include "unit.h"

#include "decide/path_rules.h"

#include "chance.h"

static struct path path;

static void assert_path(const char *target, size_t n, const char *const *segments)
{
    enum path_fault fault = path_read(str_of(target), &path);

    if (fault != PATH_OK)
        flunk("%s %s", target, path_fault_text(fault));
    if (path.n != n)
        flunk("%s has %zu segments, not %zu", target, path.n, n);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(path.segments[i], str_of(segments[i])))
            flunk("%s: segment %zu is %.*s", target, i, STR_ARG(path.segments[i]));
}

#define ASSERT_PATH(target, ...)                                                                   \
    assert_path(target, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                    \
                (const char *[]){__VA_ARGS__})

static void a_path_has_one_form(void **state)
{
    (void)state;
    assert_path("/", 0, NULL);
    assert_path("/?a=/b", 0, NULL);
    ASSERT_PATH("/a", "a");
    ASSERT_PATH("/a/", "a");
    ASSERT_PATH("/a/?x", "a");
    ASSERT_PATH("/a/b%20c/%C3%A9", "a", "b c", "\xc3\xa9");
    ASSERT_PATH("/%61%2D%7e", "a-~");
    ASSERT_PATH("/.../.a/a.", "...", ".a", "a.");
    ASSERT_PATH("/a:b@c!$&'()*+,=-._~", "a:b@c!$&'()*+,=-._~");
    ASSERT_PATH("/100%25", "100%");
    ASSERT_PATH("/a%3Fb?c", "a?b");
}

static void what_two_readers_may_read_differently_is_refused(void **state)
{
    static const struct {
        const char *target;
        enum path_fault fault;
    } cases[] = {
        {"", PATH_NOT_ABSOLUTE},       {"*", PATH_NOT_ABSOLUTE},
        {"a/b", PATH_NOT_ABSOLUTE},    {"http://h/a", PATH_NOT_ABSOLUTE},
        {"//", PATH_EMPTY_SEGMENT},    {"///", PATH_EMPTY_SEGMENT},
        {"//a", PATH_EMPTY_SEGMENT},   {"/a//b", PATH_EMPTY_SEGMENT},
        {"/a//", PATH_EMPTY_SEGMENT},  {"/.", PATH_DOT_SEGMENT},
        {"/a/../b", PATH_DOT_SEGMENT}, {"/a/./", PATH_DOT_SEGMENT},
        {"/a/..", PATH_DOT_SEGMENT},   {"/a/%2e%2E/b", PATH_DOT_SEGMENT},
        {"/a/.%2e", PATH_DOT_SEGMENT}, {"/a%2fb", PATH_SEPARATOR},
        {"/a%5Cb", PATH_SEPARATOR},    {"/a\\b", PATH_BYTE},
        {"/a%00", PATH_CONTROL},       {"/a%0a", PATH_CONTROL},
        {"/a%7f", PATH_CONTROL},       {"/a;x=1", PATH_PARAMETERS},
        {"/..;/b", PATH_PARAMETERS},   {"/a%3bx", PATH_PARAMETERS},
        {"/%252e%252e/b", PATH_TWICE}, {"/a%252fb", PATH_TWICE},
        {"/a%", PATH_ESCAPE},          {"/a%2", PATH_ESCAPE},
        {"/a%zz", PATH_ESCAPE},        {"/a b", PATH_BYTE},
        {"/a#b", PATH_BYTE},           {"/\xc3\xa9", PATH_BYTE},
        {"/a\"<>^`{|}", PATH_BYTE},    {"/%c3", PATH_NOT_UTF8},
        {"/%c0%af", PATH_NOT_UTF8},    {"/%ed%a0%80", PATH_NOT_UTF8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum path_fault found = path_read(str_of(cases[i].target), &path);
        if (found != cases[i].fault)
            flunk("%s %s", cases[i].target, path_fault_text(found));
    }
}

static void a_path_has_limits(void **state)
{
    static char text[PATH_MAX_BYTES + 2];

    (void)state;
    memset(text, 'a', sizeof text);
    text[0] = '/';
    assert_int_equal(path_read((str){text, PATH_MAX_BYTES}, &path), PATH_OK);
    assert_int_equal(path_read((str){text, PATH_MAX_BYTES + 1}, &path), PATH_TOO_LONG);
    for (size_t i = 0; i < sizeof text; i += 2)
        text[i] = '/';
    assert_int_equal(path_read((str){text, 2 * PATH_SEGMENTS_MAX}, &path), PATH_OK);
    assert_int_equal(path.n, PATH_SEGMENTS_MAX);
    assert_int_equal(path_read((str){text, 2 * PATH_SEGMENTS_MAX + 2}, &path), PATH_TOO_LONG);
}

/* ---- rules ---- */

enum { RULES_MAX = 16 };

struct rules {
    struct arena *arena;
    struct path_rule list[RULES_MAX];
    size_t n;
};

/* "GET /a", "* / **", … ended by NULL. */
static struct rules rules_of(const char *const *lines)
{
    struct rules r = {.arena = arena_new()};

    for (; lines[r.n]; r.n++) {
        str rest = str_of(lines[r.n]);
        str method = str_cut(&rest, S(" "));
        const char *wrong = path_rule_read(r.arena, method, rest, &r.list[r.n]);
        if (wrong)
            flunk("%s %s", lines[r.n], wrong);
    }
    return r;
}

static void assert_decides(const struct rules *r, const char *method, const char *target,
                           const char *pattern)
{
    assert_int_equal(path_read(str_of(target), &path), PATH_OK);
    const struct path_rule *found = path_rules_find(r->list, r->n, str_of(method), &path);

    if (!found != !pattern || (found && !str_eq(found->pattern, str_of(pattern))))
        flunk("%s %s: %.*s decides", method, target, STR_ARG(found ? found->pattern : S("none")));
}

static void the_first_rule_that_fits_decides(void **state)
{
    struct rules r = rules_of((const char *[]){
        "GET /orders/mine", "GET /orders/{id}", "POST /orders", "* /files/**", "HEAD /heads",
        "DELETE /orders/{id}/lines/{line}/", "GET /caf%C3%A9", "PURGE /", NULL});

    (void)state;
    assert_decides(&r, "GET", "/orders/mine", "/orders/mine");
    assert_decides(&r, "GET", "/orders/7", "/orders/{id}");
    assert_decides(&r, "GET", "/orders/7/?a=b", "/orders/{id}");
    assert_decides(&r, "GET", "/orders/%6Dine", "/orders/mine");
    assert_decides(&r, "GET", "/orders/MINE", "/orders/{id}");
    assert_decides(&r, "HEAD", "/orders/7", "/orders/{id}");
    assert_decides(&r, "get", "/orders/7", NULL);
    assert_decides(&r, "POST", "/orders/", "/orders");
    assert_decides(&r, "POST", "/orders/7", NULL);
    assert_decides(&r, "GET", "/orders", NULL);
    assert_decides(&r, "GET", "/orders/7/lines", NULL);
    assert_decides(&r, "DELETE", "/orders/7/lines/1", "/orders/{id}/lines/{line}");
    assert_decides(&r, "BREW", "/files", "/files/**");
    assert_decides(&r, "GET", "/files/a/b/c", "/files/**");
    assert_decides(&r, "GET", "/filesystem", NULL);
    assert_decides(&r, "HEAD", "/heads", "/heads");
    assert_decides(&r, "GET", "/heads", NULL);
    assert_decides(&r, "GET", "/caf%c3%a9", "/caf%C3%A9");
    assert_decides(&r, "PURGE", "/", "/");
    arena_drop(&r.arena);
}

static void everything_is_below_the_root(void **state)
{
    struct rules r = rules_of((const char *[]){"GET /**", NULL});

    (void)state;
    assert_decides(&r, "GET", "/", "/**");
    assert_decides(&r, "GET", "/a/b", "/**");
    assert_decides(&r, "POST", "/a/b", NULL);
    arena_drop(&r.arena);
}

static void a_pattern_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *pattern, *says;
    } cases[] = {
        {"orders", "slash"},   {"", "slash"},           {"//", "two slashes"},
        {"/a//b", "two"},      {"/a/../b", "'..'"},     {"/a%2fb", "escaped slash"},
        {"/a;b", "semicolon"}, {"/a?b", "percent-enc"}, {"/{a}b", "whole segment"},
        {"/{}", "whole"},      {"/{a b}", "whole"},     {"/**/a", "last segment"},
        {"/a*", "last"},       {"/*", "last"},          {"/{a", "whole"},
    };
    DROP(arena) struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct path_rule rule = {0};
        const char *wrong = path_rule_read(arena, S("GET"), str_of(cases[i].pattern), &rule);
        if (!wrong || !strstr(wrong, cases[i].says))
            flunk("%s: %s", cases[i].pattern, wrong ? wrong : "is taken");
    }
}

static void a_method_is_in_capital_letters(void **state)
{
    (void)state;
    assert_true(path_rule_method_is_valid(S("GET")));
    assert_true(path_rule_method_is_valid(S("*")));
    assert_true(path_rule_method_is_valid(S("M-SEARCH")));
    assert_false(path_rule_method_is_valid(S("get")));
    assert_false(path_rule_method_is_valid(S("")));
    assert_false(path_rule_method_is_valid(S("G T")));
    assert_false(path_rule_method_is_valid(S("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG")));
}

static void assert_covers(const char *all, const char *rule, bool covers)
{
    struct rules r = rules_of((const char *[]){all, rule, NULL});

    if ((path_rules_covering(r.list, 1, &r.list[1]) != NULL) != covers)
        flunk("%s %s %s", all, covers ? "leaves something for" : "covers", rule);
    arena_drop(&r.arena);
}

static void a_rule_that_is_never_reached_is_seen(void **state)
{
    (void)state;
    assert_covers("GET /a", "GET /a/", true);
    assert_covers("GET /a", "HEAD /a", true);
    assert_covers("HEAD /a", "GET /a", false);
    assert_covers("* /a", "GET /a", true);
    assert_covers("GET /a", "* /a", false);
    assert_covers("GET /{x}", "GET /a", true);
    assert_covers("GET /{x}", "GET /{y}", true);
    assert_covers("GET /a", "GET /{x}", false);
    assert_covers("GET /**", "GET /a/{x}/**", true);
    assert_covers("GET /a/**", "GET /a", true);
    assert_covers("GET /a/{x}", "GET /a/**", false);
    assert_covers("GET /a/{x}/**", "GET /a/**", false);
    assert_covers("GET /{x}/**", "GET /a/**", true);
    assert_covers("GET /%61", "GET /a", true);
}

static void the_nearest_rules_share_the_most(void **state)
{
    struct rules r = rules_of((const char *[]){"GET /orders/{id}", "DELETE /orders/{id}",
                                               "GET /orders/{id}/lines", "GET /files/**", NULL});
    const struct path_rule *near[3];

    (void)state;
    assert_int_equal(path_read(S("/orders/7"), &path), PATH_OK);
    assert_int_equal(path_rules_near(r.list, r.n, &path, near, 3), 2);
    assert_ptr_equal(near[0], &r.list[0]);
    assert_ptr_equal(near[1], &r.list[1]);
    assert_int_equal(path_read(S("/orders/7/prices"), &path), PATH_OK);
    assert_int_equal(path_rules_near(r.list, r.n, &path, near, 2), 2);
    assert_int_equal(path_read(S("/elsewhere"), &path), PATH_OK);
    assert_int_equal(path_rules_near(r.list, r.n, &path, near, 3), 3);
    arena_drop(&r.arena);
}

/* What covers must decide whatever the covered one would. */
static void a_covered_rule_never_decides(void **state)
{
    static const char *const parts[] = {"a", "b", "{x}", "**"};
    struct chance c = chance_new("covering");

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char lines[2][64], target[64] = "";
        for (int k = 0; k < 2; k++) {
            snprintf(lines[k], sizeof lines[k], "GET ");
            for (size_t n = 1 + chance_below(&c, 3); n > 0; n--)
                snprintf(lines[k] + strlen(lines[k]), 40, "/%s",
                         parts[chance_below(&c, n == 1 ? 4 : 3)]);
        }
        for (size_t n = 1 + chance_below(&c, 4); n > 0; n--)
            snprintf(target + strlen(target), 40, "/%s", parts[chance_below(&c, 2)]);
        struct rules r = rules_of((const char *[]){lines[0], lines[1], NULL});
        assert_int_equal(path_read(str_of(target), &path), PATH_OK);
        const struct path_rule *found = path_rules_find(r.list, 2, S("GET"), &path);
        if (found == &r.list[1] && path_rules_covering(r.list, 1, &r.list[1]))
            flunk("%s decides about %s after %s", lines[1], target, lines[0]);
        arena_drop(&r.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_has_one_form),
        cmocka_unit_test(what_two_readers_may_read_differently_is_refused),
        cmocka_unit_test(a_path_has_limits),
        cmocka_unit_test(the_first_rule_that_fits_decides),
        cmocka_unit_test(everything_is_below_the_root),
        cmocka_unit_test(a_pattern_that_is_none_is_refused),
        cmocka_unit_test(a_method_is_in_capital_letters),
        cmocka_unit_test(a_rule_that_is_never_reached_is_seen),
        cmocka_unit_test(the_nearest_rules_share_the_most),
        cmocka_unit_test(a_covered_rule_never_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
