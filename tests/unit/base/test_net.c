/* base/net.h */
#include "unit.h"

#include <arpa/inet.h>

#include "base/net.h"
#include "chance.h"

static struct net_addr addr(const char *text)
{
    struct net_addr a = {0};

    if (!net_addr_parse(str_of(text), &a))
        flunk("not an address: %s", text);
    return a;
}

static struct net_cidr block(const char *text)
{
    struct net_cidr c = {{0}, 0};

    if (net_cidr_parse(str_of(text), &c) != CIDR_OK)
        flunk("not a block: %s", text);
    return c;
}

static void assert_text(struct net_addr a, const char *want)
{
    char text[NET_TEXT_BYTES];
    size_t n = net_addr_text(&a, text);

    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
}

/* ---- addresses ---- */

static void ipv4_is_dotted_decimal(void **state)
{
    (void)state;
    assert_text(addr("203.0.113.7"), "203.0.113.7");
    assert_text(addr("0.0.0.0"), "0.0.0.0");
    assert_text(addr("255.255.255.255"), "255.255.255.255");
    assert_int_equal(addr("1.2.3.4").family, NET_V4);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.04",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4\n",
        "0x1.2.3.4",
        "1.2.3.4/32",
        "1.2.3.4:80",
        ":",
        ":::",
        "1::2::3",
        "12345::",
        "00001::",
        "fe80::1%eth0",
        "[::1]",
        "::g",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:",
        ":1:2:3:4:5:6:7",
        "::1.2.3",
        "1.2.3.4::",
        "::1.2.3.04",
        "unknown",
        "localhost",
        "2130706433",
        "1.2.3.-4",
        "::ffff:1.2.3.4:5",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct net_addr a;
        if (net_addr_parse(str_of(texts[i]), &a))
            flunk("accepted: \"%s\"", texts[i]);
    }
}

static void a_nul_inside_the_text_is_refused(void **state)
{
    struct net_addr a;

    (void)state;
    assert_false(net_addr_parse(S("1.2.3.4\0.5"), &a));
    assert_false(net_addr_parse(S("::1\0"), &a));
}

static void a_refused_text_leaves_the_value_alone(void **state)
{
    struct net_addr a = addr("9.9.9.9");

    (void)state;
    assert_false(net_addr_parse(S("1.2.3.4x"), &a));
    assert_text(a, "9.9.9.9");
}

