/* asciicast v2 and v3 (the asciinema project's file formats): a JSON header line, then one JSON array per
 * event, [time, code, data]. v2 counts time from the start, v3 from the event before. Data must be whole
 * UTF-8, so the beginning of a character that is split over two outputs waits for its rest. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "replay/play.h"

enum { DEFAULT_COLUMNS = 80, DEFAULT_ROWS = 24, SIZE_LIMIT = 10000 };

/* The last bytes of a stream that are no whole character yet. */
struct rest {
    uint8_t bytes[4];
    size_t n;
};

struct cast {
    struct play *play;
    unsigned version;
    int out_fd;
    uint64_t last_us;
    struct scene *scene;
    struct buffer out, shown;
    struct rest output, input;
    bool headed;
};

/* ---- lines ---- */

static int put_time(struct cast *c, uint64_t at_us)
{
    if (at_us < c->last_us || at_us > (uint64_t)INT64_MAX / 2)
        at_us = c->last_us; /* hostile or broken: time never goes back */
    uint64_t us = c->version == 2 ? at_us : at_us - c->last_us;
    c->last_us = at_us;
    return buffer_printf(&c->out, "[%llu.%06llu, ", (unsigned long long)(us / PLAY_MICROSECONDS),
                         (unsigned long long)(us % PLAY_MICROSECONDS));
}

static int put_line(struct cast *c, uint64_t at_us, char code, const void *bytes, size_t n)
{
    int r = put_time(c, at_us);
    if (r == 0)
        r = buffer_printf(&c->out, "\"%c\", ", code);
    if (r)
        return r;
    struct json j = json_to(&c->out);
    json_bytes(&j, NULL, bytes, n);
    return j.failed ? -ENOBUFS : buffer_append(&c->out, "]\n", 2);
}

static uint32_t sane(uint32_t size, uint32_t otherwise)
{
    return size > 0 && size < SIZE_LIMIT ? size : otherwise;
}

static void put_size(struct json *j, unsigned version, const Ipc__Pty *pty)
{
    json_u64(j, version == 2 ? "width" : "cols", sane(pty ? pty->columns : 0, DEFAULT_COLUMNS));
    json_u64(j, version == 2 ? "height" : "rows", sane(pty ? pty->rows : 0, DEFAULT_ROWS));
}

static void put_title(struct json *j, const Ipc__Header *h)
{
    char title[512];
    (void)snprintf(title, sizeof title, "%s %s%s%s (%s)", h->identity ? h->identity->name : "", h->target,
                   h->command[0] ? ": " : "", h->command, h->id);
    json_text(j, "title", title);
}

static int put_header(struct cast *c, const Ipc__Header *h)
{
    const char *term = h->pty && h->pty->term[0] ? h->pty->term : "xterm-256color";
    struct json j = json_to(&c->out);
    json_open_object(&j, NULL);
    json_u64(&j, "version", c->version);
    if (c->version == 2) {
        put_size(&j, 2, h->pty);
    } else {
        json_open_object(&j, "term");
        put_size(&j, 3, h->pty);
        json_text(&j, "type", term);
        json_close_object(&j);
    }
    json_u64(&j, "timestamp", h->started_ms / 1000);
    put_title(&j, h);
    json_open_object(&j, "env");
    json_text(&j, "TERM", term);
    json_close_object(&j);
    json_close_object(&j);
    c->headed = true;
    return json_line(&j) ? 0 : -ENOBUFS;
}

/* ---- data ---- */

/* How many bytes at the end begin a character that is not whole. */
static size_t unfinished(const uint8_t *bytes, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        uint8_t c = bytes[n - back];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return size > back ? back : 0;
    }
    return 0;
}

/* `bytes` begins with whatever rest was there: see put_data. */
static int put_whole(struct cast *c, uint64_t at_us, char code, const uint8_t *bytes, size_t n,
                     struct rest *rest)
{
    rest->n = unfinished(bytes, n);
    memcpy(rest->bytes, bytes + n - rest->n, rest->n);
    n -= rest->n;
    return n > 0 ? put_line(c, at_us, code, bytes, n) : 0;
}

