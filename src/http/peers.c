/* Connections counted by client address; an address without any takes no memory. */
#include "http/peers.h"

#include <assert.h>
#include <pthread.h>

#include "base/banned.h"
#include "base/hash.h"

enum { V6_PREFIX = 64 };

struct peer {
    UT_hash_handle hh; /* by addr */
    struct net_addr addr;
    int n_conns;
};

struct http_peers {
    pthread_mutex_t lock;
    struct peer *table; /* guarded by lock */
};

struct http_peers *http_peers_new(void)
{
    struct http_peers *peers = mem_new(sizeof *peers);

    pthread_mutex_init(&peers->lock, NULL);
    return peers;
}

static void remove_locked(struct http_peers *peers, struct peer *peer)
{
    HASH_DEL(peers->table, peer);
    free(peer);
}

void http_peers_drop(struct http_peers **peers)
{
    if (!*peers)
        return;
    while ((*peers)->table)
        remove_locked(*peers, (*peers)->table);
    pthread_mutex_destroy(&(*peers)->lock);
    free(*peers);
    *peers = NULL;
}

static struct net_addr counted_as(const struct net_addr *addr)
{
    return addr->family == NET_V6 ? net_addr_masked(addr, V6_PREFIX) : *addr;
}

static struct peer *find_locked(const struct http_peers *peers, const struct net_addr *addr)
{
    struct peer *peer;

    HASH_FIND(hh, peers->table, addr, sizeof *addr, peer);
    return peer;
}

int http_peers_add(struct http_peers *peers, const struct net_addr *addr)
{
    struct net_addr key = counted_as(addr);

    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find_locked(peers, &key);
    if (!peer) {
        peer = mem_new(sizeof *peer);
        peer->addr = key;
        HASH_ADD(hh, peers->table, addr, sizeof peer->addr, peer);
    }
    int n_conns = ++peer->n_conns;
    pthread_mutex_unlock(&peers->lock);
    return n_conns;
}

void http_peers_remove(struct http_peers *peers, const struct net_addr *addr)
{
    struct net_addr key = counted_as(addr);

    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find_locked(peers, &key);
    assert(peer);
    if (--peer->n_conns == 0)
        remove_locked(peers, peer);
    pthread_mutex_unlock(&peers->lock);
}
