/* Addresses and blocks: read strictly, write by RFC 5952, match, and find the client. */
#include "base/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

enum { V4_BITS = 32, V6_BITS = 128, V6_GROUPS = 8, V4_MAPPED_BITS = 96, V6_TEXT_MAX = 45 };

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

static unsigned bits_of(const struct net_addr *a)
{
    return a->family == NET_V4 ? V4_BITS : V6_BITS;
}

/* As written: an IPv4-mapped address stays IPv6. */
static bool parse_raw(str text, struct net_addr *out)
{
    struct net_addr a = {0};
    char copy[V6_TEXT_MAX + 1] = {0};

    if (text.n == 0 || text.n > V6_TEXT_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (hex_value(text.p[i]) < 0 && text.p[i] != ':' && text.p[i] != '.')
            return false;
        copy[i] = text.p[i];
    }
    a.family = str_has_byte(text, ':') ? NET_V6 : NET_V4;
    /* inet_pton takes no leading zeros in IPv4 and no more than four digits in a group. */
    if (inet_pton(a.family == NET_V6 ? AF_INET6 : AF_INET, copy, a.bytes) != 1)
        return false;
    *out = a;
    return true;
}

static bool is_v4_mapped(const struct net_addr *a)
{
    return a->family == NET_V6 && memcmp(a->bytes, v4_mapped, sizeof v4_mapped) == 0;
}

struct net_addr net_addr_unmapped(const struct net_addr *addr)
{
    struct net_addr v4 = {.family = NET_V4};

    if (!is_v4_mapped(addr))
        return *addr;
    memcpy(v4.bytes, addr->bytes + sizeof v4_mapped, 4);
    return v4;
}

bool net_addr_parse(str text, struct net_addr *out)
{
    struct net_addr a;

    if (!parse_raw(text, &a))
        return false;
    *out = net_addr_unmapped(&a);
    return true;
}

