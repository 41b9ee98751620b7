/* crypto/wrap.h */
#include "unit.h"

#include <string.h>

#include "crypto/wrap.h"

static const str purpose = {"sallyport test secret", 21};
static const str place = {"wh_1", 4};

/* Two keys, the one before the other. */
static void two_keys(struct instance_key *first, struct instance_key *second)
{
    instance_key_make(first);
    instance_key_rotate(first, second);
}

static bool opens_to(struct arena *arena, const struct instance_key *keys, str text, str plain)
{
    DROP(secret) struct secret out = {0};

    return wrap_open(arena, keys, purpose, place, text, &out) && str_eq(secret_reveal(&out), plain);
}

static void what_was_closed_opens_under_the_key_it_names(void **state)
{
    static const str plains[] = {{"", 0}, {"x", 1}, {"a secret\0with a NUL", 19}};
    DROP(arena) struct arena *arena = arena_new();
    struct instance_key first, second, third;

    (void)state;
    two_keys(&first, &second);
    instance_key_rotate(&second, &third);
    for (size_t i = 0; i < sizeof plains / sizeof plains[0]; i++) {
        str text = wrap_close(arena, first.current, purpose, place, plains[i]);
        assert_true(str_starts(text, S("ik_")));
        assert_true(opens_to(arena, &first, text, plains[i]));
        assert_true(opens_to(arena, &second, text, plains[i]));
        assert_false(opens_to(arena, &third, text, plains[i]));
    }
}

static void the_same_secret_never_looks_the_same(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct instance_key key;

    (void)state;
    instance_key_make(&key);
    assert_false(str_eq(wrap_close(arena, key.current, purpose, place, S("s")),
                        wrap_close(arena, key.current, purpose, place, S("s"))));
}

static void another_purpose_or_place_does_not_open_it(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(secret) struct secret out = {0};
    struct instance_key key;

    (void)state;
    instance_key_make(&key);
    str text = wrap_close(arena, key.current, purpose, place, S("secret"));
    assert_false(wrap_open(arena, &key, S("sallyport other"), place, text, &out));
    assert_false(wrap_open(arena, &key, purpose, S("wh_2"), text, &out));
    assert_false(secret_is_set(&out));
}

static void text_that_was_changed_anywhere_does_not_open(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct instance_key key;

    (void)state;
    instance_key_make(&key);
    str text = wrap_close(arena, key.current, purpose, place, S("secret"));
    for (size_t i = 0; i < text.n; i++) {
        str changed = arena_dup(arena, text);
        ((char *)changed.p)[i] = text.p[i] == '0' ? '1' : '0';
        assert_false(opens_to(arena, &key, changed, S("secret")));
        assert_false(opens_to(arena, &key, str_sub(text, 0, i), S("secret")));
    }
    assert_false(opens_to(arena, &key, arena_printf(arena, "%.*s00", STR_ARG(text)), S("secret")));
    assert_true(opens_to(arena, &key, text, S("secret")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_closed_opens_under_the_key_it_names),
        cmocka_unit_test(the_same_secret_never_looks_the_same),
        cmocka_unit_test(another_purpose_or_place_does_not_open_it),
        cmocka_unit_test(text_that_was_changed_anywhere_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
