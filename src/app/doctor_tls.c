/* The certificate that the server shows, its key, and the TLS library of what goes out. */
#include <inttypes.h>

#include "app/doctor.h"
#include "app/parts.h"
#include "base/banned.h"
#include "base/time.h"

enum { OWN_CERTIFICATE_SOON_DAYS = 30 };

/* ---- the files ---- */

static str fix_of(struct doctor *d, const struct http_tls_files *files)
{
    switch (files->fault) {
    case HTTP_TLS_NO_FILE:
        return S("Put it there, or correct the setting.");
    case HTTP_TLS_CLOSED:
        return arena_printf(d->arena,
                            "Let the server's user read it: chgrp sallyport %.*s; chmod 640 %.*s",
                            STR_ARG(files->path), STR_ARG(files->path));
    case HTTP_TLS_KEY_OF_ANOTHER:
        return S("Give tls_key the key that the certificate was asked for with; in tls_cert the "
                 "server's certificate comes first.");
    default:
        return S("It must be PEM: the certificate with a key of RSA 2048, P-256 or stronger, the "
                 "private key without a passphrase (openssl pkey -in OLD -out NEW).");
    }
}

/* A server that runs goes on with the files it has read; it would not start again with these. */
static void tell_fault(struct doctor *d, const struct http_tls_files *files)
{
    doctor_find(d, FINDING_PROBLEM, "tls.certificate", fix_of(d, files),
                "%.*s; the server does not start with it.", STR_ARG(files->why));
}

/* ---- the certificate's time ---- */

#define RENEW                                                                                      \
    S("Have it renewed, put it in the place of the old one, and: systemctl reload sallyport.")

static str day_of(struct doctor *d, int64_t at_ms)
{
    char text[TIME_TEXT_BYTES];

    time_write(at_ms, text);
    return arena_dup(d->arena, (str){text, sizeof "2026-01-01" - 1});
}

static void tell_time(struct doctor *d, const struct http_tls_files *files)
{
    int64_t now_ms = time_now_ms(), days = (files->ends_ms - now_ms) / DAY_MS;
    str starts = day_of(d, files->starts_ms), ends = day_of(d, files->ends_ms);

    if (files->ends_ms <= now_ms)
        doctor_find(d, FINDING_PROBLEM, "tls.certificate", RENEW,
                    "The certificate of %.*s has expired on %.*s; clients refuse it.",
                    STR_ARG(files->subject), STR_ARG(ends));
    else if (files->starts_ms > now_ms)
        doctor_find(d, FINDING_PROBLEM, "tls.certificate",
                    S("Look at the clock of this machine; else wait, or use another."),
                    "The certificate of %.*s is not valid before %.*s; clients refuse it.",
                    STR_ARG(files->subject), STR_ARG(starts));
    else if (days < OWN_CERTIFICATE_SOON_DAYS)
        doctor_find(d, FINDING_WARNING, "tls.certificate", RENEW,
                    "The certificate of %.*s ends in %" PRId64 " days, on %.*s.",
                    STR_ARG(files->subject), days, STR_ARG(ends));
    else
        doctor_ok(d, "tls.certificate", "The certificate of %.*s is valid until %.*s.",
                  STR_ARG(files->subject), STR_ARG(ends));
}

static void check_certificate(struct doctor *d)
{
    struct http_tls_options options = parts_tls(d->config);
    struct http_tls_files files;

    if (!options.cert) {
        doctor_ok(d, "tls.certificate", "tls_cert is not set: the server speaks plain HTTP.");
        return;
    }
    http_tls_look(d->arena, &options, &files);
    if (files.fault != HTTP_TLS_FINE)
        tell_fault(d, &files);
    else
        tell_time(d, &files);
    if (files.key_is_open)
        doctor_find(d, FINDING_PROBLEM, "tls.key",
                    arena_printf(d->arena, "chmod o-r %s", options.key),
                    "Everybody on this machine may read the private key %s.", options.key);
    else if (files.fault == HTTP_TLS_FINE)
        doctor_ok(d, "tls.key", "%s is the certificate's key, and not open to everybody.",
                  options.key);
}

/* ---- the library ---- */

static void check_library(struct doctor *d)
{
    str library = probe_curl_tls(d->arena);

    if (str_starts(library, S("OpenSSL/")))
        doctor_ok(d, "tls.library", "libcurl uses %.*s.", STR_ARG(library));
    else
        doctor_find(d, FINDING_WARNING, "tls.library",
                    S("Install the other flavour: apt install libcurl4."),
                    "libcurl uses %.*s instead of OpenSSL; its handshakes are slow.",
                    STR_ARG(library));
}

void doctor_tls(struct doctor *d)
{
    check_certificate(d);
    check_library(d);
}
