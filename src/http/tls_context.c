/* What all TLS connections share: certificate, key and settings. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/tls.h"

/* OpenSSL's own limit for what a client may send as its chain is 100 KiB. */
enum { CLIENT_CHAIN_MAX_BYTES = 32 * 1024 };

/* RFC 9325 section 4.2: forward secrecy and AEAD. Those of TLS 1.3 are all such. */
static const char ciphers_of_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                     "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                     "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

struct http_tls_context {
    struct http_tls_options options;
    pthread_mutex_t lock; /* guards the next one */
    SSL_CTX *now;
};

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

    SSL_CTX_set_client_CA_list(ctx, names); /* which frees it */
    http_tls_judge_clients(ctx, options, gateways);
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

    SSL_CTX_set_security_level(ctx, HTTP_TLS_SECURITY_LEVEL);
    /* CLEANSE_PLAINTEXT: credentials do not stay behind in OpenSSL's own buffers. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, HTTP_TLS_TICKET_HOURS * 3600);
    SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_MAX_BYTES);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ctx, least) == 1 &&
           SSL_CTX_set_cipher_list(ctx, ciphers_of_1_2) == 1 &&
           SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) == 1 && http_tls_add_tickets(ctx);
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
