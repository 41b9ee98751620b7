/*
 * The log: an event name, then fields; one line each on standard error. JSON, or coloured text for
 * people where standard error is a terminal. The request id is added; warnings and errors also
 * say cx->doing.
 *
 *     log_event(cx, LOG_WARN, "key.refused", F("keyId", key.id), F("reason", S("expired")));
 *
 * F takes a str, an integer or a C string. It does not take a struct secret: that does not compile.
 */
#ifndef SALLYPORT_BASE_LOG_H
#define SALLYPORT_BASE_LOG_H

#include "base/cx.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name;
    bool is_number;
    int64_t number;
    str text;
};

/* Also while threads run: lines from then on. */
void log_start(enum log_level least, bool is_json);
bool log_wants(enum log_level level);

/* Lines written so far, by level: the metric sallyport_log_lines_total. */
struct metric_page;
void log_write_metrics(struct metric_page *page);

/* cx may be NULL. Fields end with one whose name is NULL; use log_event. */
void log_write(const struct cx *cx, enum log_level level, const char *event,
               const struct log_field *fields);

static inline struct log_field log_str(const char *name, str text)
{
    return (struct log_field){.name = name, .text = text};
}

static inline struct log_field log_cstr(const char *name, const char *text)
{
    return (struct log_field){.name = name, .text = str_of(text)};
}

static inline struct log_field log_int(const char *name, int64_t number)
{
    return (struct log_field){.name = name, .is_number = true, .number = number};
}

#define F(name, value)                                                                             \
    _Generic((value),                                                                              \
        str: log_str,                                                                              \
        char *: log_cstr,                                                                          \
        const char *: log_cstr,                                                                    \
        int: log_int,                                                                              \
        unsigned: log_int,                                                                         \
        long: log_int,                                                                             \
        unsigned long: log_int)(name, value)

#define log_event(cx, level, event, ...)                                                           \
    do {                                                                                           \
        if (log_wants(level))                                                                      \
            log_write((cx), (level), (event),                                                      \
                      (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}});       \
    } while (0)

#endif
