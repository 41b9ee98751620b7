/* http/reply.h: problems, bodies, queries, pages; a handler's world without a socket. */
#include "unit.h"

#include <stdio.h>

#include "http/reply.h"

struct world {
    struct cx cx;
    struct http_req req;
    struct http_field fields[4];
    struct http_reply reply;
};

static int start(void **state)
{
    static struct world w;

    w = (struct world){.cx = {.arena = arena_new(), .request_id = S("req-1")}};
    w.req.path = S("/api/x");
    w.req.fields = w.fields;
    http_reply_init(&w.reply);
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    http_reply_drop(&w->reply);
    arena_drop(&w->cx.arena);
    return 0;
}

static void header(struct world *w, const char *name, const char *value)
{
    w->fields[w->req.n_fields++] =
        (struct http_field){.name = str_of(name), .value = str_of(value)};
}

static str reply_field(const struct world *w, str name)
{
    for (size_t i = 0; i < w->reply.n_fields; i++)
        if (str_eq(w->reply.fields[i].name, name))
            return w->reply.fields[i].value;
    return STR_NONE;
}

static void a_problem_has_the_members_of_rfc_9457_and_ours(void **state)
{
    struct world *w = *state;
    static const str url = {"https://api.example", 19};
    DROP(json) json_t *body = NULL;

    http_set_public_url(&url);
    w->cx.failure = (struct failure){.detail = S("The \"key\" is short."),
                                     .hint = S("Copy it again."),
                                     .members = S("\"requiredScopes\":[\"fhir:read\"]")};
    http_reply_problem(&w->cx, &w->req, E_INVALID_API_KEY, &w->reply);
    assert_int_equal(w->reply.status, 401);
    assert_true(str_eq(w->reply.content_type, S("application/problem+json")));
    assert_int_equal(json_read(&w->cx, buf_str(&w->reply.body), &body), E_OK);
    assert_string_equal(json_string_value(json_object_get(body, "type")),
                        "https://api.example/docs/errors/INVALID_API_KEY");
    assert_int_equal(json_integer_value(json_object_get(body, "status")), 401);
    assert_string_equal(json_string_value(json_object_get(body, "detail")),
                        "The \"key\" is short.");
    assert_string_equal(json_string_value(json_object_get(body, "instance")), "/api/x");
    assert_string_equal(json_string_value(json_object_get(body, "code")), "INVALID_API_KEY");
    assert_string_equal(json_string_value(json_object_get(body, "requestId")), "req-1");
    assert_string_equal(json_string_value(json_object_get(body, "hint")), "Copy it again.");
    assert_int_equal(json_array_size(json_object_get(body, "requiredScopes")), 1);
    assert_false(str_is_none(reply_field(w, S("www-authenticate"))));
}

static void a_problem_says_something_even_if_nobody_did(void **state)
{
    struct world *w = *state;
    DROP(json) json_t *body = NULL;

    http_reply_problem(&w->cx, &w->req, E_API_KEY_EXPIRED, &w->reply);
    assert_int_equal(json_read(&w->cx, buf_str(&w->reply.body), &body), E_OK);
    assert_true(json_string_length(json_object_get(body, "detail")) > 0);
    assert_true(json_string_length(json_object_get(body, "hint")) > 0);
}

static void what_a_handler_began_to_write_is_dropped(void **state)
{
    struct world *w = *state;
    struct json_out j = http_reply_json(&w->reply, 200);

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("rawKey"), S("mt_live_secret"));
    http_reply_problem(&w->cx, &w->req, E_STORE_DOWN, &w->reply);
    str body = buf_str(&w->reply.body);
    assert_null(memmem(body.p, body.n, "mt_live_secret", 14));
    assert_true(str_eq(reply_field(w, S("retry-after")), S("5")));
}

static void internal_errors_do_not_leave_as_they_are(void **state)
{
    struct world *w = *state;

    http_reply_problem(&w->cx, &w->req, E_STORE_CONFLICT, &w->reply);
    assert_int_equal(w->reply.status, 500);
}

static void only_plain_json_is_read(void **state)
{
    static const char *const good[] = {"application/json", "Application/JSON; charset=UTF-8",
                                       "application/json;charset=\"utf-8\""};
    static const char *const bad[] = {"", "text/plain", "application/jsonx",
                                      "application/json; charset=latin1",
                                      "application/x-www-form-urlencoded"};
    struct world *w = *state;

    w->req.body = S("{}");
    header(w, "content-type", "");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        DROP(json) json_t *json = NULL;
        w->fields[0].value = str_of(good[i]);
        assert_int_equal(http_req_json(&w->cx, &w->req, &json), E_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        DROP(json) json_t *json = NULL;
        w->fields[0].value = str_of(bad[i]);
        assert_int_equal(http_req_json(&w->cx, &w->req, &json), E_UNSUPPORTED_MEDIA_TYPE);
    }
    DROP(json) json_t *json = NULL;
    w->fields[0].value = S("application/json");
    header(w, "content-encoding", "gzip");
    assert_int_equal(http_req_json(&w->cx, &w->req, &json), E_UNSUPPORTED_MEDIA_TYPE);
}