static int put_data(struct cast *c, uint64_t at_us, char code, const uint8_t *bytes, size_t n,
                    struct rest *rest)
{
    if (n == 0)
        return 0;
    if (rest->n == 0)
        return put_whole(c, at_us, code, bytes, n, rest);
    struct buffer joined;
    buffer_init(&joined, rest->n + n);
    int r = buffer_append(&joined, rest->bytes, rest->n);
    if (r == 0)
        r = buffer_append(&joined, bytes, n);
    if (r == 0)
        r = put_whole(c, at_us, code, buffer_head(&joined), buffer_size(&joined), rest);
    buffer_free(&joined);
    return r;
}

static int put_rest(struct cast *c, char code, struct rest *rest)
{
    return rest->n > 0 ? put_line(c, c->last_us, code, rest->bytes, rest->n) : 0;
}

static int put_resize(struct cast *c, uint64_t at_us, const Ipc__Resize *resize)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ux%u", sane(resize->columns, DEFAULT_COLUMNS),
                     sane(resize->rows, DEFAULT_ROWS));
    return put_line(c, at_us, 'r', text, (size_t)n);
}

static int put_exit(struct cast *c, uint64_t at_us, const Ipc__End *end)
{
    char text[24];
    if (c->version < 3)
        return 0;
    text_u64(text, end->status);
    return put_line(c, at_us, 'x', text, strlen(text));
}

static int put_event(struct cast *c, const Ipc__Event *event)
{
    const struct chain_entry *entry = &c->play->entry;
    int r = scene_event(c->scene, event, entry->body, entry->body_n, &c->shown);
    if (r == 0 && event->what_case == IPC__EVENT__WHAT_HEADER && !c->headed)
        r = put_header(c, event->header);
    if (r == 0)
        r = put_data(c, event->at_us, 'o', buffer_head(&c->shown), buffer_size(&c->shown), &c->output);
    buffer_consume(&c->shown, buffer_size(&c->shown));
    buffer_shrink(&c->shown, 1024 * 1024);
    if (r)
        return r;
    if (event->what_case == IPC__EVENT__WHAT_INPUT && strcmp(event->input->form, "postgres") != 0)
        return put_data(c, event->at_us, 'i', entry->body, entry->body_n, &c->input);
    if (event->what_case == IPC__EVENT__WHAT_RESIZE)
        return put_resize(c, event->at_us, event->resize);
    if (event->what_case == IPC__EVENT__WHAT_END)
        return put_exit(c, event->at_us, event->end);
    return 0;
}

static int put_all(struct cast *c)
{
    Ipc__Event *event;
    int r = 0, failed = 0;
    while (r == 0 && (event = play_next(c->play, &failed))) {
        /* A cast without its header line is none; a recording without its header is not ours. */
        if (c->headed || event->what_case == IPC__EVENT__WHAT_HEADER)
            r = put_event(c, event);
        event_free(event);
        if (r == 0)
            r = play_write(c->out_fd, &c->out);
    }
    if (r == 0)
        r = failed;
    if (r == 0)
        r = scene_end(c->scene, &c->shown);
    if (r == 0 && c->headed)
        r = put_data(c, c->last_us, 'o', buffer_head(&c->shown), buffer_size(&c->shown), &c->output);
    if (r == 0)
        r = put_rest(c, 'o', &c->output);
    return r ? r : play_write(c->out_fd, &c->out);
}

int play_cast(struct play *play, int out_fd, unsigned version)
{
    struct cast c = { .play = play, .version = version, .out_fd = out_fd };
    buffer_init(&c.out, 8 * (size_t)SCENE_OUT_MAX);
    buffer_init(&c.shown, SCENE_OUT_MAX);
    int r = scene_new(&play->outline, true, &c.scene);
    if (r == 0)
        r = put_all(&c);
    scene_free(c.scene);
    buffer_free(&c.out);
    buffer_free(&c.shown);
    return r;
}
