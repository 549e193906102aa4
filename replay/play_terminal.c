/* Replay in the terminal, in the recording's own time: pauses are waited for (shortened by speed and idle
 * limit), keys are looked at meanwhile. Terminal output passes the filter: a recording may hold anything. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "replay/filter.h"
#include "replay/play.h"

enum { SPEED_LEAST = 1000 / 16, SPEED_MOST = 1000 * 64, CTRL_C = 3, CTRL_D = 4, NEVER = -1 };

enum command { GO_ON, STEP, QUIT };

struct show {
    struct play *play;
    const struct player_options *options;
    int out_fd, key_fd;
    uint32_t speed_permille;
    bool paused, quit;
    uint64_t last_us;
    struct scene *scene;
    struct filter filter;
    struct buffer shown, out;
};

/* ---- keys ---- */

static void faster(struct show *s, bool more)
{
    uint32_t speed = more ? s->speed_permille * 2 : s->speed_permille / 2;
    if (speed >= SPEED_LEAST && speed <= SPEED_MOST)
        s->speed_permille = speed;
}

static enum command take_key(struct show *s, char key)
{
    switch (key) {
    case ' ':
        s->paused = !s->paused;
        return GO_ON;
    case '.':
        s->paused = true;
        return STEP;
    case '+':
    case '-':
        faster(s, key == '+');
        return GO_ON;
    case 'q':
    case CTRL_C:
    case CTRL_D:
        return QUIT;
    default:
        return GO_ON;
    }
}

/* Waits for a key or the time. False when there are no keys any more. */
static bool next_key(struct show *s, int timeout_ms, char *ret_key)
{
    struct pollfd p = { .fd = s->key_fd, .events = POLLIN };
    *ret_key = 0;
    int n = poll(&p, 1, timeout_ms);
    if (n <= 0)
        return n == 0 || errno == EINTR;
    return read(s->key_fd, ret_key, 1) == 1;
}

/* The pause before an event. Its length is in recorded time, so that a change of speed counts at once. */
static enum command wait_for(struct show *s, uint64_t pause_us)
{
    while (pause_us > 0 || s->paused) {
        char key = 0;
        uint64_t real_us = pause_us * 1000 / s->speed_permille, before = clock_us();
        int timeout = s->paused ? NEVER : real_us / 1000 >= 3600000 ? 3600000 : (int)((real_us + 999) / 1000);
        if (s->key_fd < 0)
            s->paused = false;
        if (!next_key(s, timeout, &key)) {
            s->key_fd = -1; /* poll passes a negative fd over: only the time counts now */
            s->paused = false;
        }
        uint64_t passed = (clock_us() - before) * s->speed_permille / 1000;
        if (timeout != NEVER)
            pause_us = passed < pause_us ? pause_us - passed : 0;
        enum command command = key ? take_key(s, key) : GO_ON;
        if (command != GO_ON)
            return command;
    }
    return GO_ON;
}

/* ---- playing ---- */

/* Nothing more is written yet. False: the person has had enough. */
static bool wait_for_more(void *owner)
{
    struct show *s = owner;
    char key = 0;
    if (!next_key(s, PLAY_FOLLOW_MS, &key))
        s->key_fd = -1;
    s->quit = key && take_key(s, key) == QUIT;
    s->paused = false;
    return !s->quit;
}

static uint64_t pause_before(struct show *s, uint64_t at_us)
{
    const uint64_t day_us = UINT64_C(86400) * PLAY_MICROSECONDS;
    uint64_t pause = at_us > s->last_us ? at_us - s->last_us : 0;
    uint64_t limit = s->options->idle_limit_us < day_us ? s->options->idle_limit_us : day_us;
    if (at_us > s->last_us)
        s->last_us = at_us;
    return s->options->at_once ? 0 : pause < limit ? pause : limit;
}

static int write_shown(struct show *s)
{
    int r = filter_run(&s->filter, buffer_head(&s->shown), buffer_size(&s->shown), &s->out);
    buffer_consume(&s->shown, buffer_size(&s->shown));
    buffer_shrink(&s->shown, 1024 * 1024);
    return r ? r : play_write(s->out_fd, &s->out);
}

/* 0, 1 to quit, or negative. */
static int show_event(struct show *s, const Ipc__Event *event)
{
    int r = scene_event(s->scene, event, s->play->entry.body, s->play->entry.body_n, &s->shown);
    if (r || buffer_size(&s->shown) == 0)
        return r; /* its time is not waited for here, but before what is seen next */
    if (wait_for(s, pause_before(s, event->at_us)) == QUIT)
        return 1;
    return write_shown(s);
}

static int show_all(struct show *s)
{
    Ipc__Event *event;
    int r = 0, failed = 0;
    while (r == 0 && (event = play_next(s->play, &failed))) {
        r = show_event(s, event);
        event_free(event);
    }
    if (r == 0)
        r = failed;
    if (r == 0)
        r = scene_end(s->scene, &s->shown);
    if (r == 0)
        r = write_shown(s);
    return r ? r : s->quit;
}

/* What the person came from draws over it. */
static void wait_for_key(struct show *s)
{
    static const char ask[] = "[any key: back]";
    char key;
    if (s->key_fd >= 0 && buffer_append(&s->out, ask, sizeof ask - 1) == 0 &&
        play_write(s->out_fd, &s->out) == 0)
        (void)next_key(s, NEVER, &key);
}

/* Colours, screen, cursor, scroll region, character set: as they were before, whatever the recording left. */
static int restore_screen(struct show *s, bool quit)
{
    static const char restore[] = "\x1b[0m\x1b(B\x0f\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[r\x1b[999H\r\n";
    int r = buffer_append(&s->out, restore, sizeof restore - 1);
    if (r == 0)
        r = buffer_printf(&s->out, "[%s%s%s]\r\n", quit ? "stopped" : "end of the recording",
                          s->play->ending ? ": " : "", s->play->ending ? s->play->ending : "");
    return r ? r : play_write(s->out_fd, &s->out);
}

static int run(struct show *s)
{
    struct termios before, raw;
    bool keys = s->key_fd >= 0 && tcgetattr(s->key_fd, &before) == 0;
    int key_fd = s->key_fd;
    if (keys) {
        raw = before;
        raw.c_lflag &=
            ~(tcflag_t)(ICANON | ECHO | ISIG); /* Ctrl-C is a key, so that the terminal is restored */
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(key_fd, TCSANOW, &raw);
    }
    int r = show_all(s);
    int restored = r >= 0 ? restore_screen(s, r == 1) : 0;
    if (r == 0 && s->options->wait)
        wait_for_key(s);
    if (keys)
        (void)tcsetattr(key_fd, TCSANOW, &before);
    return r < 0 ? r : restored;
}

int play_terminal(struct play *play, int out_fd, int key_fd, const struct player_options *options)
{
    struct show s = { .play = play,
                      .options = options,
                      .out_fd = out_fd,
                      .key_fd = key_fd,
                      .speed_permille = options->speed_permille };
    play->wait = wait_for_more;
    play->owner = &s;
    filter_init(&s.filter, false);
    buffer_init(&s.shown, SCENE_OUT_MAX);
    buffer_init(&s.out, 4 * (size_t)SCENE_OUT_MAX);
    int r = scene_new(&play->outline, true, &s.scene);
    if (r == 0)
        r = run(&s);
    scene_free(s.scene);
    buffer_free(&s.shown);
    buffer_free(&s.out);
    return r;
}
