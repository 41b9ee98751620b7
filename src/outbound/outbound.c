/* The guard in force, and libcurl under it. */
#include "outbound/outbound.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

enum { OWN_MAX = 16 };

/* Settings are swapped whole by a reload; listeners are added before any call is made. */
static const struct outbound_settings none;
static const struct outbound_settings *_Atomic settings = &none;
static struct guard_own own[OWN_MAX];
static size_t n_own;

void outbound_use(const struct outbound_settings *chosen)
{
    atomic_store(&settings, chosen);
}

static bool is_of_machine(const struct net_addr *addr);

static struct guard_rules rules_now(void)
{
    const struct outbound_settings *now = atomic_load(&settings);

    return (struct guard_rules){now->allowed, now->n_allowed, own, n_own, is_of_machine};
}

const char *outbound_ca_file(void)
{
    return atomic_load(&settings)->ca_file;
}

void outbound_own(str address)
{
    size_t at = address.n;
    uint64_t port = 0;
    struct guard_own listener;

    while (at > 0 && address.p[at - 1] != ':')
        at--;
    if (at == 0 || !str_parse_u64(str_sub(address, at, address.n), 65535, &port) || port == 0)
        return;
    str host = str_sub(address, 0, at - 1);
    if (host.n > 2 && host.p[0] == '[')
        host = str_sub(host, 1, host.n - 2);
    if (n_own == OWN_MAX || !net_addr_parse(host, &listener.addr))
        return;
    listener.port = (int)port;
    own[n_own++] = listener;
}

void outbound_stop(void)
{
    n_own = 0;
    atomic_store(&settings, &none);
}

bool guard_can_be_allowed(enum guard_verdict verdict)
{
    return verdict == GUARD_PLAIN || verdict == GUARD_PORT || verdict == GUARD_ADDRESS ||
           verdict == GUARD_METADATA;
}

enum guard_verdict outbound_judge(struct arena *arena, str url, struct guard_url *out)
{
    struct guard_rules rules = rules_now();

    return guard_judge_url(arena, &rules, url, out);
}

enum guard_verdict outbound_judge_addr(const struct guard_url *url, const struct net_addr *addr)
{
    struct guard_rules rules = rules_now();

    return guard_judge_addr(&rules, url, addr);
}

enum guard_verdict outbound_judge_all(const struct guard_url *url,
                                      const struct outbound_addrs *addrs)
{
    struct guard_rules rules = rules_now();
    enum guard_verdict verdict = GUARD_FINE;

    for (size_t i = 0; i < addrs->n && verdict == GUARD_FINE; i++)
        verdict = guard_judge_addr(&rules, url, &addrs->list[i]);
    return verdict;
}

/* ---- socket addresses ---- */

static bool addr_of(const struct sockaddr *from, struct net_addr *out)
{
    *out = (struct net_addr){.family = NET_NONE};
    if (from->sa_family == AF_INET) {
        out->family = NET_V4;
        memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        out->family = NET_V6;
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
        *out = net_addr_unmapped(out);
    }
    return out->family != NET_NONE;
}

/* The kernel knows best which addresses are its own: it lets nobody bind any other. */
static bool is_of_machine(const struct net_addr *addr)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool is_v4 = addr->family == NET_V4;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return true; /* not known: as good as ours */
    memcpy(&v4.sin_addr, addr->bytes, 4);
    memcpy(&v6.sin6_addr, addr->bytes, 16);
    int failed = is_v4 ? bind(fd, (const struct sockaddr *)(const void *)&v4, sizeof v4)
                       : bind(fd, (const struct sockaddr *)(const void *)&v6, sizeof v6);
    close(fd);
    return failed == 0;
}

/* ---- libcurl's hooks ---- */

