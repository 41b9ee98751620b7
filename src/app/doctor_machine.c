/* Clock, disk, and what can be reached from here. */
#include <inttypes.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "app/doctor.h"
#include "base/banned.h"
#include "base/time.h"

#define MIB INT64_C(1048576)

enum {
    FREE_PROBLEM_MIB = 100,
    FREE_WARNING_MIB = 1024,
    FREE_INODES_LEAST = 1000,
    CERTIFICATE_SOON_DAYS = 21,
};

/* ---- clock ---- */

/* adjtimex(2), which sets nothing here. */
void doctor_clock(struct doctor *d)
{
    struct timex clock = {0};
    int state = adjtimex(&clock);

    if (state < 0)
        doctor_find(d, FINDING_WARNING, "clock.synchronised", S("Look with timedatectl."),
                    "The kernel does not say whether the clock is kept right.");
    else if (state == TIME_ERROR || clock.status & STA_UNSYNC)
        doctor_find(d, FINDING_WARNING, "clock.synchronised",
                    S("Run a time service: apt install systemd-timesyncd, or chrony; in a "
                      "container, on its host."),
                    "The kernel says that no time server keeps this clock right; keys and sessions "
                    "end by it.");
    else
        doctor_ok(d, "clock.synchronised", "The clock is kept right, to %ld ms at worst.",
                  clock.maxerror / 1000);
}

/* ---- disk ---- */

/* The folder of the database, or that of the instance key where the database is elsewhere. */
static const char *data_folder(struct doctor *d)
{
    str path = d->config->key_file;

    if (!config_is_postgres(d->config->database_url))
        path = str_sub(d->config->database_url, S("sqlite:").n, d->config->database_url.n);
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return path.n ? arena_dup(d->arena, path).p : ".";
}

void doctor_disk(struct doctor *d)
{
    const char *folder = data_folder(d);
    struct statvfs disk;

    if (statvfs(folder, &disk) != 0) {
        doctor_ok(d, "disk.free", "%s is not there yet.", folder);
        return;
    }
    int64_t free_mib = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize / MIB;
    bool has_inodes = disk.f_files == 0 || disk.f_favail >= FREE_INODES_LEAST;
    if (free_mib >= FREE_WARNING_MIB && has_inodes) {
        doctor_ok(d, "disk.free", "%s has %" PRId64 " MiB free.", folder, free_mib);
        return;
    }
    doctor_find(d, free_mib < FREE_PROBLEM_MIB || !has_inodes ? FINDING_PROBLEM : FINDING_WARNING,
                "disk.free", S("Make room: on a full disk every change is answered 503."),
                "%s has %" PRId64 " MiB and %llu inodes free.", folder, free_mib,
                (unsigned long long)disk.f_favail);
}

/* ---- reach ---- */

static void tell_certificate(struct doctor *d, str url, const struct probe_reach *r)
{
    int64_t days = (r->certificate_ends_ms - time_now_ms()) / DAY_MS;

    if (r->certificate_ends_ms && days < CERTIFICATE_SOON_DAYS)
        doctor_find(d, FINDING_WARNING, "reach", S("Have its certificate renewed."),
                    "%.*s is reached at %.*s; its certificate ends in %" PRId64 " days.",
                    STR_ARG(url), STR_ARG(r->address), days);
    else
        doctor_ok(d, "reach", "%.*s is reached at %.*s in %" PRId64 " ms.", STR_ARG(url),
                  STR_ARG(r->address), r->took_ms);
}

static void reach(struct doctor *d, str url)
{
    struct probe_reach r;

    probe_reach(d->arena, url, &r);
    if (r.tls_fault.n)
        doctor_find(d, FINDING_PROBLEM, "reach",
                    S("If the certificate is of an authority of your own: put that into "
                      "/usr/local/share/ca-certificates and run update-ca-certificates."),
                    "%.*s is reached at %.*s, and its certificate is refused: %.*s.", STR_ARG(url),
                    STR_ARG(r.address), STR_ARG(r.tls_fault));
    else if (r.why.n)
        doctor_find(d, FINDING_PROBLEM, "reach",
                    S("Look at DNS and firewall; where a proxy is needed, set HTTPS_PROXY."),
                    "%.*s is not reached: %.*s.", STR_ARG(url), STR_ARG(r.why));
    else
        tell_certificate(d, url, &r);
}

void doctor_reach(struct doctor *d)
{
    for (size_t i = 0; i < d->args->n_given; i++)
        if (str_eq(str_of(d->args->given[i].flag->name), S("reach")))
            reach(d, d->args->given[i].value);
}
