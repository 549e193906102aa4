/* See player.h. */
#include "replay/player.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "replay/play.h"

const char player_usage[] =
    "[--cast[=2|3] | --text | --events] [--speed N] [--idle-limit SECONDS] [--at-once] [--follow] [--wait]";

enum { SPEED_MAX = 1000, PERMILLE = 1000 };

/* ---- options ---- */

/* "2", "0.5": thousandths; 0 is not a number for either of its uses. */
static bool to_permille(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0, scale = 0;
    size_t digits = 0;
    for (; *s; s++) {
        if (*s == '.' && scale == 0) {
            scale = 1;
            continue;
        }
        if (*s < '0' || *s > '9' || v > max * PERMILLE || scale == PERMILLE)
            return false;
        v = v * 10 + (uint64_t)(*s - '0');
        scale *= 10;
        digits++;
    }
    v = v * (scale ? PERMILLE / scale : PERMILLE);
    *ret = v;
    return digits > 0 && v > 0 && v <= max * PERMILLE;
}

static int set_speed(const char *value, struct player_options *o, struct detail *detail)
{
    uint64_t permille = 0;
    if (!to_permille(value, SPEED_MAX, &permille))
        return detail_fail(detail, -EINVAL, "--speed takes a number above 0, up to %d", SPEED_MAX);
    o->speed_permille = (uint32_t)permille;
    return 0;
}

static int set_idle_limit(const char *value, struct player_options *o, struct detail *detail)
{
    uint64_t ms = 0;
    if (!to_permille(value, 86400, &ms) && !text_to_duration(value, &ms))
        return detail_fail(detail, -EINVAL, "--idle-limit takes seconds, as 2 or 0.5");
    o->idle_limit_us = ms > UINT64_MAX / 1000 ? UINT64_MAX : ms * 1000;
    return 0;
}

static int set_cast(const char *version, struct player_options *o, struct detail *detail)
{
    if (version && strcmp(version, "2") != 0 && strcmp(version, "3") != 0)
        return detail_fail(detail, -EINVAL, "--cast knows asciicast 2 and 3");
    o->form = PLAYER_CAST;
    o->cast_version = version && version[0] == '3' ? 3 : 2;
    return 0;
}

typedef int set_value(const char *value, struct player_options *o, struct detail *detail);

/* "--name VALUE" or "--name=VALUE": how many arguments it took, 0 when it is another option. */
static int take_value(const char *name, set_value *set, int left, char *const *argv, struct player_options *o,
                      struct detail *detail)
{
    size_t n = strlen(name);
    if (strncmp(argv[0], name, n) != 0 || (argv[0][n] && argv[0][n] != '='))
        return 0;
    if (!argv[0][n] && left < 2)
        return detail_fail(detail, -EINVAL, "%s needs a value", name);
    int r = set(argv[0][n] ? argv[0] + n + 1 : argv[1], o, detail);
    return r ? r : argv[0][n] ? 1 : 2;
}

static bool set_flag(const char *name, struct player_options *o)
{
    bool follow = strcmp(name, "--follow") == 0;
    if (!follow && strcmp(name, "--at-once") != 0 && strcmp(name, "--wait") != 0)
        return false;
    o->follow = o->follow || follow;
    o->at_once = o->at_once || name[2] != 'w';
    o->wait = o->wait || name[2] == 'w';
    return true;
}

static int take_option(int left, char *const *argv, struct player_options *o, struct detail *detail)
{
    if (strcmp(argv[0], "--text") == 0 || strcmp(argv[0], "--events") == 0) {
        o->form = argv[0][2] == 't' ? PLAYER_TEXT : PLAYER_EVENTS;
        return 1;
    }
    if (set_flag(argv[0], o))
        return 1;
    if (strncmp(argv[0], "--cast", 6) == 0 && (!argv[0][6] || argv[0][6] == '=')) {
        int r = set_cast(argv[0][6] ? argv[0] + 7 : NULL, o, detail);
        return r ? r : 1;
    }
    int r = take_value("--speed", set_speed, left, argv, o, detail);
    if (r == 0)
        r = take_value("--idle-limit", set_idle_limit, left, argv, o, detail);
    if (r == 0) {
        char shown[64];
        r = detail_fail(detail, -EINVAL, "unknown option %s",
                        text_escape(shown, sizeof shown, argv[0], strlen(argv[0]), false));
    }
    return r;
}

int player_options(int argc, char *const *argv, int first, struct player_options *ret, struct detail *detail)
{
    struct player_options o = { .cast_version = 2, .speed_permille = PERMILLE, .idle_limit_us = UINT64_MAX };
    int at = first;
    while (at < argc && argv[at][0] == '-' && argv[at][1]) {
        int r = take_option(argc - at, argv + at, &o, detail);
        if (r < 0)
            return r;
        at += r;
    }
    *ret = o;
    return at;
}

/* ---- reading ---- */

int play_open(int fd, struct play *ret, struct detail *detail)
{
    struct play play = { 0 };
    int r = scene_outline(fd, &play.outline, detail);
    if (r == 0)
        r = entries_new(fd, magic_recording, &play.entries, detail);
    if (r)
        return r;
    *ret = play;
    return 0;
}

void play_close(struct play *play)
{
    entries_free(STEAL(play->entries));
}

/* True: look again. A session that is killed has no end; who follows it has to leave. */
static bool wait_for_more(struct play *play)
{
    if (!play->follow || play->ended)
        return false;
    if (play->wait)
        return play->wait(play->owner);
    (void)poll(NULL, 0, PLAY_FOLLOW_MS);
    return true;
}

Ipc__Event *play_next(struct play *play, int *ret_failed)
{
    for (;;) {
        int r = entries_next(play->entries, &play->entry);
        if ((r == ENTRIES_END || r == ENTRIES_CUT) && wait_for_more(play))
            continue;
        if (r < 0)
            *ret_failed = r;
        if (r == ENTRIES_CUT)
            play->ending = "the recording ends inside an event: it was cut off, or is still being written";
        if (r == ENTRIES_BROKEN)
            play->ending = "the recording is damaged here";
        if (r)
            return NULL;
        play->number = play->read++;
        Ipc__Event *event = entry_event(&play->entry);
        if (!event)
            continue;
        play->ended = event->what_case == IPC__EVENT__WHAT_END;
        if (event->what_case == IPC__EVENT__WHAT_HEADER && play->started_ms == 0)
            play->started_ms = event->header->started_ms;
        return event;
    }
}

int play_write(int out_fd, struct buffer *out)
{
    size_t n = buffer_size(out);
    int r = n > 0 ? fd_write_all(out_fd, buffer_head(out), n, -1) : 0;
    buffer_consume(out, n);
    buffer_shrink(out, 1024 * 1024);
    return r;
}

int player_run(int fd, int out_fd, int key_fd, const struct player_options *options, struct detail *detail)
{
    struct play play = { 0 };
    int r = play_open(fd, &play, detail);
    if (r)
        return r;
    play.follow = options->follow;
    if (options->form == PLAYER_CAST)
        r = play_cast(&play, out_fd, options->cast_version);
    else if (options->form == PLAYER_EVENTS)
        r = play_events(&play, out_fd);
    else if (options->form == PLAYER_TERMINAL && isatty(out_fd))
        r = play_terminal(&play, out_fd, key_fd >= 0 && isatty(key_fd) ? key_fd : -1, options);
    else
        r = play_text(&play, out_fd);
    play_close(&play);
    return r < 0 && r != -EPIPE ? detail_fail(detail, r, "playing failed: %s", strerror(-r)) : r;
}
