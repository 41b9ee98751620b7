/* audit/rules.h, and the lines of an archive's file */
#include "unit.h"

#include <stdio.h>

#include "audit/archive_file.h"
#include "base/json.h"

static const struct key_form form = {{"mt", 2}, {"live", 4}};

static struct audit_key a_key(uint8_t byte)
{
    uint8_t bytes[AUDIT_KEY_BYTES];

    memset(bytes, byte, sizeof bytes);
    return audit_key_of(bytes);
}

static struct audit_record a_record(void)
{
    struct audit_record record = {.at_ms = 1780000000000, .mac = S("")};

    for (int t = 0; t < AUDIT_TEXTS_END; t++)
        record.text[t] = str_of(audit_text_names[t]);
    return record;
}

static str canonical(struct arena *arena, const struct audit_record *record)
{
    struct buf out;

    buf_init(&out, 4096);
    audit_canonical(record, &out);
    str text = arena_dup(arena, buf_str(&out));
    buf_drop(&out);
    return text;
}

/* ---- the canonical form ---- */

static void the_canonical_form_is_netstrings_in_order(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct audit_record record = {.at_ms = 7};

    (void)state;
    record.text[AUDIT_ID] = S("aud_1");
    record.text[AUDIT_ACTION] = S("");
    record.text[AUDIT_KEY_ID] = S("ak_1");
    assert_true(str_eq(canonical(arena, &record), S("7,5:aud_1,0:,-,-,-,-,-,-,-,-,-,-,-,4:ak_1,")));
}

/* Moving bytes from one text to the next, or an absent text for an empty one, is another line. */
static void no_two_lines_have_one_form(void **state)
{
    DROP(arena) struct arena *arena = arena_new();

    (void)state;
    for (int t = 0; t + 1 < AUDIT_TEXTS_END; t++) {
        struct audit_record one = a_record(), other = a_record();
        one.text[t] = S("ab,1:");
        one.text[t + 1] = S("c");
        other.text[t] = S("ab");
        other.text[t + 1] = S(",1:c");
        assert_false(str_eq(canonical(arena, &one), canonical(arena, &other)));
        one = other = a_record();
        one.text[t] = STR_NONE;
        other.text[t] = S("");
        assert_false(str_eq(canonical(arena, &one), canonical(arena, &other)));
    }
}

static void every_member_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < AUDIT_TEXTS_END; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(audit_text_names[a], audit_text_names[b]);
}

/* ---- what authenticates ---- */

static void a_mac_changes_with_every_member_and_the_key(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct audit_key key = a_key(1), other = a_key(2);
    struct audit_record record = a_record();
    str mac = audit_line_mac(arena, &key, &record);

    (void)state;
    assert_true(audit_mac_eq(mac, audit_line_mac(arena, &key, &record)));
    assert_false(audit_mac_eq(mac, audit_line_mac(arena, &other, &record)));
    for (int t = 0; t < AUDIT_TEXTS_END; t++) {
        struct audit_record changed = record;
        changed.text[t] = S("changed");
        assert_false(audit_mac_eq(mac, audit_line_mac(arena, &key, &changed)));
    }
    record.at_ms++;
    assert_false(audit_mac_eq(mac, audit_line_mac(arena, &key, &record)));
}

static void a_link_changes_with_number_previous_line_and_its_mac(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct audit_key key = a_key(1);
    struct audit_record record = a_record(), other = a_record();
    str link = audit_link(arena, &key, 5, S("aa"), &record);

    (void)state;
    assert_true(audit_mac_eq(link, audit_link(arena, &key, 5, S("aa"), &record)));
    assert_false(audit_mac_eq(link, audit_link(arena, &key, 6, S("aa"), &record)));
    assert_false(audit_mac_eq(link, audit_link(arena, &key, 5, S("ab"), &record)));
    other.mac = S("other");
    assert_false(audit_mac_eq(link, audit_link(arena, &key, 5, S("aa"), &other)));
    assert_false(audit_mac_eq(link, audit_line_mac(arena, &key, &record)));
}

/* Computed apart, with Python's hmac: netstring of the label, "5,", netstring of the link. */
static void a_head_is_authenticated_as_documented(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct audit_key key = a_key(0x0b);

    (void)state;
    assert_true(str_eq(audit_head_mac(arena, &key, 5, S("aa")),
                       S("5f8c64cfba3e933b0222c2632feaa95220533dd70989094098d780ff78f63312")));
    assert_true(str_eq(audit_key_id(&key), S("ak_2099204842e393b3")));
}

static void only_whole_macs_are_equal(void **state)
{
    str mac = S("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");

    (void)state;
    assert_true(audit_mac_eq(mac, mac));
    assert_false(audit_mac_eq(mac, str_sub(mac, 0, 63)));
    assert_false(audit_mac_eq(S(""), S("")));
    assert_false(audit_mac_eq(STR_NONE, STR_NONE));
}

