/*
 * Calls that leave the server: every one of them, whoever wants it, is made with these options and
 * under the address guard (guard.h).
 *
 * The addresses of a host are judged together, one bad answer spoiling all; then the socket's own
 * address when it is opened, and again on a connection that is used once more. So an answer of the
 * resolver that changes between the check and the use changes nothing. Proxies of the environment
 * are not used, redirects not followed.
 */
#ifndef SALLYPORT_OUTBOUND_OUTBOUND_H
#define SALLYPORT_OUTBOUND_OUTBOUND_H

#include <curl/curl.h>

#include "outbound/guard.h"

struct outbound_settings {
    const struct guard_entry *allowed;
    size_t n_allowed;
    const char *ca_file; /* instead of the system's authorities; NULL: those */
};

/* At start, and again while threads run; the settings outlive the process. */
void outbound_use(const struct outbound_settings *settings);

/* A listener of our own, "127.0.0.1:8080" or "[::]:8080". Before threads make calls. */
void outbound_own(str address);

/* Forget the listeners, once the threads have ended. */
void outbound_stop(void);

enum guard_verdict outbound_judge(struct arena *arena, str url, struct guard_url *out);
enum guard_verdict outbound_judge_addr(const struct guard_url *url, const struct net_addr *addr);

/* The authorities in force; NULL: the system's. */
const char *outbound_ca_file(void);

enum { OUTBOUND_ADDRS_MAX = 16 };

struct outbound_addrs {
    struct net_addr list[OUTBOUND_ADDRS_MAX];
    size_t n;
};

/* The first verdict that is not fine, of all answers; more than OUTBOUND_ADDRS_MAX are judged by
 * whoever gathers them. */
enum guard_verdict outbound_judge_all(const struct guard_url *url,
                                      const struct outbound_addrs *addrs);

/* "host:443:192.0.2.1,[2001:db8::1]": for CURLOPT_RESOLVE. */
str outbound_pin(struct arena *arena, const struct guard_url *url,
                 const struct outbound_addrs *addrs);

/* What the hooks of one transfer need and tell; outlives the transfer. */
struct outbound_call {
    const struct guard_url *url;
    enum guard_verdict verdict; /* not GUARD_FINE: why there was no connection */
    struct net_addr peer;       /* the last address that was tried */
};

/* Set the options that all calls have. Whoever calls sets what is theirs: method, body, times. */
void outbound_prepare(CURL *curl, struct outbound_call *call);

/*
 * The same, with the addresses found and judged here and now: blocks for as long as the system's
 * resolver does.
 *
 * is_operators  the URL is from the settings: its host counts as named in outbound_allow
 * pin           to be freed with curl_slist_free_all after the transfer
 *
 * False: *why is a sentence without its subject, in the arena
 */
bool outbound_prepare_now(struct arena *arena, CURL *curl, str url, bool is_operators,
                          struct outbound_call *call, struct curl_slist **pin, str *why);

/* Could the operator let it through? What else may be said to them. */
bool guard_can_be_allowed(enum guard_verdict verdict);

#endif