/* RFC 5952 sections 4.1 to 4.3 */
static void ipv6_is_written_by_rfc_5952(void **state)
{
    static const char *const pairs[][2] = {
        {"2001:0db8::0001", "2001:db8::1"},
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:DB8:AAAA::FFFF", "2001:db8:aaaa::ffff"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"1:0:0:0:0:0:0:0", "1::"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
        {"0:0:3:4:5:6:0:0", "::3:4:5:6:0:0"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_text(addr(pairs[i][0]), pairs[i][1]);
}

/* RFC 4291 section 2.5.5.2 */
static void a_mapped_address_is_its_ipv4_address(void **state)
{
    struct net_addr plain = addr("192.0.2.1");
    struct net_addr mapped = addr("::FFFF:192.0.2.1");
    struct net_addr in_hex = addr("0:0:0:0:0:ffff:c000:0201");

    (void)state;
    assert_true(net_addr_eq(&plain, &mapped));
    assert_true(net_addr_eq(&plain, &in_hex));
}

static void an_unknown_address_is_written_so(void **state)
{
    (void)state;
    assert_text((struct net_addr){0}, "unknown");
}

static void addresses_of_two_families_are_never_equal(void **state)
{
    struct net_addr none = {0}, v4 = addr("0.0.0.0"), v6 = addr("::");

    (void)state;
    assert_false(net_addr_eq(&none, &v4));
    assert_false(net_addr_eq(&v4, &v6));
    assert_true(net_addr_eq(&none, &none));
}

static struct net_addr any_addr(struct chance *c)
{
    struct net_addr a = {.family = chance_below(c, 2) ? NET_V6 : NET_V4};

    chance_bytes(c, a.bytes, a.family == NET_V6 ? 16 : 4);
    if (a.family == NET_V6 && chance_below(c, 2)) /* runs of zeros, for the gap */
        for (int i = 0; i < 16; i++)
            a.bytes[i] = chance_below(c, 3) ? 0 : a.bytes[i];
    return a;
}

static void every_address_comes_back_from_its_text(void **state)
{
    struct chance c = chance_new("address round trip");

    (void)state;
    for (int i = 0; i < 50000; i++) {
        struct net_addr a = any_addr(&c), back;
        char text[NET_TEXT_BYTES];
        uint8_t bytes[16];
        str written = {text, net_addr_text(&a, text)};
        if (!net_addr_parse(written, &back) || !net_addr_eq(&a, &back))
            flunk("lost: %s", text);
        assert_int_equal(inet_pton(a.family == NET_V6 ? AF_INET6 : AF_INET, text, bytes), 1);
        assert_memory_equal(bytes, a.bytes, a.family == NET_V6 ? 16 : 4);
    }
}

/* ---- blocks ---- */

static void assert_fault(const char *text, enum cidr_fault want)
{
    struct net_cidr c;
    enum cidr_fault got = net_cidr_parse(str_of(text), &c);

    if (got != want)
        flunk("%s: fault %d, not %d", text, (int)got, (int)want);
}

static void a_bare_address_is_a_block_of_one(void **state)
{
    (void)state;
    assert_int_equal(block("192.0.2.1").prefix, 32);
    assert_int_equal(block("2001:db8::1").prefix, 128);
}

static void faults_of_a_block_are_told_apart(void **state)
{
    (void)state;
    assert_fault("", CIDR_BAD_ADDRESS);
    assert_fault("/8", CIDR_BAD_ADDRESS);
    assert_fault("10.0.0/8", CIDR_BAD_ADDRESS);
    assert_fault("10.0.0.0 /8", CIDR_BAD_ADDRESS);
    assert_fault("10.0.0.0/", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/33", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/08", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/-1", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/+8", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/8 ", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/8/8", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/255.0.0.0", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.0/99999999999999999999", CIDR_BAD_PREFIX);
    assert_fault("::/129", CIDR_BAD_PREFIX);
    assert_fault("10.0.0.1/8", CIDR_HOST_BITS);
    assert_fault("2001:db8::1/64", CIDR_HOST_BITS);
    assert_fault("0.0.0.0/0", CIDR_OK);
    assert_fault("::/0", CIDR_OK);
}

static void host_bits_come_with_the_corrected_block(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct net_cidr c;

    (void)state;
    assert_int_equal(net_cidr_parse(S("203.0.113.77/28"), &c), CIDR_HOST_BITS);
    assert_true(str_eq(net_cidr_write(arena, &c), S("203.0.113.64/28")));
    assert_int_equal(net_cidr_parse(S("2001:db8::ffff/65"), &c), CIDR_HOST_BITS);
    assert_true(str_eq(net_cidr_write(arena, &c), S("2001:db8::/65")));
}

static void a_block_of_mapped_addresses_is_an_ipv4_block(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct net_cidr c = block("::ffff:10.0.0.0/104");

    (void)state;
    assert_true(str_eq(net_cidr_write(arena, &c), S("10.0.0.0/8")));
    c = block("::ffff:0:0/96");
    assert_true(str_eq(net_cidr_write(arena, &c), S("0.0.0.0/0")));
    c = block("::ffff:192.0.2.1");
    assert_true(str_eq(net_cidr_write(arena, &c), S("192.0.2.1/32")));
    assert_fault("::ffff:10.0.0.1/104", CIDR_HOST_BITS);
    assert_int_equal(net_cidr_parse(S("::ffff:10.0.0.0/64"), &c), CIDR_HOST_BITS);
    assert_true(str_eq(net_cidr_write(arena, &c), S("::/64")));
}

static void assert_has(const char *cidr, const char *text, bool want)
{
    struct net_cidr c = block(cidr);
    struct net_addr a = addr(text);

    if (net_cidr_has(&c, &a) != want)
        flunk("%s in %s: not %d", text, cidr, (int)want);
}

static void a_block_has_its_first_and_last_address_and_not_their_neighbours(void **state)
{
    (void)state;
    assert_has("203.0.113.64/28", "203.0.113.63", false);
    assert_has("203.0.113.64/28", "203.0.113.64", true);
    assert_has("203.0.113.64/28", "203.0.113.79", true);
    assert_has("203.0.113.64/28", "203.0.113.80", false);
    assert_has("2001:db8::/33", "2001:db8:7fff:ffff::1", true);
    assert_has("2001:db8::/33", "2001:db8:8000::", false);
    assert_has("192.0.2.1/32", "192.0.2.1", true);
    assert_has("192.0.2.1/32", "192.0.2.0", false);
    assert_has("::1/128", "::1", true);
    assert_has("::1/128", "::", false);
}

static void a_block_of_everything_has_its_own_family_only(void **state)
{
    struct net_cidr all = block("0.0.0.0/0");
    struct net_addr none = {0};

    (void)state;
    assert_has("0.0.0.0/0", "255.255.255.255", true);
    assert_has("0.0.0.0/0", "::1", false);
    assert_has("::/0", "1.2.3.4", false);
    assert_has("0.0.0.0/0", "::ffff:1.2.3.4", true);
    assert_false(net_cidr_has(&all, &none));
}

static void any_of_several_blocks_will_do_and_none_of_none(void **state)
{
    struct net_cidr two[] = {block("10.0.0.0/8"), block("2001:db8::/32")};
    struct net_addr a = addr("2001:db8::7"), b = addr("11.0.0.0");

    (void)state;
    assert_true(net_cidrs_have(two, 2, &a));
    assert_false(net_cidrs_have(two, 2, &b));
    assert_false(net_cidrs_have(NULL, 0, &a));
}

static void masking_clears_what_follows_the_prefix(void **state)
{
    struct net_addr v4 = addr("203.0.113.77"), v6 = addr("2001:db8:1:2:3:4:5:6");

    (void)state;
    assert_text(net_addr_masked(&v6, 64), "2001:db8:1:2::");
    assert_text(net_addr_masked(&v6, 128), "2001:db8:1:2:3:4:5:6");
    assert_text(net_addr_masked(&v6, 0), "::");
    assert_text(net_addr_masked(&v4, 24), "203.0.113.0");
    assert_text(net_addr_masked(&v4, 64), "203.0.113.77");
}

static void every_block_comes_back_from_its_text(void **state)
{
    struct chance c = chance_new("block round trip");

    (void)state;
    for (int i = 0; i < 20000; i++) {
        DROP(arena) struct arena *arena = arena_new();
        struct net_addr a = any_addr(&c);
        struct net_cidr cidr, back;
        cidr.prefix = (uint8_t)chance_below(&c, a.family == NET_V4 ? 33 : 129);
        cidr.addr = net_addr_masked(&a, cidr.prefix);
        str text = net_cidr_write(arena, &cidr);
        assert_int_equal(net_cidr_parse(text, &back), CIDR_OK);
        assert_true(net_addr_eq(&cidr.addr, &back.addr));
        assert_int_equal(cidr.prefix, back.prefix);
    }
}

static bool bit(const struct net_addr *a, unsigned i)
{
    return a->bytes[i / 8] >> (7 - i % 8) & 1;
}

static void a_block_has_exactly_what_shares_its_first_bits(void **state)
{
    struct chance c = chance_new("block against bits");

    (void)state;
    for (int i = 0; i < 50000; i++) {
        struct net_addr a = any_addr(&c), b = a;
        unsigned bits = a.family == NET_V4 ? 32 : 128;
        struct net_cidr cidr = {.prefix = (uint8_t)chance_below(&c, bits + 1)};
        unsigned flip = (unsigned)chance_below(&c, bits);
        cidr.addr = net_addr_masked(&a, cidr.prefix);
        b.bytes[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
        bool shares = true;
        for (unsigned k = 0; k < cidr.prefix; k++)
            shares &= bit(&cidr.addr, k) == bit(&b, k);
        assert_true(net_cidr_has(&cidr, &a));
        assert_int_equal(net_cidr_has(&cidr, &b), shares);
    }
}

/* ---- the client ---- */

struct call {
    const char *peer, *forwarded, *x_forwarded_for, *client;
};

/* 10.0.0.0/8 and fd00::/8 are the proxies. */
static void assert_client(struct call call)
{
    struct net_cidr proxies[] = {block("10.0.0.0/8"), block("fd00::/8")};
    struct net_addr peer = addr(call.peer);
    struct net_addr got =
        net_client_addr(&peer, proxies, 2, str_of(call.forwarded), str_of(call.x_forwarded_for));
    char text[NET_TEXT_BYTES];

    net_addr_text(&got, text);
    if (strcmp(text, call.client) != 0)
        flunk("peer %s, Forwarded: %s, X-Forwarded-For: %s gives %s, not %s", call.peer,
              call.forwarded ? call.forwarded : "(none)",
              call.x_forwarded_for ? call.x_forwarded_for : "(none)", text, call.client);
}

static void an_untrusted_peer_is_the_client_whatever_it_claims(void **state)
{
    (void)state;
    assert_client((struct call){"192.0.2.1", "for=1.1.1.1", "2.2.2.2", "192.0.2.1"});
    assert_client((struct call){"192.0.2.1", NULL, "10.0.0.1", "192.0.2.1"});
}

static void a_trusted_peer_that_says_nothing_is_the_client(void **state)
{
    (void)state;
    assert_client((struct call){"10.0.0.1", NULL, NULL, "10.0.0.1"});
    assert_client((struct call){"10.0.0.1", "", "", "10.0.0.1"});
    assert_client((struct call){"10.0.0.1", " , ,", ",", "10.0.0.1"});
}

static void nothing_is_trusted_without_a_list(void **state)
{
    struct net_addr peer = addr("10.0.0.1");
    struct net_addr got = net_client_addr(&peer, NULL, 0, STR_NONE, S("1.1.1.1"));

    (void)state;
    assert_text(got, "10.0.0.1");
}

static void the_right_most_untrusted_entry_is_the_client(void **state)
{
    (void)state;
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", NULL, "6.6.6.6, 1.1.1.1", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", NULL, "6.6.6.6,1.1.1.1,10.0.0.2 ,fd00::9", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", NULL, "6.6.6.6, , 1.1.1.1, ", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", NULL, "10.9.9.9, 1.1.1.1, 10.0.0.2", "1.1.1.1"});
}

static void behind_a_known_gateway_the_right_most_untrusted_entry_is_the_client(void **state)
{
    struct net_cidr proxies[] = {block("10.0.0.0/8")};

    (void)state;
    assert_text(net_forwarded_addr(proxies, 1, S("1.1.1.1, 2.2.2.2, 10.0.0.1")), "2.2.2.2");
    assert_text(net_forwarded_addr(proxies, 1, S("10.0.0.2, 10.0.0.1")), "10.0.0.2");
    assert_int_equal(net_forwarded_addr(proxies, 1, S("1.1.1.1, unknown")).family, NET_NONE);
    assert_int_equal(net_forwarded_addr(proxies, 1, STR_NONE).family, NET_NONE);
}

static void if_all_are_trusted_the_left_most_is_the_client(void **state)
{
    (void)state;
    assert_client((struct call){"10.0.0.1", NULL, "10.0.0.3, 10.0.0.2", "10.0.0.3"});
    assert_client((struct call){"10.0.0.1", "for=10.0.0.3, for=\"[fd00::2]\"", NULL, "10.0.0.3"});
}

static void an_entry_that_is_no_address_makes_the_client_unknown(void **state)
{
    (void)state;
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1, junk", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1, junk, 10.0.0.2", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "junk, 1.1.1.1, 10.0.0.2", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", "for=unknown", NULL, "unknown"});
    assert_client((struct call){"10.0.0.1", "for=_hidden", NULL, "unknown"});
    assert_client((struct call){"10.0.0.1", "for=_hidden, for=1.1.1.1", NULL, "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", "proto=https", NULL, "unknown"});
}

static void ports_and_brackets_are_taken_off(void **state)
{
    (void)state;
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1:8080", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", NULL, "[2001:db8::1]:443", "2001:db8::1"});
    assert_client((struct call){"10.0.0.1", NULL, "[2001:db8::1]", "2001:db8::1"});
    assert_client((struct call){"10.0.0.1", NULL, "2001:db8::1", "2001:db8::1"});
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1:", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1:65536", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1:000080", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "[1.1.1.1]", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "[2001:db8::1", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "[2001:db8::1]x", "unknown"});
    assert_client((struct call){"10.0.0.1", NULL, "\"1.1.1.1\"", "unknown"});
}

