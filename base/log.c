/* One line is built in a buffer on the stack and goes out in one write(), so that lines of several processes
 * never mix. The settings are the only state, set once by the process main. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

enum { LINE_MAX_BYTES = 4096, VALUE_MAX = 1024 };

static struct {
    const char *process;
    bool as_json;
    enum log_level least;
} settings = { .process = "gatehouse", .least = LOG_INFO };

static const char *const level_names[] = { "debug", "info", "warning", "error" };

void log_open(const char *process, bool as_json, enum log_level least)
{
    tzset(); /* gmtime_r() reads /etc/localtime at its first call: before there is a jail around it */
    settings.process = process;
    settings.as_json = as_json;
    settings.least = least;
}

static bool needs_quotes(const char *value)
{
    return *value == 0 || strpbrk(value, " \"=") != NULL;
}

/* Values are escaped, and quoted where a reader could not tell their end. */
static void put_pair(struct buffer *line, const char *key, const char *value)
{
    char clean[VALUE_MAX];
    (void)text_escape(clean, sizeof clean, value, strlen(value), false);
    if (!needs_quotes(clean)) {
        (void)!buffer_printf(line, " %s=%s", key, clean);
        return;
    }
    (void)!buffer_printf(line, " %s=\"", key);
    for (const char *c = clean; *c; c++) {
        if (*c == '"' || *c == '\\')
            (void)!buffer_append(line, "\\", 1);
        (void)!buffer_append(line, c, 1);
    }
    (void)!buffer_append(line, "\"", 1);
}

static void put_json(struct buffer *line, enum log_level level, const char *time, const char *event,
                     va_list pairs)
{
    struct json j = json_to(line);
    json_open_object(&j, NULL);
    json_text(&j, "time", time);
    json_text(&j, "level", level_names[level]);
    json_text(&j, "process", settings.process);
    json_u64(&j, "pid", (uint64_t)getpid());
    json_text(&j, "event", event);
    for (const char *key; (key = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        if (value)
            json_text(&j, key, value);
    }
    json_close_object(&j);
}

void log_event(enum log_level level, const char *event, ...)
{
    if (level < settings.least)
        return;
    char time[32];
    struct buffer line;
    buffer_init(&line, LINE_MAX_BYTES);
    (void)text_time(time, clock_unix_ms());
    va_list pairs;
    va_start(pairs, event);
    if (settings.as_json) {
        put_json(&line, level, time, event, pairs);
    } else {
        (void)!buffer_printf(&line, "%s level=%s process=%s pid=%d event=%s", time, level_names[level],
                             settings.process, (int)getpid(), event);
        for (const char *key; (key = va_arg(pairs, const char *)) != NULL;) {
            const char *value = va_arg(pairs, const char *);
            if (value)
                put_pair(&line, key, value);
        }
    }
    va_end(pairs);
    if (buffer_append(&line, "\n", 1) && buffer_size(&line) > 0)
        line.data[line.end - 1] = '\n'; /* cut at the limit: still one line */
    /* Nothing can be done about a log that can't be written. */
    (void)!write(STDERR_FILENO, buffer_head(&line), buffer_size(&line));
    buffer_free(&line);
}
