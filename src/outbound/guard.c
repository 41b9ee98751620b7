/* The rules. Sources are named beside each range. */
#include "outbound/guard.h"

#include <curl/curl.h>
#include <string.h>

enum { HTTPS_PORT = 443, FREE_PORTS_FROM = 1024, HOST_MAX_CHARS = 253, LABEL_MAX_CHARS = 63 };

/* ---- addresses ---- */

struct range {
    uint8_t bytes[16];
    uint8_t prefix;
};

/* IANA IPv4 Special-Purpose Address Registry: what is not globally reachable, with multicast
 * (RFC 5771) and the reserved rest. */
static const struct range v4_inside[] = {
    {{0}, 8},             /* RFC 791: this network */
    {{10}, 8},            /* RFC 1918 */
    {{100, 64}, 10},      /* RFC 6598: shared */
    {{127}, 8},           /* RFC 1122: loopback */
    {{169, 254}, 16},     /* RFC 3927: link-local */
    {{172, 16}, 12},      /* RFC 1918 */
    {{192, 0, 0}, 24},    /* RFC 6890 */
    {{192, 0, 2}, 24},    /* RFC 5737: documentation */
    {{192, 88, 99}, 24},  /* RFC 7526: 6to4 relays */
    {{192, 168}, 16},     /* RFC 1918 */
    {{198, 18}, 15},      /* RFC 2544: benchmarks */
    {{198, 51, 100}, 24}, /* RFC 5737 */
    {{203, 0, 113}, 24},  /* RFC 5737 */
    {{224}, 4},           /* RFC 5771: multicast */
    {{240}, 4},           /* RFC 1112: reserved; broadcast */
};

/* Within 2000::/3, outside of which nothing is global unicast (RFC 4291 section 2.4). */
static const struct range v6_inside[] = {
    {{0x20, 0x01}, 23},             /* RFC 2928: protocols; Teredo and ORCHID are in it */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* RFC 3849: documentation */
    {{0x20, 0x02}, 16},             /* RFC 3056: 6to4, which leads to any IPv4 */
    {{0x3f, 0xff}, 20},             /* RFC 9637: documentation */
};

static const struct range v6_global = {{0x20}, 3};
static const struct range v6_nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96}; /* RFC 6052 */

/* Where AWS, GCP, Azure, Alibaba and Oracle tell a machine its credentials. Some are public. */
static const char *const metadata[] = {
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192",
    "168.63.129.16",   "fd00:ec2::254", "fd00:ec2::23",   "fd20:ce::254",    "fe80::a9fe:a9fe",
};

static bool is_in(const struct range *range, const struct net_addr *addr)
{
    struct net_cidr cidr = {.addr.family = addr->family, .prefix = range->prefix};

    memcpy(cidr.addr.bytes, range->bytes, sizeof cidr.addr.bytes);
    return net_cidr_has(&cidr, addr);
}

static bool is_inside(const struct net_addr *addr)
{
    if (addr->family == NET_V4) {
        for (size_t i = 0; i < sizeof v4_inside / sizeof *v4_inside; i++)
            if (is_in(&v4_inside[i], addr))
                return true;
        return false;
    }
    if (!is_in(&v6_global, addr))
        return true;
    for (size_t i = 0; i < sizeof v6_inside / sizeof *v6_inside; i++)
        if (is_in(&v6_inside[i], addr))
            return true;
    return false;
}

/* An address that leads to an IPv4 address is judged as that one. */
static struct net_addr led_to(const struct net_addr *addr)
{
    struct net_addr v4 = {.family = NET_V4};

    if (addr->family != NET_V6 || !is_in(&v6_nat64, addr))
        return net_addr_unmapped(addr);
    memcpy(v4.bytes, addr->bytes + 12, 4);
    return v4;
}

static bool is_metadata(const struct net_addr *addr)
{
    struct net_addr known;

    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
        if (net_addr_parse(str_of(metadata[i]), &known) && net_addr_eq(&known, addr))
            return true;
    return false;
}

static bool is_any(const struct net_addr *addr)
{
    static const uint8_t zero[16];

    return memcmp(addr->bytes, zero, sizeof zero) == 0;
}

static bool is_of_machine(const struct guard_rules *rules, const struct net_addr *addr)
{
    static const struct range loopback = {{127}, 8};
    static const struct range v6_loopback = {{[15] = 1}, 128};

    return is_any(addr) || (addr->family == NET_V4 && is_in(&loopback, addr)) ||
           (addr->family == NET_V6 && is_in(&v6_loopback, addr)) ||
           (rules->is_of_machine && rules->is_of_machine(addr));
}

