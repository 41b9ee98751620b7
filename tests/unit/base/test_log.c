/* base/log.h: lines are one line, JSON is JSON, and control bytes stay out. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

/* What an event writes to standard error. */
static size_t captured(char *out, size_t max, bool is_json)
{
    struct cx cx = {.request_id = {"req-1", 5}, .doing = "testing"};
    int pipes[2];
    int kept = dup(STDERR_FILENO);

    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    log_start(LOG_INFO, is_json);
    log_event(&cx, LOG_DEBUG, "too.small", F("n", 1));
    log_event(&cx, LOG_WARN, "key.refused", F("keyId", S("a\n\033[31m\"b")), F("count", 7L),
              F("why", "words"));
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(pipes[1]);
    ssize_t n = read(pipes[0], out, max);
    close(pipes[0]);
    return n < 0 ? 0 : (size_t)n;
}

static void a_json_line_is_one_json_object(void **state)
{
    DROP(arena) struct arena *arena = arena_new();
    DROP(json) json_t *line = NULL;
    struct cx cx = {.arena = arena};
    char text[4096];
    size_t n = captured(text, sizeof text, true);

    (void)state;
    assert_true(n > 0 && text[n - 1] == '\n');
    assert_null(memchr(text, '\n', n - 1));
    assert_int_equal(json_read(&cx, (str){text, n}, &line), E_OK);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "key.refused");
    assert_string_equal(json_string_value(json_object_get(line, "requestId")), "req-1");
    assert_string_equal(json_string_value(json_object_get(line, "doing")), "testing");
    assert_int_equal(json_integer_value(json_object_get(line, "count")), 7);
}

static void a_caller_cannot_write_lines_or_colours_for_people(void **state)
{
    char text[4096];
    size_t n = captured(text, sizeof text, false);

    (void)state;
    assert_null(memchr(text, '\n', n - 1));
    assert_non_null(memmem(text, n, "a??[31m\"b", 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_is_one_json_object),
        cmocka_unit_test(a_caller_cannot_write_lines_or_colours_for_people),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
