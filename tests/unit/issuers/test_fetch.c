/* issuers/fetch.h: the documents, once they have arrived */
#include "unit.h"

#include "issuers/fetch.h"

#define OKP                                                                                        \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    arena_drop(&arena);
    return 0;
}

static void keys_that_cannot_be_used_are_left_out(void **state)
{
    struct keyset set = {.n = 0};
    str why;

    (void)state;
    assert_true(
        keyset_read(arena,
                    S("{\"keys\":[7,{\"kty\":\"oct\",\"k\":\"AA\"},{" OKP ",\"kid\":\"a\"},{" OKP
                      ",\"use\":\"enc\"},{" OKP ",\"kid\":\"b\"}],\"more\":1}"),
                    &set, &why));
    assert_int_equal(set.n, 2);
    assert_true(str_eq(jws_key_kid(set.list[0]), S("a")));
    assert_true(str_eq(jws_key_kid(set.list[1]), S("b")));
    keyset_drop(&set);
    assert_int_equal(set.n, 0);
}

static void what_is_no_set_of_keys_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "not one JSON object"},
        {"<html>", "not one JSON object"},
        {"[]", "not one JSON object"},
        {"{\"keys\":[],\"keys\":[]}", "not one JSON object"},
        {"{}", "no list"},
        {"{\"keys\":{}}", "no list"},
        {"{\"keys\":[]}", "no key that can be used"},
        {"{\"keys\":[{" OKP ",\"use\":\"enc\"}]}", "the last is not for signatures"},
    };
    struct keyset set = {.n = 0};
    str why;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        why = S("");
        assert_false(keyset_read(arena, str_of(cases[i].text), &set, &why));
        if (!memmem(why.p, why.n, cases[i].says, strlen(cases[i].says)))
            flunk("%s: %.*s", cases[i].text, STR_ARG(why));
    }
}

static void more_keys_than_anybody_has_are_refused(void **state)
{
    struct keyset set = {.n = 0};
    str text = S("{\"keys\":[{" OKP "}");
    str why;

    (void)state;
    for (int i = 1; i < FETCH_KEYS_MAX; i++)
        text = arena_printf(arena, "%.*s,{" OKP "}", STR_ARG(text));
    assert_true(keyset_read(arena, arena_printf(arena, "%.*s]}", STR_ARG(text)), &set, &why));
    assert_int_equal(set.n, FETCH_KEYS_MAX);
    keyset_drop(&set);
    assert_false(keyset_read(arena, arena_printf(arena, "%.*s,{}]}", STR_ARG(text)), &set, &why));
}

static void a_discovery_document_must_be_the_issuers_own(void **state)
{
    static const struct issuer issuer = {.iss = {"https://a.test", 14}};
    static const char *const bad[] = {
        "{\"issuer\":\"https://b.test\",\"jwks_uri\":\"https://b.test/keys\"}",
        "{\"issuer\":\"https://a.test/\",\"jwks_uri\":\"https://a.test/keys\"}",
        "{\"jwks_uri\":\"https://a.test/keys\"}",
        "{\"issuer\":\"https://a.test\"}",
        "{\"issuer\":\"https://a.test\",\"jwks_uri\":\"http://a.test/keys\"}",
        "{\"issuer\":\"https://a.test\",\"jwks_uri\":\"file:///etc/passwd\"}",
        "{\"issuer\":\"https://a.test\",\"jwks_uri\":7}",
        "not JSON",
    };
    str url, why;

    (void)state;
    assert_true(discovery_read(
        arena, &issuer, S("{\"issuer\":\"https://a.test\",\"jwks_uri\":\"https://keys.test/a\"}"),
        &url, &why));
    assert_true(str_eq(url, S("https://keys.test/a")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why = S("");
        assert_false(discovery_read(arena, &issuer, str_of(bad[i]), &url, &why));
        assert_true(why.n > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_cannot_be_used_are_left_out),
        cmocka_unit_test(what_is_no_set_of_keys_is_refused),
        cmocka_unit_test(more_keys_than_anybody_has_are_refused),
        cmocka_unit_test(a_discovery_document_must_be_the_issuers_own),
    };

    json_start();
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