static void a_line_too_long_to_authenticate_matches_nothing_made_from_it(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct audit_key key = a_key(1);
    struct audit_record record = a_record();
    char *big = arena_alloc(arena, 100000);

    (void)state;
    memset(big, 'x', 100000);
    record.text[AUDIT_DETAIL] = (str){big, 100000};
    str mac = audit_line_mac(arena, &key, &record);
    /* No key gives this, so the line never verifies as one that was signed. */
    assert_true(str_starts(mac, S("00000000")));
}

/* ---- heads ---- */

static void a_head_reads_as_it_was_written(void **state)
{
    static const char link[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    DROP(arena) struct arena *arena = arena_new();
    struct audit_head head = {1024, str_of(link)}, back;

    (void)state;
    assert_true(audit_head_parse(audit_head_write(arena, &head), &back));
    assert_int_equal(back.number, 1024);
    assert_true(str_eq(back.link, head.link));
}

static void what_is_no_head_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        ":",
        "5",
        "5:",
        "5:00",
        "0:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "-1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "5:00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff",
        "5:00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg",
        "9223372036854775808:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
    struct audit_head head;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(audit_head_parse(str_of(bad[i]), &head));
}

/* ---- user agents ---- */

static void a_user_agent_is_kept_short_printable_and_without_keys(void **state)
{
    static const char key[] =
        "mt_live_00112233445566778899aabbccddeeff00112233445566778899aabb01234567";
    DROP(arena) struct arena *arena = arena_new();
    char text[1024];

    (void)state;
    assert_true(str_eq(audit_agent(arena, S("curl/8"), &form), S("curl/8")));
    assert_true(str_is_none(audit_agent(arena, STR_NONE, &form)));
    assert_true(str_is_none(audit_agent(arena, S(""), &form)));
    assert_true(str_eq(audit_agent(arena, S("a\tb"), &form), S("a?b")));
    assert_true(str_is_none(audit_agent(arena, S("\xff\xff"), &form)));
    memset(text, 'x', sizeof text);
    assert_int_equal(audit_agent(arena, (str){text, sizeof text}, &form).n, 200);
    snprintf(text, sizeof text, "agent %s", key);
    assert_false(strstr(audit_agent(arena, str_of(text), &form).p, "0011") != NULL);
}

/* ---- an archive's lines ---- */

static void a_row_reads_as_it_was_written(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    struct audit_row row = {.number = 9, .link = S("aa"), .link_key_id = S("ak")}, back;
    struct buf first, second;

    (void)state;
    row.record = a_record();
    row.record.text[AUDIT_USER_AGENT] = S("quote \" and Zoë 🦉");
    row.record.text[AUDIT_ROLE] = STR_NONE;
    buf_init(&first, 4096);
    buf_init(&second, 4096);
    archive_put_row(&row, &first);
    assert_true(archive_parse_row(&cx, buf_str(&first), &back));
    archive_put_row(&back, &second);
    assert_true(str_eq(buf_str(&first), buf_str(&second)));
    assert_true(str_eq(canonical(arena, &row.record), canonical(arena, &back.record)));
    buf_drop(&first);
    buf_drop(&second);
}

static void a_row_with_more_or_less_in_it_is_refused(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena};
    struct audit_row row = {.number = 9, .link = S("aa"), .link_key_id = S("ak")};
    struct buf text;

    (void)state;
    row.record = a_record();
    buf_init(&text, 4096);
    archive_put_row(&row, &text);
    str whole = arena_dup(arena, buf_str(&text));
    buf_drop(&text);
    str more = arena_printf(arena, "{\"extra\":1,%.*s", STR_ARG(str_sub(whole, 1, whole.n)));
    assert_false(archive_parse_row(&cx, more, &row));
    for (size_t n = 0; n < whole.n; n++)
        assert_false(archive_parse_row(&cx, str_sub(whole, 0, n), &row));
    assert_false(archive_parse_row(&cx, S("[]"), &row));
}

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_form_is_netstrings_in_order),
        cmocka_unit_test(no_two_lines_have_one_form),
        cmocka_unit_test(every_member_has_a_name_of_its_own),
        cmocka_unit_test(a_mac_changes_with_every_member_and_the_key),
        cmocka_unit_test(a_link_changes_with_number_previous_line_and_its_mac),
        cmocka_unit_test(a_head_is_authenticated_as_documented),
        cmocka_unit_test(only_whole_macs_are_equal),
        cmocka_unit_test(a_line_too_long_to_authenticate_matches_nothing_made_from_it),
        cmocka_unit_test(a_head_reads_as_it_was_written),
        cmocka_unit_test(what_is_no_head_is_refused),
        cmocka_unit_test(a_user_agent_is_kept_short_printable_and_without_keys),
        cmocka_unit_test(a_row_reads_as_it_was_written),
        cmocka_unit_test(a_row_with_more_or_less_in_it_is_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
