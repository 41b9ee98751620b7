/* What all TLS connections share: certificate, key, settings, and the keys of the tickets. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "http/tls.h"

enum {
    /* A ticket is good for as long, so that the key before the present one is all that is kept. */
    TICKET_HOURS = 8,
    /* OpenSSL's own limit for what a client may send as its chain is 100 KiB. */
    CLIENT_CHAIN_MAX_BYTES = 32 * 1024,
    /* RSA of 2048 bits, curves of 224: NIST SP 800-57 part 1, 112 bits of security. */
    SECURITY_LEVEL = 2,
};

/* RFC 9325 section 4.2: forward secrecy and AEAD. Those of TLS 1.3 are all such. */
static const char ciphers_of_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                     "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                     "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

struct http_tls_context {
    struct http_tls_options options;
    pthread_mutex_t lock; /* guards the next one */
    SSL_CTX *now;
};

/* ---- tickets ---- */

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

    if (now_ms - tickets->made_ms < TICKET_HOURS * HOUR_MS)
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

static bool add_tickets(SSL_CTX *ctx)
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

/* ---- ALPN ---- */

/* RFC 7301 section 3.2: whoever speaks only something else is told so, and not misunderstood. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *offered, unsigned offered_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, offered, offered_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- files ---- */

static str openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason ? str_of(reason) : S("no reason is known");
}

static enum err file_is_wrong(struct arena *arena, struct http_tls_files *files,
                              enum http_tls_fault fault, const char *setting, const char *path,
                              str what)
{
    files->fault = fault;
    files->path = str_of(path);
    files->why = arena_printf(arena, "%s = \"%s\" %.*s", setting, path, STR_ARG(what));
    return E_INTERNAL_ERROR;
}

static enum err check_readable(struct arena *arena, struct http_tls_files *files,
                               const char *setting, const char *path, struct stat *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return file_is_wrong(arena, files, errno == EACCES ? HTTP_TLS_CLOSED : HTTP_TLS_NO_FILE,
                             setting, path,
                             arena_printf(arena, "cannot be read: %s", strerror(errno)));
    bool is_file = fstat(fd, status) == 0 && S_ISREG(status->st_mode);
    close(fd);
    return is_file
               ? E_OK
               : file_is_wrong(arena, files, HTTP_TLS_NO_FILE, setting, path, S("is not a file"));
}

static enum err load_cert(struct arena *arena, SSL_CTX *ctx, const char *path,
                          struct http_tls_files *files)
{
    struct stat status;

    TRY(check_readable(arena, files, "tls_cert", path, &status));
    if (SSL_CTX_use_certificate_chain_file(ctx, path) == 1)
        return E_OK;
    str what = arena_printf(arena, "holds no certificate in PEM that can be used (%.*s)",
                            STR_ARG(openssl_reason()));
    return file_is_wrong(arena, files, HTTP_TLS_NO_PEM, "tls_cert", path, what);
}

/* OpenSSL would ask for it on the terminal. */
static int no_passphrase(char *buf, int size, int is_writing, void *arg)
{
    (void)buf, (void)size, (void)is_writing, (void)arg;
    return -1;
}

static EVP_PKEY *read_key(const char *path)
{
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *key = file ? PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL) : NULL;

    BIO_free(file);
    return key;
}

static enum err use_key(struct arena *arena, SSL_CTX *ctx, const char *path, EVP_PKEY *key,
                        struct http_tls_files *files)
{
    if (!key)
        return file_is_wrong(arena, files, HTTP_TLS_NO_PEM, "tls_key", path,
                             S("holds no private key in PEM, or one with a passphrase"));
    if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1)
        return file_is_wrong(arena, files, HTTP_TLS_KEY_OF_ANOTHER, "tls_key", path,
                             S("is not the key of the certificate in tls_cert"));
    if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
        return file_is_wrong(
            arena, files, HTTP_TLS_NO_PEM, "tls_key", path,
            arena_printf(arena, "cannot be used (%.*s)", STR_ARG(openssl_reason())));
    return E_OK;
}

static enum err load_key(struct arena *arena, SSL_CTX *ctx, const char *path,
                         struct http_tls_files *files)
{
    struct stat status;

    TRY(check_readable(arena, files, "tls_key", path, &status));
    EVP_PKEY *key = read_key(path);
    enum err e = use_key(arena, ctx, path, key, files);
    files->key_is_open = key && status.st_mode & S_IROTH;
    EVP_PKEY_free(key);
    return e;
}

/* ---- who clients may be ---- */

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
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(chain), SECURITY_LEVEL);
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

static enum err load_authorities(struct arena *arena, SSL_CTX *ctx, const char *setting,
                                 const char *path, X509_STORE *store, STACK_OF(X509_NAME) * names,
                                 struct http_tls_files *files)
{
    struct stat status;

    if (!path)
        return E_OK;
    TRY(check_readable(arena, files, setting, path, &status));
    if (!store || SSL_add_file_cert_subjects_to_stack(names, path) != 1 ||
        X509_STORE_load_file(store, path) != 1)
        return file_is_wrong(arena, files, HTTP_TLS_NO_PEM, setting, path,
                             S("holds no certificate in PEM"));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return E_OK;
}

