/* What a line is, and what authenticates it: values in, values out. Inside audit/ only. */
#ifndef SALLYPORT_AUDIT_RULES_H
#define SALLYPORT_AUDIT_RULES_H

#include "audit/audit.h"
#include "crypto/digest.h"

/* The end of a chain. */
struct audit_head {
    int64_t number;
    str link;
};

/* ---- keys ---- */

enum { AUDIT_KEY_BYTES = INSTANCE_KEY_BYTES, AUDIT_KEY_ID_CHARS = 3 + 16 }; /* "ak_" and hex */

struct audit_key {
    char id[AUDIT_KEY_ID_CHARS]; /* derived from the bytes, and gives nothing of them away */
    uint8_t bytes[AUDIT_KEY_BYTES];
};

void audit_key_drop(struct audit_key *key);
struct audit_key audit_key_of(const uint8_t bytes[AUDIT_KEY_BYTES]);
str audit_key_id(const struct audit_key *key);

/* ---- lines ---- */

/* The texts of a line, in the order of the canonical form and of the table's columns. */
enum audit_text {
    AUDIT_ID,
    AUDIT_ACTION,
    AUDIT_ACTOR_KIND,
    AUDIT_ACTOR_ID,
    AUDIT_ROLE,
    AUDIT_ACTOR_EMPLOYER_ID,
    AUDIT_EMPLOYER_ID,
    AUDIT_TARGET_KIND,
    AUDIT_TARGET_ID,
    AUDIT_ADDRESS,
    AUDIT_USER_AGENT,
    AUDIT_REQUEST_ID,
    AUDIT_DETAIL,
    AUDIT_KEY_ID, /* of the key that mac is made with */
    AUDIT_TEXTS_END,
};

/* As it is kept. Absent texts are STR_NONE. */
struct audit_record {
    int64_t at_ms;
    str text[AUDIT_TEXTS_END];
    str mac; /* hex */
};

/* The member names of an archive's lines; a test holds them against the enum. */
extern const char *const audit_text_names[AUDIT_TEXTS_END];

/*
 * The canonical form: label, at_ms and the texts as netstrings, an absent one as "-". No two
 * different lines have the same form, whatever is in their texts.
 */
void audit_canonical(const struct audit_record *record, struct buf *out);

/* ---- what authenticates them; each in hex, in the arena ---- */

str audit_line_mac(struct arena *arena, const struct audit_key *key,
                   const struct audit_record *record);

/* Over number, previous link, and the line with its own mac. */
str audit_link(struct arena *arena, const struct audit_key *key, int64_t number, str previous,
               const struct audit_record *record);

str audit_head_mac(struct arena *arena, const struct audit_key *key, int64_t number, str link);

struct audit_archive {
    int64_t first;
    int64_t through;
    str previous_link;
    str link;
    str file; /* its name, without the folder */
    str sha256;
    int64_t archived_at_ms;
    str key_id;
    str mac;
};

str audit_archive_mac(struct arena *arena, const struct audit_key *key,
                      const struct audit_archive *archive);

/* The trailer of an archive's file: over where it ends, and the digest of all lines before it. */
str audit_trailer_mac(struct arena *arena, const struct audit_key *key,
                      const struct audit_head *end, str digest);

/* In constant time; both are hex. */
bool audit_mac_eq(str a, str b);

/* ---- heads, as people carry them ---- */

str audit_head_write(struct arena *arena, const struct audit_head *head); /* "1024:9f86d0…" */
bool audit_head_parse(str text, struct audit_head *out); /* the link is a loan from text */

/* A user agent as it may be kept: short, valid text, without a key in it. */
str audit_agent(struct arena *arena, str sent, const struct key_form *form);

#endif
