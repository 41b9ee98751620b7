/*
 * urlencoded_parse: what is taken is UTF-8 without NUL under plain names, none twice but one; and
 * what was read, written as browsers write it, is read as the same again.
 */
#include <assert.h>

#include "base/text.h"
#include "http/urlencoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WRITTEN_MAX_BYTES = 1024 * 1024 };

static bool is_text(str s)
{
    return !str_has_byte(s, '\0') && text_valid_prefix(s).n == s.n;
}

/* Everything is escaped but what must not be: the strictest spelling there is. */
static void write(struct buf *out, str s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char escaped[3] = {'%', digits[c / 16], digits[c % 16]};
        buf_put(out, c == ' ' ? S("+") : (str){escaped, sizeof escaped});
    }
}

static void check_again(struct arena *arena, const struct urlencoded *form)
{
    struct urlencoded again;
    struct buf text;

    buf_init(&text, WRITTEN_MAX_BYTES);
    for (size_t i = 0; i < form->n; i++) {
        buf_put(&text, i ? S("&") : S(""));
        write(&text, form->pairs[i].name);
        buf_put(&text, S("="));
        write(&text, form->pairs[i].value);
    }
    assert(!text.is_full);
    assert(!urlencoded_parse(arena, buf_str(&text), S("many"), &again));
    assert(again.n == form->n);
    for (size_t i = 0; i < form->n; i++)
        assert(str_eq(again.pairs[i].name, form->pairs[i].name) &&
               str_eq(again.pairs[i].value, form->pairs[i].value));
    buf_drop(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    struct urlencoded form;

    if (urlencoded_parse(arena, (str){(const char *)data, size}, S("many"), &form))
        return 0;
    assert(form.n <= URLENCODED_PAIRS_MAX);
    for (size_t i = 0; i < form.n; i++) {
        str name = form.pairs[i].name;
        assert(text_is_plain(name, URLENCODED_NAME_MAX_BYTES) && is_text(form.pairs[i].value));
        for (size_t k = 0; k < i; k++)
            assert(!str_eq(name, form.pairs[k].name) || str_eq(name, S("many")));
    }
    check_again(arena, &form);
    return 0;
}
