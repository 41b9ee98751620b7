/* console/html.h: whatever is put into the markup is text. */
#include "unit.h"

#include "console/html.h"

enum { PAGE_MAX_BYTES = 4096 };

static struct buf page;
static struct html h = {&page};

static int start(void **state)
{
    (void)state;
    buf_init(&page, PAGE_MAX_BYTES);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buf_drop(&page);
    return 0;
}

static void assert_page(const char *expected)
{
    if (!str_eq(buf_str(&page), str_of(expected)))
        flunk("\"%.*s\" instead of \"%s\"", STR_ARG(buf_str(&page)), expected);
}

static void markup_without_values_is_itself(void **state)
{
    (void)state;
    HTML(&h, "<p class=\"a\">b &amp; c</p>");
    assert_page("<p class=\"a\">b &amp; c</p>");
}

static void values_take_their_places_in_order(void **state)
{
    (void)state;
    HTML(&h, "<a href=\"{}\">{}</a>{}", S("/x"), S("y"), S("z"));
    assert_page("<a href=\"/x\">y</a>z");
}

static void what_could_end_a_text_or_an_attribute_is_escaped(void **state)
{
    (void)state;
    HTML(&h, "{}", S("<script>alert(\"1\" & '2')</script>"));
    assert_page("&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;");
}

static void what_is_escaped_already_is_escaped_again(void **state)
{
    (void)state;
    html_text(&h, S("&lt;&#39;"));
    assert_page("&amp;lt;&amp;#39;");
}

static void braces_in_a_value_are_text(void **state)
{
    (void)state;
    HTML(&h, "<b>{}</b><i>{}</i>", S("{}{}"), S("%s"));
    assert_page("<b>{}{}</b><i>%s</i>");
}

static void no_text_writes_nothing(void **state)
{
    (void)state;
    HTML(&h, "[{}][{}]", STR_NONE, S(""));
    assert_page("[][]");
}

static void other_bytes_are_left_alone(void **state)
{
    (void)state;
    html_text(&h, S("\xC3\x9C \xE9\x8D\xB5\n\t=`/"));
    assert_page("\xC3\x9C \xE9\x8D\xB5\n\t=`/");
}

static void a_secret_is_escaped_like_the_rest(void **state)
{
    DROP(secret) struct secret secret = {0};

    (void)state;
    assert_true(secret_set(&secret, S("a<b")));
    html_secret(&h, &secret);
    assert_page("a&lt;b");
}

static void each_byte_alone_gives_no_markup(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        html_text(&h, (str){&byte, 1});
    }
    for (size_t i = 0; i < page.n; i++)
        assert_null(memchr("<>\"'", page.p[i], 4));
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(markup_without_values_is_itself),
        FACT(values_take_their_places_in_order),
        FACT(what_could_end_a_text_or_an_attribute_is_escaped),
        FACT(what_is_escaped_already_is_escaped_again),
        FACT(braces_in_a_value_are_text),
        FACT(no_text_writes_nothing),
        FACT(other_bytes_are_left_alone),
        FACT(a_secret_is_escaped_like_the_rest),
        FACT(each_byte_alone_gives_no_markup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