/* The address that will really be connected to. */
static curl_socket_t open_socket(void *self, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct outbound_call *call = self;

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    call->verdict = addr_of(&to->addr, &call->peer) ? outbound_judge_addr(call->url, &call->peer)
                                                    : GUARD_ADDRESS;
    if (call->verdict != GUARD_FINE)
        return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* A connection that is used again was opened when other rules may have been in force. */
static int before_request(void *self, char *peer, char *local, int peer_port, int local_port)
{
    struct outbound_call *call = self;

    (void)local;
    (void)peer_port;
    (void)local_port;
    call->verdict = net_addr_parse(str_of(peer), &call->peer)
                        ? outbound_judge_addr(call->url, &call->peer)
                        : GUARD_ADDRESS;
    return call->verdict == GUARD_FINE ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

void outbound_prepare(CURL *curl, struct outbound_call *call)
{
    const char *ca_file = outbound_ca_file();

    curl_easy_setopt(curl, CURLOPT_URL, call->url->text.p);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, call->url->is_plain ? "http" : "https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, NULL);
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sallyport/" SALLYPORT_VERSION);
    /* One file and no folder: libcurl then keeps the authorities, which cost 27 ms to read. */
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    if (ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, call);
}

/* ---- pinning ---- */

str outbound_pin(struct arena *arena, const struct guard_url *url,
                 const struct outbound_addrs *addrs)
{
    str pin = arena_printf(arena, "%.*s:%d:", STR_ARG(url->host), url->port);

    for (size_t i = 0; i < addrs->n; i++) {
        bool is_v6 = addrs->list[i].family == NET_V6;
        str addr = net_addr_write(arena, &addrs->list[i]);
        pin = arena_printf(arena, "%.*s%s%s%.*s%s", STR_ARG(pin), i ? "," : "", is_v6 ? "[" : "",
                           STR_ARG(addr), is_v6 ? "]" : "");
    }
    return pin;
}

/* Every answer is judged, however many there are. */
static enum guard_verdict take_answers(const struct guard_url *url, const struct addrinfo *answers,
                                       struct outbound_addrs *out)
{
    *out = (struct outbound_addrs){.n = 0};
    for (const struct addrinfo *a = answers; a; a = a->ai_next) {
        struct net_addr addr;
        if (!addr_of(a->ai_addr, &addr))
            return GUARD_ADDRESS;
        enum guard_verdict verdict = outbound_judge_addr(url, &addr);
        if (verdict != GUARD_FINE)
            return verdict;
        if (out->n < OUTBOUND_ADDRS_MAX)
            out->list[out->n++] = addr;
    }
    return GUARD_FINE;
}

static bool find_now(struct arena *arena, const struct guard_url *url, struct outbound_addrs *out,
                     enum guard_verdict *verdict, str *why)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *answers = NULL;
    int failed = getaddrinfo(url->host.p, NULL, &hints, &answers);

    if (failed) {
        *why = arena_printf(arena, "its host has no address: %s", gai_strerror(failed));
        return false;
    }
    *verdict = take_answers(url, answers, out);
    freeaddrinfo(answers);
    return true;
}

static str refused(struct arena *arena, enum guard_verdict verdict)
{
    return arena_printf(arena, "it %.*s%s", STR_ARG(guard_reason(verdict)),
                        guard_can_be_allowed(verdict) ? ", or be named in outbound_allow" : "");
}

bool outbound_prepare_now(struct arena *arena, CURL *curl, str url, bool is_operators,
                          struct outbound_call *call, struct curl_slist **pin, str *why)
{
    struct guard_url *judged = ARENA_NEW(arena, struct guard_url);
    struct outbound_addrs addrs;

    *pin = NULL;
    enum guard_verdict verdict = outbound_judge(arena, url, judged);
    if (is_operators && guard_can_be_allowed(verdict) && judged->host.n) {
        judged->is_named = true;
        verdict = judged->addr.family == NET_NONE ? GUARD_FINE
                                                  : outbound_judge_addr(judged, &judged->addr);
    } else if (is_operators) {
        judged->is_named = true;
    }
    if (verdict == GUARD_FINE && judged->addr.family == NET_NONE) {
        if (!find_now(arena, judged, &addrs, &verdict, why))
            return false;
        if (verdict == GUARD_FINE)
            *pin = curl_slist_append(NULL, outbound_pin(arena, judged, &addrs).p);
    }
    if (verdict != GUARD_FINE) {
        *why = refused(arena, verdict);
        return false;
    }
    *call = (struct outbound_call){.url = judged};
    outbound_prepare(curl, call);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, *pin);
    return true;
}
