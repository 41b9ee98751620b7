/* Rules of places as JSON. */
#include <stdio.h>

#include "base/banned.h"
#include "places/places.h"

enum { LISTED_MAX = 250 };

static str read_list(struct form *part, const char *member, char sign, str words)
{
    const json_t *list = form_value(part, member);
    struct arena *arena = part->cx->arena;
    char item[32];

    if (list && (!json_is_array(list) || json_array_size(list) > LISTED_MAX)) {
        form_problem(part, member, "must be a list of at most %d countries", LISTED_MAX);
        return words;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        str code = json_text(json_array_get(list, i));
        snprintf(item, sizeof item, "%s[%zu]", member, i);
        if (str_eq(code, S("UK")))
            form_problem(part, item,
                         "must be a country by ISO 3166-1, as DE; the United Kingdom "
                         "is GB");
        else if (!country_exists(code))
            form_problem(part, item, "must be a country by ISO 3166-1, in two capitals, as DE");
        else
            words = arena_printf(arena, "%.*s%s%c%.*s", STR_ARG(words), words.n ? " " : "", sign,
                                 STR_ARG(code));
    }
    return words;
}

str places_read(struct form *f, const char *member)
{
    const json_t *value = form_value(f, member);
    char prefix[32];
    struct form part;
    str words = S("");

    if (!value)
        return STR_NONE;
    if (json_is_null(value))
        return words;
    snprintf(prefix, sizeof prefix, "%s.", member);
    form_open_part(&part, f, value, prefix);
    words = read_list(&part, "allow", '+', words);
    words = read_list(&part, "deny", '-', words);
    str unknown = form_text(&part, "unknown", 8, false);
    if (unknown.n && !str_eq(unknown, S("allow")) && !str_eq(unknown, S("deny")))
        form_problem(&part, "unknown", "must be allow or deny");
    if (unknown.n && words.n)
        words = arena_printf(f->cx->arena, "%.*s %s", STR_ARG(words),
                             str_eq(unknown, S("allow")) ? "?" : "!");
    form_close_part(&part);
    return words;
}

static void write_list(struct json_out *j, str name, char sign, str words)
{
    json_open_array(j, name);
    while (words.n) {
        str word = str_cut(&words, S(" "));
        if (word.n == 3 && word.p[0] == sign)
            json_put_text(j, STR_NONE, str_sub(word, 1, 2));
    }
    json_close_array(j);
}

void places_write(struct json_out *j, str name, str words)
{
    if (!words.n) {
        json_put_null(j, name);
        return;
    }
    json_open_object(j, name);
    write_list(j, S("allow"), '+', words);
    write_list(j, S("deny"), '-', words);
    struct places places = places_parse(words);
    json_put_text(j, S("unknown"), places.unknown_passes ? S("allow") : S("deny"));
    json_close_object(j);
}
