/*
 * API versions: 2026-02-01, alias v1. Asked for by the x-api-version field, or by Accept with
 * application/vnd.<vendor>.v1+json or application/vnd.<vendor>+json; version=2026-02-01.
 */
#ifndef SALLYPORT_DECIDE_VERSION_H
#define SALLYPORT_DECIDE_VERSION_H

#include "base/str.h"

#define API_VERSION_NEWEST "2026-02-01"

struct api_version {
    str canonical;
    str alias;
};

extern const struct api_version api_versions[];
extern const size_t n_api_versions;

enum version_fault {
    VERSION_OK,
    VERSION_MISSING,     /* nothing asked for; *out is the newest */
    VERSION_UNSUPPORTED, /* a version that does not exist */
    VERSION_CONFLICT,    /* the field and Accept, or two fields, ask for different versions */
};

struct version_claim {
    enum version_fault fault;
    str asked;     /* the text that was read, for the explanation; STR_NONE if nothing was */
    str canonical; /* VERSION_OK or VERSION_MISSING */
};

/*
 * field   the value of x-api-version, STR_NONE if absent
 * accept  the value of Accept, STR_NONE if absent; read by RFC 9110 section 12.5.1, and media
 *         types of other vendors, of none, or that are malformed ask for no version
 * vendor  the media-type token, "boundedhealth"; matched without case
 */
struct version_claim version_judge(str field, str accept, str vendor);

#endif
