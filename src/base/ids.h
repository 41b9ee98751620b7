/*
 * Identifiers: a prefix that says what it names, then 24 characters: 9 of time, 15 of chance (75
 * bits), in a lower-case base-32 alphabet. They sort by age, which keyset paging relies on.
 *
 *     key_06b3k9q2x7hv4m1tz8c5nd0r
 */
#ifndef SALLYPORT_BASE_IDS_H
#define SALLYPORT_BASE_IDS_H

#include "base/arena.h"
#include "base/str.h"

enum { ID_BODY_CHARS = 24 };

/* `prefix` without the underscore. Two made in the same millisecond are in random order. */
str id_new(struct arena *arena, const char *prefix, int64_t now_ms);

/*
 * The same in hex, where a contract asks for it: `prefix` with its underscore, or none, then 32
 * digits: 12 of time, 20 of chance.
 */
str id_new_hex(struct arena *arena, const char *prefix, int64_t now_ms);

/* Right prefix, right length, right alphabet: worth asking the store about. */
bool id_is_shaped(str text, const char *prefix);

#endif
