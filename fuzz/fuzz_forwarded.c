/*
 * net_client_addr: whatever a client writes, the entry that a trusted proxy appends is the answer,
 * or nobody is. From a peer that is not trusted the text does not matter at all.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct net_addr addr(const char *text)
{
    struct net_addr a = {0};

    assert(net_addr_parse(str_of(text), &a));
    return a;
}

/* The client's text, then what the proxy adds; the caller frees it. */
static str appended(const uint8_t *data, size_t size, const char *entry)
{
    size_t n = strlen(entry);
    char *text = malloc(size + n);

    assert(text);
    if (size)
        memcpy(text, data, size);
    memcpy(text + size, entry, n);
    return (str){text, size + n};
}

static void check(str forwarded, str x_forwarded_for, bool may_be_unknown)
{
    struct net_addr proxy = addr("10.0.0.1"), stranger = addr("192.0.2.1");
    struct net_addr client = addr("2001:db8::7");
    struct net_cidr trusted = {.prefix = 8};

    trusted.addr = net_addr_masked(&proxy, 8);
    struct net_addr got = net_client_addr(&proxy, &trusted, 1, forwarded, x_forwarded_for);
    assert((may_be_unknown && got.family == NET_NONE) || net_addr_eq(&got, &client));
    got = net_client_addr(&stranger, &trusted, 1, forwarded, x_forwarded_for);
    assert(net_addr_eq(&got, &stranger));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str forwarded = appended(data, size, ", for=\"[2001:db8::7]:443\";proto=https, for=10.2.3.4");
    str x_forwarded_for = appended(data, size, ", 2001:db8::7, 10.2.3.4");
    str forged = {(const char *)data, size};

    check(forwarded, STR_NONE, true);
    check(STR_NONE, x_forwarded_for, false);
    check(forged, x_forwarded_for, true);
    check(forwarded, forged, true);
    free((void *)(uintptr_t)forwarded.p);
    free((void *)(uintptr_t)x_forwarded_for.p);
    return 0;
}
