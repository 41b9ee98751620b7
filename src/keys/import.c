/* Imports: reading the lines, and saying which one is wrong. */
#include "keys/import.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static bool parse_hex_digest(str text, struct sha256 *out)
{
    if (text.n != 2 * SHA256_BYTES)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        int high = hex_value(text.p[2 * i]);
        int low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
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
    const json_t *digest = form_value(f, "sha256");

    key->prefix = key->suffix = S("");
    if (!raw == !digest)
        form_problem(f, "key", "give either key, the raw text, or sha256, its digest in hex");
    else if (raw)
        read_raw(f, look, json_text(raw), key, secret);
    else if (!parse_hex_digest(json_text(digest), &secret->digest))
        form_problem(f, "sha256", "must be the 64 hex digits of the key text's SHA-256");
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