/* RFC 7239 section 4 */
static void the_examples_of_rfc_7239_are_read(void **state)
{
    (void)state;
    assert_client((struct call){"10.0.0.1", "for=\"_gazonk\"", NULL, "unknown"});
    assert_client(
        (struct call){"10.0.0.1", "For=\"[2001:db8:cafe::17]:4711\"", NULL, "2001:db8:cafe::17"});
    assert_client(
        (struct call){"10.0.0.1", "for=192.0.2.60;proto=http;by=203.0.113.43", NULL, "192.0.2.60"});
    assert_client(
        (struct call){"10.0.0.1", "for=192.0.2.43, for=198.51.100.17", NULL, "198.51.100.17"});
    assert_client((struct call){
        "10.0.0.1", "for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown", NULL, "unknown"});
    assert_client((struct call){"10.0.0.1", "for=\"192.0.2.43:47011\"", NULL, "192.0.2.43"});
    assert_client((struct call){"10.0.0.1", "for=\"192.0.2.43:_p0rt\"", NULL, "192.0.2.43"});
}

static void quoted_text_hides_no_separator_of_forwarded(void **state)
{
    (void)state;
    assert_client(
        (struct call){"10.0.0.1", "host=\"a,for=6.6.6.6;\";for=1.1.1.1", NULL, "1.1.1.1"});
    assert_client(
        (struct call){"10.0.0.1", "for=1.1.1.1;host=\"a\\\", for=6.6.6.6\"", NULL, "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", "proto=http ; for=1.1.1.1 ;", NULL, "1.1.1.1"});
}

