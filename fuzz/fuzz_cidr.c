/*
 * net_cidr_parse: a block that is read is written and read again as the same; a corrected one is
 * right; its first address is in it; and the system's inet_pton agrees that there is an address.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct net_cidr *cidr)
{
    DROP(arena) struct arena *arena = arena_new();
    struct net_cidr back;

    assert(net_cidr_parse(net_cidr_write(arena, cidr), &back) == CIDR_OK);
    assert(net_addr_eq(&back.addr, &cidr->addr) && back.prefix == cidr->prefix);
    assert(net_cidr_has(cidr, &cidr->addr));
}

static void check_address(str text)
{
    char copy[64] = {0};
    uint8_t bytes[16];
    struct net_addr a;
    bool is_addr = net_addr_parse(text, &a);

    if (text.n >= sizeof copy || str_has_byte(text, '\0')) {
        assert(!is_addr);
        return;
    }
    if (text.n)
        memcpy(copy, text.p, text.n);
    assert(is_addr ==
           (inet_pton(AF_INET, copy, bytes) == 1 || inet_pton(AF_INET6, copy, bytes) == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    struct net_cidr cidr;
    enum cidr_fault fault = net_cidr_parse(text, &cidr);

    if (fault == CIDR_OK || fault == CIDR_HOST_BITS)
        check_round_trip(&cidr);
    str rest = text;
    check_address(str_cut(&rest, S("/")));
    return 0;
}
