/* Tickets, with which a client resumes a session: the keys that seal them. */
#include <openssl/core_names.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "http/tls.h"

struct ticket_key {
    unsigned char name[16];
    unsigned char cipher[32];
    unsigned char mac[32];
};

/* One SSL_CTX's own, and freed with it: what was granted under another certificate, or checked
 * against another list of authorities, ends with a reload. */
struct tickets {
    pthread_mutex_t lock; /* guards all of it */
    struct ticket_key now, before;
    int64_t made_ms; /* monotonic */
};

static int tickets_index;
static pthread_once_t tickets_once = PTHREAD_ONCE_INIT;

static void tickets_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
                         void *argp)
{
    struct tickets *tickets = ptr;

    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    if (!tickets)
        return;
    pthread_mutex_destroy(&tickets->lock);
    mem_wipe(tickets, sizeof *tickets);
    free(tickets);
}

static void register_tickets(void)
{
    tickets_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, tickets_free);
}

static void rotate_locked(struct tickets *tickets)
{
    int64_t now_ms = time_mono_ms();

    if (now_ms - tickets->made_ms < HTTP_TLS_TICKET_HOURS * HOUR_MS)
        return;
    tickets->before = tickets->now;
    random_bytes(&tickets->now, sizeof tickets->now);
    tickets->made_ms = now_ms;
}

/* The key to seal a new ticket with, or that of this name. False: its ticket is too old, or of
 * somebody else. */
static bool find_ticket_key(struct tickets *tickets, const unsigned char *name,
                            struct ticket_key *out, bool *is_old)
{
    bool is_found = true;

    pthread_mutex_lock(&tickets->lock);
    rotate_locked(tickets);
    *is_old = name && memcmp(name, tickets->before.name, sizeof out->name) == 0;
    if (*is_old)
        *out = tickets->before;
    else if (!name || memcmp(name, tickets->now.name, sizeof out->name) == 0)
        *out = tickets->now;
    else
        is_found = false;
    pthread_mutex_unlock(&tickets->lock);
    return is_found;
}

static bool use_ticket_key(struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                           EVP_MAC_CTX *mac, int is_new)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, is_new) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 no ticket, 1 used, 2 used and to be replaced. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_new)
{
    struct tickets *tickets = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tickets_index);
    struct ticket_key key;
    bool is_old;

    if (!find_ticket_key(tickets, is_new ? NULL : name, &key, &is_old))
        return 0;
    if (is_new) {
        memcpy(name, key.name, sizeof key.name);
        random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    }
    bool is_good = use_ticket_key(&key, iv, cipher, mac, is_new);
    mem_wipe(&key, sizeof key);
    if (!is_good)
        return -1;
    return is_old ? 2 : 1;
}

bool http_tls_add_tickets(SSL_CTX *ctx)
{
    struct tickets *tickets = mem_new(sizeof *tickets);

    pthread_once(&tickets_once, register_tickets);
    pthread_mutex_init(&tickets->lock, NULL);
    tickets->made_ms = time_mono_ms();
    random_bytes(&tickets->now, sizeof tickets->now);
    random_bytes(&tickets->before, sizeof tickets->before);
    if (SSL_CTX_set_ex_data(ctx, tickets_index, tickets) != 1) {
        tickets_free(NULL, tickets, NULL, 0, 0, NULL);
        return false;
    }
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}