static enum err read_page(struct world *w, const char *query, struct page *page)
{
    json_t *json = NULL;
    struct form form;

    w->req.query = str_of(query);
    TRY(http_req_query_json(&w->cx, &w->req, &json));
    form_open(&form, &w->cx, json);
    page_read(&form, 'k', page);
    page->after = arena_dup(w->cx.arena, page->after);
    enum err e = form_close(&form);
    json_drop(&json);
    return e;
}

static void pages_have_bounds(void **state)
{
    static const struct {
        const char *query;
        enum err err;
        int64_t limit;
    } cases[] = {
        {NULL, E_OK, 100},
        {"limit=1", E_OK, 1},
        {"limit=1000", E_OK, 1000},
        {"limit=0", E_INVALID_REQUEST, 0},
        {"limit=1001", E_INVALID_REQUEST, 0},
        {"limit=-1", E_INVALID_REQUEST, 0},
        {"limit=ten", E_INVALID_REQUEST, 0},
        {"limit=", E_INVALID_REQUEST, 0},
        {"limit=1&limit=2", E_INVALID_REQUEST, 0},
        {"page=2", E_INVALID_REQUEST, 0},
        {"cursor=nonsense", E_INVALID_CURSOR, 0},
        {"limit=%ff", E_INVALID_REQUEST, 0},
    };
    struct world *w = *state;
    struct page page;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum err e = read_page(w, cases[i].query, &page);
        if (e != cases[i].err || (e == E_OK && page.limit != cases[i].limit))
            flunk("%s: error %d, limit %ld", cases[i].query, e, (long)page.limit);
    }
}

static void the_next_cursor_is_read_where_it_came_from(void **state)
{
    struct world *w = *state;
    struct json_out j = http_reply_json(&w->reply, 200);
    DROP(json) json_t *body = NULL;
    char query[160];
    struct page page;

    json_open_object(&j, STR_NONE);
    page_write_next(&w->cx, &j, 'k', true, S("key_06b3k9"));
    json_close_object(&j);
    assert_int_equal(json_read(&w->cx, buf_str(&w->reply.body), &body), E_OK);
    snprintf(query, sizeof query, "cursor=%s",
             json_string_value(json_object_get(body, "nextCursor")));
    assert_int_equal(read_page(w, query, &page), E_OK);
    assert_true(str_eq(page.after, S("key_06b3k9")));
}

static void write_number(struct cx *cx, struct json_out *j, const void *what)
{
    (void)cx;
    json_put_int(j, STR_NONE, *(const int *)what);
}

static void a_planned_answer_is_written_as_things_are_then(void **state)
{
    struct world *w = *state;
    DROP(buf) struct buf kept;
    bool left_secret_out = true;
    int number = 1;

    buf_init(&kept, 64);
    http_reply_plan(&w->reply, 201, write_number, &number);
    assert_int_equal(w->reply.body.n, 0);
    number = 2;
    http_reply_keep(&w->cx, &w->reply, &kept, &left_secret_out);
    assert_int_equal(http_reply_write(&w->cx, &w->reply), E_OK);
    assert_int_equal(w->reply.status, 201);
    assert_true(str_eq(buf_str(&w->reply.body), S("2")));
    assert_true(str_eq(buf_str(&kept), S("2")));
    assert_false(left_secret_out);
}

static void a_plan_without_a_writer_has_no_body(void **state)
{
    struct world *w = *state;
    DROP(buf) struct buf kept;
    bool left_secret_out = true;

    buf_init(&kept, 64);
    http_reply_plan(&w->reply, 204, NULL, NULL);
    http_reply_keep(&w->cx, &w->reply, &kept, &left_secret_out);
    assert_int_equal(http_reply_write(&w->cx, &w->reply), E_OK);
    assert_int_equal(w->reply.status, 204);
    assert_true(str_is_none(w->reply.content_type));
    assert_int_equal(w->reply.body.n + kept.n, 0);
    assert_false(left_secret_out);
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(a_problem_has_the_members_of_rfc_9457_and_ours),
        IN_A_WORLD(a_problem_says_something_even_if_nobody_did),
        IN_A_WORLD(what_a_handler_began_to_write_is_dropped),
        IN_A_WORLD(internal_errors_do_not_leave_as_they_are),
        IN_A_WORLD(only_plain_json_is_read),
        IN_A_WORLD(pages_have_bounds),
        IN_A_WORLD(the_next_cursor_is_read_where_it_came_from),
        IN_A_WORLD(a_planned_answer_is_written_as_things_are_then),
        IN_A_WORLD(a_plan_without_a_writer_has_no_body),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