static void a_text_that_breaks_the_grammar_makes_the_client_unknown(void **state)
{
    static const char *const texts[] = {
        "for=\"1.1.1.1",
        "for=6.6.6.6;x=\", for=1.1.1.1",
        "for=6.6.6.6;x=\", for=\"[2001:db8::1]\"",
        "for=1.1.1.1;for=6.6.6.6",
        "for=1.1.1.1 for=6.6.6.6",
        "for =1.1.1.1",
        "for= 1.1.1.1",
        "for=",
        "for",
        "=1.1.1.1",
        "for=\"\"",
        "1.1.1.1",
        "for=\"1.1.1.1\"x",
        "for=1.1.1.1, garbage",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_client((struct call){"10.0.0.1", texts[i], NULL, "unknown"});
}

static void two_fields_that_disagree_make_the_client_unknown(void **state)
{
    (void)state;
    assert_client((struct call){"10.0.0.1", "for=6.6.6.6", "1.1.1.1", "unknown"});
    assert_client((struct call){"10.0.0.1", "for=_x", "1.1.1.1", "unknown"});
    assert_client((struct call){"10.0.0.1", "for=1.1.1.1", "6.6.6.6, 1.1.1.1:80", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", "", "1.1.1.1", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", "for=1.1.1.1", "", "1.1.1.1"});
}

static void mapped_peers_and_entries_are_ipv4(void **state)
{
    (void)state;
    assert_client((struct call){"::ffff:10.0.0.1", NULL, "::ffff:1.1.1.1", "1.1.1.1"});
    assert_client((struct call){"10.0.0.1", NULL, "1.1.1.1, ::ffff:10.0.0.2", "1.1.1.1"});
}

static void nothing_put_in_front_changes_the_client(void **state)
{
    static const char alphabet[] = "for=\"\\,;:[]._ 16";
    struct chance c = chance_new("forged Forwarded");
    struct net_cidr proxies[] = {block("10.0.0.0/8")};
    struct net_addr peer = addr("10.0.0.1"), honest = addr("1.1.1.1");

    (void)state;
    for (int i = 0; i < 200000; i++) {
        char text[80];
        size_t n = chance_below(&c, 40);
        for (size_t k = 0; k < n; k++)
            text[k] = alphabet[chance_below(&c, sizeof alphabet - 1)];
        memcpy(text + n, ", for=1.1.1.1", 13);
        struct net_addr got = net_client_addr(&peer, proxies, 1, (str){text, n + 13}, STR_NONE);
        if (got.family != NET_NONE && !net_addr_eq(&got, &honest))
            flunk("forged: %.*s", (int)n + 13, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_is_dotted_decimal),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_nul_inside_the_text_is_refused),
        cmocka_unit_test(a_refused_text_leaves_the_value_alone),
        cmocka_unit_test(ipv6_is_written_by_rfc_5952),
        cmocka_unit_test(a_mapped_address_is_its_ipv4_address),
        cmocka_unit_test(an_unknown_address_is_written_so),
        cmocka_unit_test(addresses_of_two_families_are_never_equal),
        cmocka_unit_test(every_address_comes_back_from_its_text),
        cmocka_unit_test(a_bare_address_is_a_block_of_one),
        cmocka_unit_test(faults_of_a_block_are_told_apart),
        cmocka_unit_test(host_bits_come_with_the_corrected_block),
        cmocka_unit_test(a_block_of_mapped_addresses_is_an_ipv4_block),
        cmocka_unit_test(a_block_has_its_first_and_last_address_and_not_their_neighbours),
        cmocka_unit_test(a_block_of_everything_has_its_own_family_only),
        cmocka_unit_test(any_of_several_blocks_will_do_and_none_of_none),
        cmocka_unit_test(masking_clears_what_follows_the_prefix),
        cmocka_unit_test(every_block_comes_back_from_its_text),
        cmocka_unit_test(a_block_has_exactly_what_shares_its_first_bits),
        cmocka_unit_test(an_untrusted_peer_is_the_client_whatever_it_claims),
        cmocka_unit_test(a_trusted_peer_that_says_nothing_is_the_client),
        cmocka_unit_test(nothing_is_trusted_without_a_list),
        cmocka_unit_test(the_right_most_untrusted_entry_is_the_client),
        cmocka_unit_test(behind_a_known_gateway_the_right_most_untrusted_entry_is_the_client),
        cmocka_unit_test(if_all_are_trusted_the_left_most_is_the_client),
        cmocka_unit_test(an_entry_that_is_no_address_makes_the_client_unknown),
        cmocka_unit_test(ports_and_brackets_are_taken_off),
        cmocka_unit_test(the_examples_of_rfc_7239_are_read),
        cmocka_unit_test(quoted_text_hides_no_separator_of_forwarded),
        cmocka_unit_test(a_text_that_breaks_the_grammar_makes_the_client_unknown),
        cmocka_unit_test(two_fields_that_disagree_make_the_client_unknown),
        cmocka_unit_test(mapped_peers_and_entries_are_ipv4),
        cmocka_unit_test(nothing_put_in_front_changes_the_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
