/* Imports: reading the lines, and saying which one is wrong. */
#include "keys/import.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"
#include "crypto/base64url.h"

enum { SHA512_BYTES = 64 };

static bool parse_hex(str text, uint8_t *out, size_t n)
{
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text.p[2 * i]);
        int low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* RFC 4648 section 4 or 5, padded or not. */
static bool parse_base64(struct arena *arena, str text, uint8_t *out, size_t n)
{
    char *plain = arena_alloc(arena, text.n);
    str bytes;

    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++)
        plain[i] = text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i];
    if (!base64url_read(arena, (str){plain, text.n}, &bytes) || bytes.n != n)
        return false;
    memcpy(out, bytes.p, n);
    return true;
}

static void read_digest(struct form *f, const char *member, str text, size_t n,
                        struct key_secret *secret)
{
    uint8_t bytes[SHA512_BYTES];

    if (!parse_hex(text, bytes, n) && !parse_base64(f->cx->arena, text, bytes, n))
        form_problem(f, member, "must be the digest of the key's text: %zu bytes in hex or base64",
                     n);
    else
        memcpy(secret->digest.bytes, bytes, sizeof secret->digest.bytes);
}

static bool is_visible_ascii(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    return true;
}

static void read_raw(struct form *f, const struct key_form *look, str raw, struct key *key,
                     struct key_secret *secret)
{
    if (raw.n < IMPORT_KEY_MIN_BYTES || raw.n > IMPORT_KEY_MAX_BYTES || !is_visible_ascii(raw)) {
        form_problem(f, "key", "must be %d to %d visible ASCII characters without spaces",
                     IMPORT_KEY_MIN_BYTES, IMPORT_KEY_MAX_BYTES);
        return;
    }
    secret->digest = digest_sha256(raw);
    key->prefix = key_shown_prefix(f->cx->arena, raw, look);
    key->suffix = key_shown_suffix(f->cx->arena, raw);
}

void import_read_secret(struct form *f, const struct key_form *look, struct key *key,
                        struct key_secret *secret)
{
    const json_t *raw = form_value(f, "key");
    const json_t *sha256 = form_value(f, "sha256");
    const json_t *sha512 = form_value(f, "sha512");

    key->prefix = key->suffix = S("");
    if (!!raw + !!sha256 + !!sha512 != 1)
        form_problem(f, "key", "give one of key, the raw text, and sha256 or sha512, its digest");
    else if (raw)
        read_raw(f, look, json_text(raw), key, secret);
    else if (sha256)
        read_digest(f, "sha256", json_text(sha256), SHA256_BYTES, secret);
    else
        read_digest(f, "sha512", json_text(sha512), SHA512_BYTES, secret);
    secret->is_sha512 = sha512 != NULL;
}

static void read_line(struct form *f, struct key_import *line)
{
    key_read_draft(f, f->cx->now_ms, &line->key);
    import_read_secret(f, &keys_settings()->form, &line->key, &line->secret);
}

enum err import_read(struct cx *cx, const json_t *body, struct key_import **lines, size_t *n)
{
    struct form form, line;
    char prefix[32];

    form_open(&form, cx, body);
    const json_t *list = form_value(&form, "keys");
    *n = json_array_size(list);
    if (form.object && (*n == 0 || *n > IMPORT_LINES_MAX))
        form_problem(&form, "keys", "must be a list of 1 to %d keys", IMPORT_LINES_MAX);
    *lines = arena_array(cx->arena, *n, sizeof **lines);
    for (size_t i = 0; i < *n && *n <= IMPORT_LINES_MAX; i++) {
        snprintf(prefix, sizeof prefix, "keys[%zu].", i);
        form_open_part(&line, &form, json_array_get(list, i), prefix);
        read_line(&line, &(*lines)[i]);
        form_close_part(&line);
    }
    return form_close(&form);
}

enum err import_run(struct cx *cx, struct key_import *lines, size_t n)
{
    struct form form;
    char member[32];
    size_t taken = 0;
    enum err e = keys_import(cx, lines, n, &taken);

    if (e != E_STORE_CONFLICT)
        return e;
    form_open_blank(&form, cx);
    snprintf(member, sizeof member, "keys[%zu]", taken);
    form_problem(&form, member, "exists already, here or earlier in this import");
    return form_close(&form);
}
