/* outbound/guard.h: which URLs and addresses a tenant's word may lead to. */
#include <string.h>

#include "outbound/outbound.h"
#include "unit.h"

static struct arena *arena;

static int start(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_drop(&arena);
    return 0;
}

static struct guard_rules rules_of(const char *const *allowed, size_t n)
{
    struct guard_entry *list = arena_array(arena, n, sizeof *list);

    for (size_t i = 0; i < n; i++)
        if (!guard_entry_parse(arena, str_of(allowed[i]), &list[i]))
            flunk("outbound_allow does not take %s", allowed[i]);
    return (struct guard_rules){.allowed = list, .n_allowed = n};
}

static enum guard_verdict judge(const struct guard_rules *rules, const char *url)
{
    struct guard_url out;

    return guard_judge_url(arena, rules, str_of(url), &out);
}

static enum guard_verdict judge_at(const struct guard_rules *rules, const char *url,
                                   const char *addr)
{
    struct guard_url out;
    struct net_addr at;

    if (guard_judge_url(arena, rules, str_of(url), &out) != GUARD_FINE)
        flunk("%s is refused by itself", url);
    assert_true(net_addr_parse(str_of(addr), &at));
    return guard_judge_addr(rules, &out, &at);
}

static void expect(const struct guard_rules *rules, const char *url, enum guard_verdict want)
{
    enum guard_verdict got = judge(rules, url);

    if (got != want)
        flunk("%s: %d (%.*s), not %d", url, got, STR_ARG(guard_reason(got)), want);
}

static void public_https_is_fine(void **state)
{
    static const struct guard_rules none;
    static const char *const fine[] = {
        "https://example.com/hook",        "https://example.com:443/",
        "https://example.com:8443/a?b=c",  "https://EXAMPLE.com./hook",
        "https://93.184.216.34/",          "https://[2606:2800:220:1::1]/hook",
        "https://xn--bcher-kva.example/h", "https://a_b.example.com/hook",
    };

    (void)state;
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        expect(&none, fine[i], GUARD_FINE);
}

static void what_is_no_fit_url_is_refused(void **state)
{
    static const struct guard_rules none;
    static const struct {
        const char *url;
        enum guard_verdict want;
    } cases[] = {
        {"", GUARD_NO_URL},
        {"example.com", GUARD_NO_URL},
        {"https://", GUARD_NO_URL},
        {"https:///path", GUARD_NO_URL},
        {"https://exa mple.com/", GUARD_NO_URL},
        {"https://example.com/\r\nx: y", GUARD_NO_URL},
        {"https://example.com\\@10.0.0.1/", GUARD_NO_URL},
        {"https://b\xc3\xbc"
         "cher.example/",
         GUARD_NO_URL},
        {"https://example.com:0/", GUARD_NO_URL},
        {"https://example.com:65536/", GUARD_NO_URL},
        {"https://-/%00", GUARD_FINE},
        {"http://example.com/", GUARD_PLAIN},
        {"ftp://example.com/", GUARD_SCHEME},
        {"file:///etc/passwd", GUARD_NO_URL},
        {"gopher://example.com/", GUARD_SCHEME},
        {"javascript:alert(1)", GUARD_NO_URL},
        {"https://user:pass@example.com/", GUARD_USERINFO},
        {"https://user@example.com/", GUARD_USERINFO},
        {"https://@example.com/", GUARD_USERINFO},
        {"https://example.com:22/", GUARD_PORT},
        {"https://example.com:80/", GUARD_PORT},
        {"https://example.com:1023/", GUARD_PORT},
        {"https://example.com:1024/", GUARD_FINE},
        {"https://localhost/", GUARD_ADDRESS},
        {"https://x.localhost/", GUARD_ADDRESS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].want != GUARD_NO_URL)
            expect(&none, cases[i].url, cases[i].want);
        else if (judge(&none, cases[i].url) == GUARD_FINE)
            flunk("%s is fine", cases[i].url);
}

/* Svix's and Hook0's lists of ranges, and the spellings that WHATWG URL and inet_aton know. */
static void each_spelling_of_an_address_inside_is_refused(void **state)
{
    static const struct guard_rules none;
    static const char *const hosts[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "169.254.1.1",
        /* spellings */
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "0177.1",
        "00000177.0.0.01",
        "127.0.0.1.",
        "0",
        "0x0",
        "0300.0250.0.1",
        "%31%32%37.0.0.1",
        "%6c%6f%63%61%6c%68%6f%73%74",
        /* IPv6 */
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a00:1]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:db8::1]",
        "[2001:10::1]",
        "[2002:7f00:1::]",
        "[2002::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[fc00::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[4000::1]",
        "[::ffff:0:127.0.0.1]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        str url = arena_printf(arena, "https://%s/hook", hosts[i]);
        if (judge(&none, url.p) == GUARD_FINE)
            flunk("%.*s is fine", STR_ARG(url));
    }
}

static void an_answer_of_the_resolver_is_judged_like_a_literal(void **state)
{
    static const struct guard_rules none;

    (void)state;
    assert_int_equal(judge_at(&none, "https://a.example/", "93.184.216.34"), GUARD_FINE);
    assert_int_equal(judge_at(&none, "https://a.example/", "10.0.0.1"), GUARD_ADDRESS);
    assert_int_equal(judge_at(&none, "https://a.example/", "fd00::1"), GUARD_ADDRESS);
    assert_int_equal(judge_at(&none, "https://a.example/", "169.254.169.254"), GUARD_METADATA);
    assert_int_equal(judge_at(&none, "https://a.example/", "168.63.129.16"), GUARD_METADATA);
}