bool net_addr_eq(const struct net_addr *a, const struct net_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct zero_run {
    size_t from, n;
};

/* RFC 5952 section 4.2: the longest run of zero groups, the first of equals, never a single one. */
static struct zero_run longest_zero_run(const unsigned group[V6_GROUPS])
{
    struct zero_run best = {0}, run = {0};

    for (size_t i = 0; i < V6_GROUPS; i++) {
        run = group[i] ? (struct zero_run){0} : (struct zero_run){i - run.n, run.n + 1};
        if (run.n > best.n)
            best = run;
    }
    return best.n > 1 ? best : (struct zero_run){V6_GROUPS, 0};
}

static size_t write_v6(const uint8_t bytes[16], char out[NET_TEXT_BYTES])
{
    unsigned group[V6_GROUPS];
    size_t n = 0;

    for (size_t i = 0; i < V6_GROUPS; i++)
        group[i] = (unsigned)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    struct zero_run gap = longest_zero_run(group);
    for (size_t i = 0; i < V6_GROUPS; i++) {
        if (i == gap.from) {
            n += (size_t)snprintf(out + n, NET_TEXT_BYTES - n, "::");
            i += gap.n - 1;
            continue;
        }
        bool needs_colon = i > 0 && i != gap.from + gap.n;
        n += (size_t)snprintf(out + n, NET_TEXT_BYTES - n, needs_colon ? ":%x" : "%x", group[i]);
    }
    return n;
}

size_t net_addr_text(const struct net_addr *a, char out[NET_TEXT_BYTES])
{
    if (a->family == NET_V6)
        return write_v6(a->bytes, out);
    if (a->family == NET_V4)
        return (size_t)snprintf(out, NET_TEXT_BYTES, "%u.%u.%u.%u", a->bytes[0], a->bytes[1],
                                a->bytes[2], a->bytes[3]);
    return (size_t)snprintf(out, NET_TEXT_BYTES, "unknown");
}

str net_addr_write(struct arena *arena, const struct net_addr *addr)
{
    char text[NET_TEXT_BYTES];

    return arena_dup(arena, (str){text, net_addr_text(addr, text)});
}

struct net_addr net_addr_masked(const struct net_addr *addr, unsigned prefix)
{
    struct net_addr a = *addr;

    for (unsigned i = 0; i < sizeof a.bytes; i++) {
        unsigned kept = prefix > 8 * i ? prefix - 8 * i : 0;
        if (kept < 8)
            a.bytes[i] &= (uint8_t)(0xff00 >> kept);
    }
    return a;
}

static bool parse_prefix(str text, unsigned max, unsigned *out)
{
    uint64_t value;

    if ((text.n > 1 && text.p[0] == '0') || !str_parse_u64(text, max, &value))
        return false;
    *out = (unsigned)value;
    return true;
}

enum cidr_fault net_cidr_parse(str text, struct net_cidr *out)
{
    struct net_addr addr;
    str rest = text;
    str addr_text = str_cut(&rest, S("/"));

    if (!parse_raw(addr_text, &addr))
        return CIDR_BAD_ADDRESS;
    unsigned prefix = bits_of(&addr);
    if (!str_is_none(rest) && !parse_prefix(rest, bits_of(&addr), &prefix))
        return CIDR_BAD_PREFIX;
    if (is_v4_mapped(&addr) && prefix >= V4_MAPPED_BITS) {
        addr = net_addr_unmapped(&addr);
        prefix -= V4_MAPPED_BITS;
    }
    out->addr = net_addr_masked(&addr, prefix);
    out->prefix = (uint8_t)prefix;
    return net_addr_eq(&out->addr, &addr) ? CIDR_OK : CIDR_HOST_BITS;
}

str net_cidr_write(struct arena *arena, const struct net_cidr *cidr)
{
    char text[NET_TEXT_BYTES];

    net_addr_text(&cidr->addr, text);
    return arena_printf(arena, "%s/%u", text, cidr->prefix);
}

bool net_cidr_has(const struct net_cidr *cidr, const struct net_addr *addr)
{
    size_t whole = cidr->prefix / 8;
    unsigned rest = cidr->prefix % 8;

    if (addr->family == NET_NONE || addr->family != cidr->addr.family)
        return false;
    if (memcmp(addr->bytes, cidr->addr.bytes, whole) != 0)
        return false;
    return rest == 0 || ((addr->bytes[whole] ^ cidr->addr.bytes[whole]) >> (8 - rest)) == 0;
}

bool net_cidrs_have(const struct net_cidr *cidrs, size_t n, const struct net_addr *addr)
{
    for (size_t i = 0; i < n; i++)
        if (net_cidr_has(&cidrs[i], addr))
            return true;
    return false;
}

/* ---- the client behind proxies ---- */

static bool is_port(str text)
{
    uint64_t port;

    /* RFC 7239 section 6: a port may be obfuscated, "_" and then letters and digits. */
    if (text.n > 1 && text.p[0] == '_')
        return true;
    return text.n <= 5 && str_parse_u64(text, UINT16_MAX, &port);
}

/* An address, or address:port, or [IPv6], or [IPv6]:port. */
static bool parse_node(str text, struct net_addr *out)
{
    str rest = text;

    if (str_starts(text, S("["))) {
        rest = str_sub(text, 1, text.n);
        str inside = str_cut(&rest, S("]"));
        if (str_is_none(rest) || !str_has_byte(inside, ':'))
            return false;
        if (rest.n && (rest.p[0] != ':' || !is_port(str_sub(rest, 1, rest.n))))
            return false;
        return net_addr_parse(inside, out);
    }
    if (net_addr_parse(text, out))
        return true;
    str host = str_cut(&rest, S(":"));
    return !str_is_none(rest) && is_port(rest) && net_addr_parse(host, out);
}

struct chain {
    const struct net_cidr *trusted;
    size_t n_trusted;
    size_t n_seen;
    struct net_addr client;
};

/*
 * Entries come left to right, so the last that is not trusted stands; if all are trusted, the
 * first. STR_NONE, and whatever is no address, is an entry that nobody can vouch for.
 */
static void chain_add(struct chain *c, str node)
{
    struct net_addr a = {0};
    bool is_addr = parse_node(node, &a);

    if (!is_addr)
        c->client = (struct net_addr){0};
    else if (c->n_seen == 0 || !net_cidrs_have(c->trusted, c->n_trusted, &a))
        c->client = a;
    c->n_seen++;
}

static void read_x_forwarded_for(struct chain *c, str text)
{
    while (!str_is_none(text)) {
        str node = str_trim(str_cut(&text, S(",")));
        if (node.n) /* RFC 9110 section 5.6.1.2: empty list elements are ignored */
            chain_add(c, node);
    }
}

/* A quoted string at the front of *rest: its inside; STR_NONE if its end is missing. */
static str take_quoted(str *rest)
{
    for (size_t i = 1; i < rest->n; i++) {
        if (rest->p[i] == '\\') {
            i++;
        } else if (rest->p[i] == '"') {
            str inside = str_sub(*rest, 1, i - 1);
            *rest = str_sub(*rest, i + 1, rest->n);
            return inside;
        }
    }
    return STR_NONE;
}

/* Up to a separator. An unquoted "192.0.2.1:80" is no token, but can be read in one way only. */
static str take_plain(str *rest)
{
    size_t n = 0;

    while (n < rest->n && !str_has_byte(S(",;=\" \t"), rest->p[n]))
        n++;
    str plain = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return plain;
}

/* One name=value of RFC 7239 section 4; false if it is none. */
static bool take_pair(str *rest, str *name, str *value)
{
    *name = take_plain(rest);
    if (name->n == 0 || !str_starts(*rest, S("=")))
        return false;
    *rest = str_sub(*rest, 1, rest->n);
    *value = str_starts(*rest, S("\"")) ? take_quoted(rest) : take_plain(rest);
    return value->n > 0;
}

/* One forwarded-element, up to a comma or the end; *node is its "for", STR_NONE without one. */
static bool take_element(str *rest, str *node)
{
    str name, value;

    *node = STR_NONE;
    for (;;) {
        *rest = str_trim(*rest);
        if (rest->n == 0 || rest->p[0] == ',')
            return true;
        if (rest->p[0] == ';') {
            *rest = str_sub(*rest, 1, rest->n);
            continue;
        }
        if (!take_pair(rest, &name, &value))
            return false;
        *rest = str_trim(*rest);
        if (rest->n && rest->p[0] != ',' && rest->p[0] != ';')
            return false;
        if (str_ieq(name, S("for"))) {
            if (!str_is_none(*node)) /* RFC 7239 section 4: once per element */
                return false;
            *node = value;
        }
    }
}

/* A text that breaks the grammar could hide an entry, so none of it counts. */
static void read_forwarded(struct chain *c, str text)
{
    str node;

    text = str_trim(text);
    while (text.n) {
        str element = text;
        if (!take_element(&text, &node)) {
            chain_add(c, STR_NONE);
            return;
        }
        if (text.p != element.p) /* not an empty list element */
            chain_add(c, node);
        text = str_trim(str_sub(text, 1, text.n));
    }
}

struct net_addr net_client_addr(const struct net_addr *peer, const struct net_cidr *trusted,
                                size_t n_trusted, str forwarded, str x_forwarded_for)
{
    struct chain by_forwarded = {trusted, n_trusted, 0, {0}};
    struct chain by_x = by_forwarded;

    if (!net_cidrs_have(trusted, n_trusted, peer))
        return *peer;
    read_forwarded(&by_forwarded, forwarded);
    read_x_forwarded_for(&by_x, x_forwarded_for);
    if (by_forwarded.n_seen == 0)
        return by_x.n_seen ? by_x.client : *peer;
    /* A proxy that writes one of the two fields lets the client's own text of the other pass. */
    if (by_x.n_seen && !net_addr_eq(&by_forwarded.client, &by_x.client))
        return (struct net_addr){0};
    return by_forwarded.client;
}

struct net_addr net_forwarded_addr(const struct net_cidr *trusted, size_t n_trusted,
                                   str x_forwarded_for)
{
    struct chain chain = {trusted, n_trusted, 0, {0}};

    read_x_forwarded_for(&chain, x_forwarded_for);
    return chain.client;
}
