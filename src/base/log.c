/* The log: one line an event, JSON or for people. */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/json.h"
#include "base/metric.h"
#include "base/text.h"
#include "base/time.h"

enum { LOG_LINE_MAX_BYTES = 16 * 1024 };

enum { LEVELS = LOG_ERROR + 1 };

/* Read by all threads; a reload changes them while they run. */
static atomic_int least_level = LOG_INFO;
static atomic_bool writes_json = true;
static atomic_bool has_colours = false;
static atomic_llong n_lines[LEVELS];

static const char *const level_names[LEVELS] = {"debug", "info", "warn", "error"};
static const char *const level_colours[] = {"\033[2m", "\033[36m", "\033[33m", "\033[31m"};

void log_start(enum log_level least, bool is_json)
{
    least_level = least;
    writes_json = is_json;
    has_colours = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_write_metrics(struct metric_page *page)
{
    int64_t values[LEVELS];

    for (int i = 0; i < LEVELS; i++)
        values[i] = atomic_load(&n_lines[i]);
    metric_put_list(page, "sallyport_log_lines_total", "Lines written to the log.", METRIC_COUNTER,
                    "level", level_names, values, LEVELS);
}

static void write_json(struct buf *line, const struct cx *cx, enum log_level level,
                       const char *event, const struct log_field *fields)
{
    struct json_out j = {line};

    json_open_object(&j, STR_NONE);
    json_put_time(&j, S("time"), time_now_ms());
    json_put_text(&j, S("level"), str_of(level_names[level]));
    json_put_text(&j, S("event"), str_of(event));
    if (cx && cx->request_id.n)
        json_put_text(&j, S("requestId"), cx->request_id);
    if (cx && cx->doing && level >= LOG_WARN)
        json_put_text(&j, S("doing"), str_of(cx->doing));
    for (const struct log_field *f = fields; f->name; f++) {
        if (f->is_number)
            json_put_int(&j, str_of(f->name), f->number);
        else
            json_put_text(&j, str_of(f->name), text_valid_prefix(f->text));
    }
    json_close_object(&j);
}

#define FAINT "\033[2m"
#define PLAIN "\033[0m"

static const char *colour(const char *code)
{
    return has_colours ? code : "";
}

/* Control bytes would let a caller write lines, or colours, of their own. */
static void put_printable(struct buf *line, str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_put_byte(line, c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
}

static void write_for_people(struct buf *line, const struct cx *cx, enum log_level level,
                             const char *event, const struct log_field *fields)
{
    char at[TIME_TEXT_BYTES];

    time_write(time_now_ms(), at);
    buf_printf(line, "%.12s %s%-5s%s %s", at + 11, colour(level_colours[level]), level_names[level],
               colour(PLAIN), event);
    for (const struct log_field *f = fields; f->name; f++) {
        buf_printf(line, " %s%s=%s", colour(FAINT), f->name, colour(PLAIN));
        if (f->is_number)
            buf_put_int(line, f->number);
        else
            put_printable(line, f->text);
    }
    if (cx && cx->request_id.n) {
        buf_printf(line, " %srequestId=%s", colour(FAINT), colour(PLAIN));
        put_printable(line, cx->request_id);
    }
}

void log_write(const struct cx *cx, enum log_level level, const char *event,
               const struct log_field *fields)
{
    struct buf line;

    atomic_fetch_add_explicit(&n_lines[level], 1, memory_order_relaxed);
    buf_init(&line, LOG_LINE_MAX_BYTES);
    if (writes_json)
        write_json(&line, cx, level, event, fields);
    else
        write_for_people(&line, cx, level, event, fields);
    line.is_full = false;
    if (line.n == line.max)
        line.n--;
    buf_put_byte(&line, '\n');
    /* One write, so that lines of several threads do not mix. A log that cannot be written is no
     * reason to stop serving. */
    ssize_t written = write(STDERR_FILENO, line.p, line.n);
    (void)written;
    buf_drop(&line);
}
