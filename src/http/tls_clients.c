/* Certificates of clients: by whose authorities each is good, and what a ticket keeps of that. */
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/banned.h"
#include "http/tls.h"

enum { TRUSTED_AS_CLIENT = 1, TRUSTED_AS_GATEWAY = 2 };

static int trust_index;   /* of an SSL: what a full handshake has found */
static int gateway_index; /* of an SSL_CTX: the authorities of gateways */
static pthread_once_t trust_once = PTHREAD_ONCE_INIT;

static void gateways_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
                          void *argp)
{
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    X509_STORE_free(ptr);
}

static void register_trust(void)
{
    trust_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    gateway_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, gateways_free);
}

/* What is in a ticket was checked by the handshake that made it, under the same authorities. */
static unsigned trust_of(const SSL *ssl)
{
    void *kept = NULL;
    size_t n = 0;

    if (!SSL_session_reused(ssl))
        return (unsigned)(uintptr_t)SSL_get_ex_data(ssl, trust_index);
    if (SSL_SESSION_get0_ticket_appdata(SSL_get0_session(ssl), &kept, &n) != 1 || n != 1)
        return 0;
    return *(const unsigned char *)kept;
}

bool http_tls_is_client(const SSL *ssl)
{
    return trust_of(ssl) & TRUSTED_AS_CLIENT;
}

bool http_tls_is_gateway(const SSL *ssl)
{
    return trust_of(ssl) & TRUSTED_AS_GATEWAY;
}

static int on_ticket_made(SSL *ssl, void *arg)
{
    unsigned char trust = (unsigned char)trust_of(ssl);

    (void)arg;
    return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), &trust, sizeof trust);
}

static SSL_TICKET_RETURN on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                        size_t n, SSL_TICKET_STATUS status, void *arg)
{
    (void)ssl, (void)session, (void)name, (void)n, (void)arg;
    switch (status) {
    case SSL_TICKET_SUCCESS:
        return SSL_TICKET_RETURN_USE;
    case SSL_TICKET_SUCCESS_RENEW:
        return SSL_TICKET_RETURN_USE_RENEW;
    default:
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}

/* X509_V_OK, or why it is no gateway's. */
static int judge_gateway(X509_STORE *gateways, X509_STORE_CTX *shown)
{
    X509_STORE_CTX *chain = X509_STORE_CTX_new();
    int fault = X509_V_ERR_OUT_OF_MEM;

    if (chain && X509_STORE_CTX_init(chain, gateways, X509_STORE_CTX_get0_cert(shown),
                                     X509_STORE_CTX_get0_untrusted(shown)) == 1) {
        X509_STORE_CTX_set_default(chain, "ssl_client");
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(chain), HTTP_TLS_SECURITY_LEVEL);
        X509_verify_cert(chain);
        fault = X509_STORE_CTX_get_error(chain);
    }
    X509_STORE_CTX_free(chain);
    return fault;
}

/* SSL_CTX_set_cert_verify_callback(3). Each kind by its own authorities; one of them must do. */
static int on_client_chain(X509_STORE_CTX *shown, void *arg)
{
    const struct http_tls_options *options = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(shown, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509_STORE *gateways = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), gateway_index);
    uintptr_t trust = 0;

    if (options->client_ca && X509_verify_cert(shown) == 1)
        trust |= TRUSTED_AS_CLIENT;
    int fault = gateways ? judge_gateway(gateways, shown) : X509_V_ERR_CERT_UNTRUSTED;
    if (fault == X509_V_OK)
        trust |= TRUSTED_AS_GATEWAY;
    if (trust || !options->client_ca)
        X509_STORE_CTX_set_error(shown, trust ? X509_V_OK : fault);
    SSL_set_ex_data(ssl, trust_index, (void *)trust);
    return trust != 0;
}

void http_tls_judge_clients(SSL_CTX *ctx, const struct http_tls_options *options,
                            X509_STORE *gateways)
{
    pthread_once(&trust_once, register_trust);
    SSL_CTX_set_ex_data(ctx, gateway_index, gateways);
    SSL_CTX_set_cert_verify_callback(ctx, on_client_chain, (void *)options);
    SSL_CTX_set_session_ticket_cb(ctx, on_ticket_made, on_ticket_read, NULL);
}