static void what_is_allowed_may_be_private_and_use_http_and_any_port(void **state)
{
    static const char *const allowed[] = {"Hooks.Internal", "10.1.0.0/16", "::1"};
    struct guard_rules rules = rules_of(allowed, 3);

    (void)state;
    expect(&rules, "http://hooks.internal:81/", GUARD_FINE);
    expect(&rules, "http://HOOKS.internal.:81/", GUARD_FINE);
    assert_int_equal(judge_at(&rules, "http://hooks.internal/", "192.168.1.1"), GUARD_FINE);
    expect(&rules, "http://10.1.2.3:25/", GUARD_FINE);
    expect(&rules, "http://[::1]:25/", GUARD_FINE);
    expect(&rules, "https://10.2.2.3/", GUARD_ADDRESS);
    /* A name that is not in the list may be http where all it leads to is. */
    assert_int_equal(judge_at(&rules, "http://other.example/", "10.1.2.3"), GUARD_FINE);
    assert_int_equal(judge_at(&rules, "http://other.example/", "93.184.216.34"), GUARD_PLAIN);
    assert_int_equal(judge_at(&rules, "https://other.example:22/", "93.184.216.34"), GUARD_PORT);
    assert_int_equal(judge_at(&rules, "https://other.example/", "10.2.0.1"), GUARD_ADDRESS);
    expect(&rules, "https://not.hooks.internal.example:22/", GUARD_FINE); /* until it is resolved */
    assert_int_equal(judge_at(&rules, "https://x.hooks.internal/", "192.168.1.1"), GUARD_ADDRESS);
}

static void metadata_must_be_spelled_out(void **state)
{
    static const char *const wide[] = {"169.254.0.0/16", "fd00::/8", "meta.internal"};
    static const char *const exact[] = {"169.254.169.254/32", "fd00:ec2::254"};
    struct guard_rules rules = rules_of(wide, 3);
    struct guard_rules in_full = rules_of(exact, 2);

    (void)state;
    expect(&rules, "http://169.254.169.254/", GUARD_METADATA);
    expect(&rules, "http://[fd00:ec2::254]/", GUARD_METADATA);
    expect(&rules, "http://[::ffff:169.254.169.254]/", GUARD_METADATA);
    expect(&rules, "http://[64:ff9b::a9fe:a9fe]/", GUARD_METADATA);
    assert_int_equal(judge_at(&rules, "http://meta.internal/", "169.254.169.254"), GUARD_METADATA);
    expect(&rules, "http://169.254.1.1/", GUARD_FINE);
    expect(&in_full, "http://169.254.169.254/", GUARD_FINE);
    expect(&in_full, "http://[fd00:ec2::254]/", GUARD_FINE);
}

static void our_own_listeners_are_never_called(void **state)
{
    static const char *const allowed[] = {"127.0.0.0/8", "::1", "us.internal", "0.0.0.0"};
    struct guard_rules rules = rules_of(allowed, 4);
    struct guard_own own[2] = {{.port = 8080}, {.port = 9464}};

    (void)state;
    assert_true(net_addr_parse(S("127.0.0.1"), &own[0].addr));
    assert_true(net_addr_parse(S("::"), &own[1].addr));
    rules.own = own;
    rules.n_own = 2;
    expect(&rules, "http://127.0.0.1:8080/", GUARD_OURSELVES);
    expect(&rules, "http://127.1:8080/", GUARD_OURSELVES);
    expect(&rules, "http://[::ffff:127.0.0.1]:8080/", GUARD_OURSELVES);
    expect(&rules, "http://0.0.0.0:8080/", GUARD_OURSELVES);
    expect(&rules, "http://127.0.0.9:9464/", GUARD_OURSELVES);
    expect(&rules, "http://[::1]:9464/", GUARD_OURSELVES);
    expect(&rules, "http://127.0.0.1:8081/", GUARD_FINE);
    assert_int_equal(judge_at(&rules, "http://us.internal:8080/", "127.0.0.1"), GUARD_OURSELVES);
}

static void entries_are_hosts_and_blocks(void **state)
{
    static const char *const bad[] = {
        "",           "https://x.example", "x.example/y", "10.0.0.0/33",
        "10.0.0.1/8", "*.example",         "127.1",       "a..b",
        "x:80"};
    struct guard_entry entry;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (guard_entry_parse(arena, str_of(bad[i]), &entry))
            flunk("%s is an entry", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(public_https_is_fine, start, end),
        cmocka_unit_test_setup_teardown(what_is_no_fit_url_is_refused, start, end),
        cmocka_unit_test_setup_teardown(each_spelling_of_an_address_inside_is_refused, start, end),
        cmocka_unit_test_setup_teardown(an_answer_of_the_resolver_is_judged_like_a_literal, start,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_allowed_may_be_private_and_use_http_and_any_port,
                                        start, end),
        cmocka_unit_test_setup_teardown(metadata_must_be_spelled_out, start, end),
        cmocka_unit_test_setup_teardown(our_own_listeners_are_never_called, start, end),
        cmocka_unit_test_setup_teardown(entries_are_hosts_and_blocks, start, end),
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
