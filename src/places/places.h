/*
 * Which country an address is in, from any MMDB file with countries in it (`geoip_database`):
 * country.iso_code, else registered_country.iso_code, else country_code.
 *
 * The file is copied into memory, so that whoever writes over it harms nothing; when it changes and
 * has been quiet for a second, the new one takes its place. One that cannot be read does not.
 */
#ifndef SALLYPORT_PLACES_PLACES_H
#define SALLYPORT_PLACES_PLACES_H

#include "base/form.h"
#include "base/metric.h"
#include "base/net.h"
#include "decide/places.h"

/* Once, before threads start; '': there is none. The path outlives the process. False: why not. */
bool places_start(str path, struct arena *arena, str *why);
void places_stop(void);

/* Each second, by one thread. */
void places_tick(struct cx *cx);

/* From any thread: no lock, no allocation. Unknown where there is no database. */
struct country places_find(const struct net_addr *addr);

/* ---- rules, as JSON ---- */

/* {"allow": ["DE"], "deny": ["RU"], "unknown": "allow"}, or null: anywhere. Problems go to the
 * form. The words live in the form's arena; absent: STR_NONE. */
str places_read(struct form *f, const char *member);
void places_write(struct json_out *j, str name, str words);

/* ---- for operators ---- */

struct places_state {
    bool is_there;
    int64_t built_at_ms;
    str type; /* "GeoLite2-Country"; in the arena */
};

void places_look(struct arena *arena, struct places_state *out);
void places_write_metrics(struct metric_page *page);

#endif
