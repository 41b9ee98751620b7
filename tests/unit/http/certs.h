/* Certificates made by the test itself, as files in a folder of their own. */
#ifndef SALLYPORT_TESTS_UNIT_HTTP_CERTS_H
#define SALLYPORT_TESTS_UNIT_HTTP_CERTS_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

struct issued {
    EVP_PKEY *key;
    X509 *cert;
};

static inline EVP_PKEY *certs_key(void)
{
    return EVP_EC_gen("P-256");
}

/* Signed by the issuer; NULL: by itself. days may be negative: it has expired then. */
static inline struct issued certs_issue_with(EVP_PKEY *key, const char *name, int days,
                                             const struct issued *issuer)
{
    struct issued out = {.key = key, .cert = X509_new()};
    X509_NAME *subject = X509_get_subject_name(out.cert);
    static long serial = 1;

    X509_set_version(out.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(out.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(out.cert), -100L * 24 * 3600);
    X509_gmtime_adj(X509_getm_notAfter(out.cert), (long)days * 24 * 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_pubkey(out.cert, key);
    X509_set_issuer_name(out.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    if (!issuer) {
        X509_EXTENSION *is_ca =
            X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(out.cert, is_ca, -1);
        X509_EXTENSION_free(is_ca);
    }
    X509_sign(out.cert, issuer ? issuer->key : key, EVP_sha256());
    return out;
}

static inline struct issued certs_issue(const char *name, int days, const struct issued *issuer)
{
    return certs_issue_with(certs_key(), name, days, issuer);
}

static inline void certs_drop(struct issued *issued)
{
    EVP_PKEY_free(issued->key);
    X509_free(issued->cert);
}

/* folder/name; freed by nobody: a test is short. */
static inline void certs_path(const char *folder, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", folder, name);
}

static inline void certs_write_cert(const char *path, const struct issued *issued)
{
    FILE *file = fopen(path, "w");

    PEM_write_X509(file, issued->cert);
    fclose(file);
}

/* With a passphrase if there is one; readable by its owner. */
static inline void certs_write_key(const char *path, const struct issued *issued, char *passphrase)
{
    FILE *file = fopen(path, "w");

    PEM_write_PKCS8PrivateKey(file, issued->key, passphrase ? EVP_aes_256_cbc() : NULL, NULL, 0,
                              NULL, passphrase);
    fclose(file);
    chmod(path, 0600);
}

#endif
