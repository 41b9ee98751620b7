/* The canonical form, and what is made from it. */
#include "audit/rules.h"

#include <inttypes.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "base/text.h"

enum { MESSAGE_MAX_BYTES = 64 * 1024, AGENT_MAX_BYTES = 200 };

const char *const audit_text_names[AUDIT_TEXTS_END] = {
    [AUDIT_ID] = "id",
    [AUDIT_ACTION] = "action",
    [AUDIT_ACTOR_KIND] = "actorKind",
    [AUDIT_ACTOR_ID] = "actorId",
    [AUDIT_ROLE] = "role",
    [AUDIT_ACTOR_EMPLOYER_ID] = "actorEmployerId",
    [AUDIT_EMPLOYER_ID] = "employerId",
    [AUDIT_TARGET_KIND] = "targetKind",
    [AUDIT_TARGET_ID] = "targetId",
    [AUDIT_ADDRESS] = "address",
    [AUDIT_USER_AGENT] = "userAgent",
    [AUDIT_REQUEST_ID] = "requestId",
    [AUDIT_DETAIL] = "detail",
    [AUDIT_KEY_ID] = "keyId",
};

/* ---- keys ---- */

void audit_key_drop(struct audit_key *key)
{
    mem_wipe(key, sizeof *key);
}

struct audit_key audit_key_of(const uint8_t bytes[AUDIT_KEY_BYTES])
{
    struct sha256 digest = instance_key_derive(bytes, S("sallyport audit key id"));
    struct audit_key key = {.id = {'a', 'k', '_'}};

    memcpy(key.bytes, bytes, sizeof key.bytes);
    hex_write(digest.bytes, (AUDIT_KEY_ID_CHARS - 3) / 2, key.id + 3);
    return key;
}

str audit_key_id(const struct audit_key *key)
{
    return (str){key->id, sizeof key->id};
}

/* ---- messages: netstrings, so that no text can run into the next ---- */

static void put_text(struct buf *b, str text)
{
    if (str_is_none(text)) {
        buf_put(b, S("-,"));
        return;
    }
    buf_put_int(b, (int64_t)text.n);
    buf_put_byte(b, ':');
    buf_put(b, text);
    buf_put_byte(b, ',');
}

static void put_int(struct buf *b, int64_t value)
{
    buf_put_int(b, value);
    buf_put_byte(b, ',');
}

/* A label first: what is made for one use says nothing in another. */
static void open_message(struct buf *b, str label)
{
    buf_init(b, MESSAGE_MAX_BYTES);
    put_text(b, label);
}

static str close_message(struct arena *arena, const struct audit_key *key, struct buf *b)
{
    char *hex = arena_alloc(arena, 2 * SHA256_BYTES);
    struct sha256 mac =
        digest_hmac_sha256((str){(const char *)key->bytes, AUDIT_KEY_BYTES}, buf_str(b));

    /* What does not fit has no MAC, and so matches none: the bounds at the door are far below. */
    if (b->is_full)
        memset(&mac, 0, sizeof mac);
    hex_write(mac.bytes, SHA256_BYTES, hex);
    buf_drop(b);
    return (str){hex, 2 * SHA256_BYTES};
}

void audit_canonical(const struct audit_record *record, struct buf *out)
{
    put_int(out, record->at_ms);
    for (int t = 0; t < AUDIT_TEXTS_END; t++)
        put_text(out, record->text[t]);
}

str audit_line_mac(struct arena *arena, const struct audit_key *key,
                   const struct audit_record *record)
{
    struct buf b;

    open_message(&b, S("sallyport audit line 1"));
    audit_canonical(record, &b);
    return close_message(arena, key, &b);
}

str audit_link(struct arena *arena, const struct audit_key *key, int64_t number, str previous,
               const struct audit_record *record)
{
    struct buf b;

    open_message(&b, S("sallyport audit link 1"));
    put_int(&b, number);
    put_text(&b, previous);
    audit_canonical(record, &b);
    put_text(&b, record->mac);
    return close_message(arena, key, &b);
}

str audit_head_mac(struct arena *arena, const struct audit_key *key, int64_t number, str link)
{
    struct buf b;

    open_message(&b, S("sallyport audit head 1"));
    put_int(&b, number);
    put_text(&b, link);
    return close_message(arena, key, &b);
}

str audit_archive_mac(struct arena *arena, const struct audit_key *key,
                      const struct audit_archive *archive)
{
    struct buf b;

    open_message(&b, S("sallyport audit archive 1"));
    put_int(&b, archive->first);
    put_int(&b, archive->through);
    put_text(&b, archive->previous_link);
    put_text(&b, archive->link);
    put_text(&b, archive->file);
    put_text(&b, archive->sha256);
    put_int(&b, archive->archived_at_ms);
    return close_message(arena, key, &b);
}

str audit_trailer_mac(struct arena *arena, const struct audit_key *key,
                      const struct audit_head *end, str digest)
{
    struct buf b;

    open_message(&b, S("sallyport audit trailer 1"));
    put_int(&b, end->number);
    put_text(&b, end->link);
    put_text(&b, digest);
    return close_message(arena, key, &b);
}

bool audit_mac_eq(str a, str b)
{
    return a.n == b.n && a.n == 2 * SHA256_BYTES && secret_eq(a.p, b.p, a.n);
}

/* ---- heads ---- */

str audit_head_write(struct arena *arena, const struct audit_head *head)
{
    return arena_printf(arena, "%" PRId64 ":%.*s", head->number, STR_ARG(head->link));
}

bool audit_head_parse(str text, struct audit_head *out)
{
    str link = text;
    uint64_t number;

    if (!str_parse_u64(str_cut(&link, S(":")), INT64_MAX, &number) || number == 0 ||
        link.n != 2 * SHA256_BYTES)
        return false;
    for (size_t i = 0; i < link.n; i++)
        if (hex_value(link.p[i]) < 0 || (link.p[i] >= 'A' && link.p[i] <= 'F'))
            return false;
    *out = (struct audit_head){(int64_t)number, link};
    return true;
}

/* ---- what callers send ---- */

static bool holds_key(str text, const struct key_form *form)
{
    while (!str_is_none(text))
        if (key_text_resembles(str_cut(&text, S(" ")), form))
            return true;
    return false;
}

str audit_agent(struct arena *arena, str sent, const struct key_form *form)
{
    if (sent.n == 0)
        return STR_NONE;
    if (holds_key(sent, form))
        return S("(a text with a key in it)");
    str kept = arena_dup(arena, text_valid_prefix(str_sub(sent, 0, AGENT_MAX_BYTES)));
    for (size_t i = 0; i < kept.n; i++)
        if ((unsigned char)kept.p[i] < ' ' || kept.p[i] == 0x7f)
            ((char *)kept.p)[i] = '?';
    return kept.n ? kept : STR_NONE;
}