/* 0.0.0.0 leads to the machine itself, and so to whatever of it listens on that port. */
static bool is_ourselves(const struct guard_rules *rules, const struct net_addr *addr, int port)
{
    for (size_t i = 0; i < rules->n_own; i++) {
        const struct guard_own *own = &rules->own[i];
        if (own->port != port)
            continue;
        if (net_addr_eq(&own->addr, addr))
            return true;
        if ((is_any(&own->addr) || is_any(addr)) && is_of_machine(rules, addr))
            return true;
    }
    return false;
}

/* A block that is one address spells it out. */
static bool is_spelled_out(const struct guard_entry *entry)
{
    return entry->block.prefix == (entry->block.addr.family == NET_V4 ? 32 : 128);
}

static bool is_named(const struct guard_rules *rules, const struct net_addr *addr, bool in_full)
{
    for (size_t i = 0; i < rules->n_allowed; i++) {
        const struct guard_entry *entry = &rules->allowed[i];
        if (str_is_none(entry->host) && net_cidr_has(&entry->block, addr) &&
            (!in_full || is_spelled_out(entry)))
            return true;
    }
    return false;
}

static bool names_blocks(const struct guard_rules *rules)
{
    for (size_t i = 0; i < rules->n_allowed; i++)
        if (str_is_none(rules->allowed[i].host))
            return true;
    return false;
}

enum guard_verdict guard_judge_addr(const struct guard_rules *rules, const struct guard_url *url,
                                    const struct net_addr *addr)
{
    struct net_addr to = led_to(addr);
    bool in_block = is_named(rules, addr, false) || is_named(rules, &to, false);

    if (to.family == NET_NONE)
        return GUARD_ADDRESS;
    if (is_ourselves(rules, &to, url->port))
        return GUARD_OURSELVES;
    if (is_metadata(&to) && !is_named(rules, &to, true))
        return GUARD_METADATA;
    if (is_inside(&to) && !url->is_named && !in_block)
        return GUARD_ADDRESS;
    if (url->needs_naming && !url->is_named && !in_block)
        return url->is_plain ? GUARD_PLAIN : GUARD_PORT;
    return GUARD_FINE;
}

/* ---- names ---- */

static bool is_label(str label)
{
    if (label.n == 0 || label.n > LABEL_MAX_CHARS)
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

/* RFC 1123 section 2.1; and underscores, which names inside companies have. */
static bool is_host_name(str host)
{
    str rest = host;

    if (host.n == 0 || host.n > HOST_MAX_CHARS)
        return false;
    while (!str_is_none(rest))
        if (!is_label(str_cut(&rest, S("."))))
            return false;
    return true;
}

static str plain_host(struct arena *arena, str host)
{
    str copy = arena_dup(arena, host);

    for (size_t i = 0; i < copy.n; i++)
        if (copy.p[i] >= 'A' && copy.p[i] <= 'Z')
            ((char *)copy.p)[i] = (char)(copy.p[i] - 'A' + 'a');
    if (str_ends(copy, S(".")))
        copy.n--;
    return arena_dup(arena, copy);
}

/* A name whose last part is a number is a spelling of an address (WHATWG URL, "ends in a number").
 */
static bool ends_in_number(str host)
{
    size_t from = host.n;

    while (from > 0 && host.p[from - 1] != '.')
        from--;
    str last = str_sub(host, from, host.n);
    return last.n && last.p[0] >= '0' && last.p[0] <= '9' &&
           (strspn(last.p, "0123456789") == last.n || str_starts(last, S("0x")));
}

bool guard_entry_parse(struct arena *arena, str text, struct guard_entry *out)
{
    str host = plain_host(arena, text);

    *out = (struct guard_entry){.host = STR_NONE};
    if (net_cidr_parse(text, &out->block) == CIDR_OK)
        return true;
    if (!is_host_name(host) || ends_in_number(host))
        return false;
    out->host = host;
    return true;
}

static bool host_is_named(const struct guard_rules *rules, str host)
{
    for (size_t i = 0; i < rules->n_allowed; i++)
        if (!str_is_none(rules->allowed[i].host) && str_eq(rules->allowed[i].host, host))
            return true;
    return false;
}

/* ---- URLs ---- */

static str url_part(struct arena *arena, CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    str out = STR_NONE;

    if (curl_url_get(url, part, &text, flags) == CURLUE_OK)
        out = arena_dup(arena, str_of(text));
    curl_free(text);
    return out;
}

/* Bytes that a parser may skip or another may read otherwise: there is no fit URL with one. */
static bool has_odd_bytes(str url)
{
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>')
            return true;
    }
    return false;
}

