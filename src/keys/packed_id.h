/*
 * Ids of keys and persons in half their room: the text's digits as bits. Inside keys/ only.
 *
 *     key_06b3k9q2x7hv4m1tz8c5nd0r, user_…                  base/ids.h: 24 digits of 5 bits
 *     api_key_0197a2c4e86f41d2a3b4c5d6e7f80912               32 digits of 4 bits
 */
#ifndef SALLYPORT_KEYS_PACKED_ID_H
#define SALLYPORT_KEYS_PACKED_ID_H

#include "base/str.h"

enum { PACKED_ID_BODY_BYTES = 16, PACKED_ID_TEXT_BYTES = 40 };

/* Equal ids are equal bytes. Zero: none. */
struct packed_id {
    uint8_t kind;
    uint8_t body[PACKED_ID_BODY_BYTES];
};

/* An id of none of these kinds is kept as it is, up to PACKED_ID_BODY_BYTES. A longer one is no id
 * of ours: none. */
struct packed_id packed_id_of(str id);
bool packed_id_is_none(const struct packed_id *id);

bool packed_id_eq(const struct packed_id *a, const struct packed_id *b);

/* Returns the length; 0: there is none. */
size_t packed_id_text(const struct packed_id *id, char out[PACKED_ID_TEXT_BYTES]);

#endif