static enum err load_client_cas(struct arena *arena, SSL_CTX *ctx,
                                const struct http_tls_options *options,
                                struct http_tls_files *files)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    X509_STORE *gateways = options->gate_ca ? X509_STORE_new() : NULL;

    pthread_once(&trust_once, register_trust);
    SSL_CTX_set_ex_data(ctx, gateway_index, gateways); /* which frees it */
    SSL_CTX_set_client_CA_list(ctx, names);            /* likewise */
    SSL_CTX_set_cert_verify_callback(ctx, on_client_chain, (void *)options);
    SSL_CTX_set_session_ticket_cb(ctx, on_ticket_made, on_ticket_read, NULL);
    TRY(load_authorities(arena, ctx, "tls_client_ca", options->client_ca,
                         SSL_CTX_get_cert_store(ctx), names, files));
    TRY(load_authorities(arena, ctx, "gate_client_ca", options->gate_ca, gateways, names, files));
    if (options->client_cert_is_required)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return E_OK;
}

/* ---- what is in use ---- */

str http_tls_subject(struct arena *arena, const X509 *cert)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *p = NULL;
    str subject = STR_NONE;

    if (text && X509_NAME_print_ex(text, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(text, &p);
        subject = arena_dup(arena, (str){p ? p : "", n > 0 ? (size_t)n : 0});
    }
    BIO_free(text);
    return subject;
}

/* 0: OpenSSL cannot read it either. */
static int64_t ms_of(const ASN1_TIME *time)
{
    struct tm tm;

    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * SECOND_MS : 0;
}

static void describe(struct arena *arena, const SSL_CTX *ctx, struct http_tls_files *files)
{
    const X509 *cert = SSL_CTX_get0_certificate(ctx);

    files->subject = http_tls_subject(arena, cert);
    files->starts_ms = ms_of(X509_get0_notBefore(cert));
    files->ends_ms = ms_of(X509_get0_notAfter(cert));
}

static void tell(const struct http_tls_options *options, const struct http_tls_files *files)
{
    int64_t now_ms = time_now_ms();
    char text[TIME_TEXT_BYTES];
    str ends = {text, sizeof text};

    time_write(files->ends_ms, text);
    log_event(NULL, LOG_INFO, "tls.loaded", F("subject", files->subject), F("expires", ends));
    if (files->key_is_open)
        log_event(NULL, LOG_WARN, "tls.key_is_open", F("file", options->key),
                  F("detail", "everybody on this machine can read it; chmod 600"));
    if (files->ends_ms < now_ms)
        log_event(NULL, LOG_WARN, "tls.certificate_expired", F("subject", files->subject),
                  F("expires", ends));
    else if (files->starts_ms > now_ms)
        log_event(NULL, LOG_WARN, "tls.certificate_not_yet_valid", F("subject", files->subject));
}

/* ---- putting it together ---- */

static bool set_rules(SSL_CTX *ctx, const struct http_tls_options *options)
{
    static const unsigned char id[] = "sallyport";
    int least = options->is_1_3_only ? TLS1_3_VERSION : TLS1_2_VERSION;

    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    /* CLEANSE_PLAINTEXT: credentials do not stay behind in OpenSSL's own buffers. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, TICKET_HOURS * 3600);
    SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_MAX_BYTES);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ctx, least) == 1 &&
           SSL_CTX_set_cipher_list(ctx, ciphers_of_1_2) == 1 &&
           SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) == 1 && add_tickets(ctx);
}

static enum err load(struct arena *arena, const struct http_tls_options *options, SSL_CTX *ctx,
                     struct http_tls_files *files)
{
    *files = (struct http_tls_files){0};
    if (!ctx || !set_rules(ctx, options)) {
        files->fault = HTTP_TLS_NOT_SET_UP;
        files->why = arena_printf(arena, "TLS cannot be set up: %.*s", STR_ARG(openssl_reason()));
        return E_INTERNAL_ERROR;
    }
    TRY(load_cert(arena, ctx, options->cert, files));
    describe(arena, ctx, files);
    TRY(load_key(arena, ctx, options->key, files));
    return load_client_cas(arena, ctx, options, files);
}

void http_tls_look(struct arena *arena, const struct http_tls_options *options,
                   struct http_tls_files *out)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    IGNORE_ERR(load(arena, options, ctx, out)); /* *out says it all */
    SSL_CTX_free(ctx);
    ERR_clear_error();
}

enum err http_tls_context_reload(struct http_tls_context *tls, struct arena *arena, str *why)
{
    struct http_tls_files files;

    ERR_clear_error();
    SSL_CTX *next = SSL_CTX_new(TLS_server_method());
    enum err e = load(arena, &tls->options, next, &files);
    ERR_clear_error();

    if (e != E_OK) {
        *why = files.why;
        SSL_CTX_free(next);
        return e;
    }
    tell(&tls->options, &files);
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *before = tls->now;
    tls->now = next;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(before);
    return E_OK;
}

enum err http_tls_context_new(struct arena *arena, const struct http_tls_options *options,
                              struct http_tls_context **out, str *why)
{
    struct http_tls_context *tls = mem_new(sizeof *tls);

    tls->options = *options;
    pthread_mutex_init(&tls->lock, NULL);
    enum err e = http_tls_context_reload(tls, arena, why);
    if (e == E_OK)
        *out = tls;
    else
        http_tls_context_drop(&tls);
    return e;
}

void http_tls_context_drop(struct http_tls_context **tls)
{
    if (!*tls)
        return;
    SSL_CTX_free((*tls)->now);
    pthread_mutex_destroy(&(*tls)->lock);
    free(*tls);
    *tls = NULL;
}

SSL *http_tls_context_session(struct http_tls_context *tls)
{
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *ctx = tls->now;
    SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&tls->lock);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    return ssl;
}