/* libcurl takes one slash, and three. */
static bool has_authority(str url)
{
    str rest = url;

    str_cut(&rest, S("://"));
    return rest.n && rest.p[0] != '/';
}

static void read_host(struct arena *arena, CURLU *parsed, struct guard_url *out)
{
    str host = url_part(arena, parsed, CURLUPART_HOST, 0);

    if (host.n > 2 && host.p[0] == '[')
        host = str_sub(host, 1, host.n - 2);
    out->host = plain_host(arena, host);
    if (!net_addr_parse(out->host, &out->addr))
        out->addr = (struct net_addr){.family = NET_NONE};
}

static enum guard_verdict read_url(struct arena *arena, CURLU *parsed, str url,
                                   struct guard_url *out)
{
    uint64_t port = 0;

    if (has_odd_bytes(url) || !has_authority(url) ||
        curl_url_set(parsed, CURLUPART_URL, arena_dup(arena, url).p,
                     CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER) != CURLUE_OK)
        return GUARD_NO_URL;
    str scheme = url_part(arena, parsed, CURLUPART_SCHEME, 0);
    if (!str_ieq(scheme, S("https")) && !str_ieq(scheme, S("http")))
        return GUARD_SCHEME;
    out->is_plain = str_ieq(scheme, S("http"));
    read_host(arena, parsed, out);
    if (!str_parse_u64(url_part(arena, parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT), 65535, &port) ||
        port == 0)
        return GUARD_NO_URL;
    out->port = (int)port;
    out->text = url_part(arena, parsed, CURLUPART_URL, 0);
    bool is_literal = out->addr.family != NET_NONE;
    if (!is_literal && (!is_host_name(out->host) || ends_in_number(out->host)))
        return GUARD_NO_URL;
    out->needs_naming = out->is_plain || (out->port != HTTPS_PORT && out->port < FREE_PORTS_FROM);
    return GUARD_FINE;
}

/* CURLU_DISALLOW_USER says no more than that the URL is bad. */
static bool has_userinfo(str url)
{
    str rest = url;

    str_cut(&rest, S("://"));
    if (str_is_none(rest))
        return false;
    size_t n = 0;
    while (n < rest.n && !str_has_byte(S("/?#"), rest.p[n]))
        n++;
    return memchr(rest.p, '@', n) != NULL;
}

enum guard_verdict guard_judge_url(struct arena *arena, const struct guard_rules *rules, str url,
                                   struct guard_url *out)
{
    CURLU *parsed = curl_url();

    *out = (struct guard_url){.host = STR_NONE};
    enum guard_verdict verdict =
        has_userinfo(url) ? GUARD_USERINFO : read_url(arena, parsed, url, out);
    curl_url_cleanup(parsed);
    if (verdict != GUARD_FINE)
        return verdict;
    out->is_named = host_is_named(rules, out->host);
    if (out->addr.family != NET_NONE)
        return guard_judge_addr(rules, out, &out->addr);
    if (str_eq(out->host, S("localhost")) || str_ends(out->host, S(".localhost")))
        if (!out->is_named && !names_blocks(rules)) /* RFC 6761 section 6.3 */
            return GUARD_ADDRESS;
    if (out->needs_naming && !out->is_named && !names_blocks(rules))
        return out->is_plain ? GUARD_PLAIN : GUARD_PORT;
    return GUARD_FINE;
}

str guard_reason(enum guard_verdict verdict)
{
    switch (verdict) {
    case GUARD_FINE:
        return S("is fine");
    case GUARD_NO_URL:
        return S("must be an https:// URL with a host");
    case GUARD_SCHEME:
    case GUARD_PLAIN:
        return S("must be an https:// URL");
    case GUARD_USERINFO:
        return S("must not have a user or password in it");
    case GUARD_PORT:
        return S("must name port 443, or 1024 and above");
    case GUARD_ADDRESS:
        return S("must lead to public addresses only");
    case GUARD_METADATA:
        return S("must not lead to an address at which a cloud hands out credentials");
    case GUARD_OURSELVES:
        return S("must not lead back to this server");
    }
    return S("is not fit");
}
