/* keys/packed_id.h */
#include "unit.h"

#include "base/ids.h"
#include "chance.h"
#include "keys/packed_id.h"

static void assert_round_trip(str id)
{
    char text[PACKED_ID_TEXT_BYTES];
    struct packed_id packed = packed_id_of(id);

    assert_false(packed_id_is_none(&packed));
    assert_int_equal(packed_id_text(&packed, text), id.n);
    assert_memory_equal(text, id.p, id.n);
}

static void ids_of_each_kind_come_back(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct chance chance = chance_new("packed ids");

    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint64_t high = chance_u64(&chance), low = chance_u64(&chance);
        assert_round_trip(id_new(arena, "key", (int64_t)(high >> 20)));
        assert_round_trip(id_new(arena, "user", (int64_t)(low >> 20)));
        assert_round_trip(arena_printf(arena, "api_key_%016llx%016llx", (unsigned long long)high,
                                       (unsigned long long)low));
    }
    assert_round_trip(S("api_key_00000000000000000000000000000000"));
    assert_round_trip(S("key_000000000000000000000000"));
    assert_round_trip(S("k"));
    assert_round_trip(S("sixteen_letters_"));
}

static void ids_that_differ_are_packed_differently(void **state)
{
    struct packed_id key = packed_id_of(S("key_000000000000000000000000"));
    struct packed_id user = packed_id_of(S("user_000000000000000000000000"));
    struct packed_id none = packed_id_of(S(""));

    (void)state;
    assert_false(packed_id_eq(&key, &user));
    assert_true(packed_id_is_none(&none));
}

/* Anybody may put such a text into a path. */
static void a_text_that_is_no_id_is_none(void **state)
{
    static const char *const texts[] = {
        "key_00000000000000000000000l",
        "key_0000000000000000000000000",
        "api_key_0197A2C4E86F41D2A3B4C5D6E7F80912",
        "api_key_0197a2c4e86f41d2a3b4c5d6e7f8091",
        "seventeen_letters",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct packed_id packed = packed_id_of(str_of(texts[i]));
        assert_true(packed_id_is_none(&packed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_each_kind_come_back),
        cmocka_unit_test(ids_that_differ_are_packed_differently),
        cmocka_unit_test(a_text_that_is_no_id_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
