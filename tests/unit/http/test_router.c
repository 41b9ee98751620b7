/* http/router.h */
#include "unit.h"

#include "http/router.h"

static enum err nothing(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    (void)cx;
    (void)req;
    (void)out;
    return E_OK;
}

static const struct route keys[] = {
    {HTTP_GET, "/keys", OPEN, nothing},
    {HTTP_POST, "/keys", OPEN, nothing},
    {HTTP_GET, "/keys/mine", OPEN, nothing},
    {HTTP_GET, "/keys/{keyId}", OPEN, nothing},
    {HTTP_DELETE, "/keys/{keyId}", OPEN, nothing},
    {HTTP_POST, "/keys/{keyId}/uses/{useId}", OPEN, nothing},
    {0},
};

static const struct route others[] = {
    {HTTP_PUT, "/keys/{keyId}", OPEN, nothing},
    {HTTP_GET, "/", OPEN, nothing},
    {HTTP_ANY, "/all", OPEN, nothing},
    {0},
};

struct found {
    enum err err;
    const struct route *route;
    struct http_req req;
    str allow;
};

static struct found look_for(struct arena *arena, enum http_method method, str path)
{
    struct router router = {0};
    struct found f = {.req = {.method = method, .path = path}};

    router_add(&router, keys);
    router_add(&router, others);
    f.err = router_find(&router, arena, &f.req, &f.route, &f.allow);
    return f;
}

static void expect_route(enum http_method method, str path, const struct route *route)
{
    DROP(arena) struct arena *arena = arena_new();
    struct found f = look_for(arena, method, path);

    assert_int_equal(f.err, E_OK);
    assert_ptr_equal(f.route, route);
}

static void expect_err(enum http_method method, str path, enum err e, str allow)
{
    DROP(arena) struct arena *arena = arena_new();
    struct found f = look_for(arena, method, path);

    assert_int_equal(f.err, e);
    if (!str_eq(f.allow, allow))
        flunk("Allow: %.*s instead of %.*s", STR_ARG(f.allow), STR_ARG(allow));
}

static void a_path_and_a_method_find_their_route(void **state)
{
    (void)state;
    expect_route(HTTP_GET, S("/keys"), &keys[0]);
    expect_route(HTTP_POST, S("/keys"), &keys[1]);
    expect_route(HTTP_GET, S("/keys/mine"), &keys[2]);
    expect_route(HTTP_GET, S("/keys/min"), &keys[3]);
    expect_route(HTTP_GET, S("/keys/mine2"), &keys[3]);
    expect_route(HTTP_DELETE, S("/keys/mine"), &keys[4]);
    expect_route(HTTP_PUT, S("/keys/1"), &others[0]);
    expect_route(HTTP_GET, S("/"), &others[1]);
}

static void head_finds_the_route_of_get(void **state)
{
    (void)state;
    expect_route(HTTP_HEAD, S("/keys/1"), &keys[3]);
}

static void a_route_may_take_every_method(void **state)
{
    (void)state;
    for (enum http_method m = HTTP_GET; m < HTTP_ANY; m++)
        expect_route(m, S("/all"), &others[2]);
}

static void parameters_are_the_segments_in_their_places(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct found f = look_for(arena, HTTP_POST, S("/keys/a b/uses/{x}"));

    (void)state;
    assert_int_equal(f.err, E_OK);
    assert_true(str_eq(f.req.params[0], S("a b")));
    assert_true(str_eq(f.req.params[1], S("{x}")));
    assert_true(str_is_none(f.req.params[2]));
}

static void a_path_that_spells_a_pattern_is_a_parameter(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    struct found f = look_for(arena, HTTP_DELETE, S("/keys/{keyId}"));

    (void)state;
    assert_int_equal(f.err, E_OK);
    assert_true(str_eq(f.req.params[0], S("{keyId}")));
}

static void near_misses_are_not_found(void **state)
{
    static const str paths[] = {
        S("/key"),
        S("/keys/"),
        S("/keyss"),
        S("//keys"),
        S("/Keys"),
        S("keys"),
        S("*"),
        S("/keys/1/"),
        S("/keys/1/uses"),
        S("/keys/1/uses/"),
        S("/keys//uses/2"),
        S("/keys/1/uses/2/3"),
        S("/keys/1/user/2"),
        S(""),
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect_err(HTTP_GET, paths[i], E_NOT_FOUND, STR_NONE);
    expect_err(HTTP_OPTIONS, S("/nowhere"), E_NOT_FOUND, STR_NONE);
}

static void another_method_is_told_which_there_are(void **state)
{
    (void)state;
    expect_err(HTTP_DELETE, S("/keys"), E_METHOD_NOT_ALLOWED, S("GET, HEAD, POST, OPTIONS"));
    expect_err(HTTP_PATCH, S("/keys/1"), E_METHOD_NOT_ALLOWED,
               S("GET, HEAD, PUT, DELETE, OPTIONS"));
    expect_err(HTTP_GET, S("/keys/1/uses/2"), E_METHOD_NOT_ALLOWED, S("POST, OPTIONS"));
    expect_err(HTTP_OPTIONS, S("/keys"), E_METHOD_NOT_ALLOWED, S("GET, HEAD, POST, OPTIONS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_and_a_method_find_their_route),
        cmocka_unit_test(head_finds_the_route_of_get),
        cmocka_unit_test(a_route_may_take_every_method),
        cmocka_unit_test(parameters_are_the_segments_in_their_places),
        cmocka_unit_test(a_path_that_spells_a_pattern_is_a_parameter),
        cmocka_unit_test(near_misses_are_not_found),
        cmocka_unit_test(another_method_is_told_which_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
