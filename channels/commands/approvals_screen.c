/* The screen's loop. A frame is drawn only when all of the one before has gone out, so what a slow line gets
 * is the newest state, and nothing piles up. The ledger is asked one thing at a time: what the person wants
 * goes before what has changed. */
#include "channels/commands/approvals_screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "channels/commands/approval_list.h"
#include "channels/commands/desk.h"
#include "channels/commands/feed.h"
#include "channels/commands/intake.h"
#include "channels/printer.h"
#include "channels/screen/board.h"
#include "channels/screen/keys.h"
#include "channels/tool.h"

enum {
    ESCAPE_MS = 80, /* after which an escape is a key, and not the begin of one */
    FRAME_MS = 40,  /* between two frames */
    FRAME_MAX = 512 * 1024,
    IDLE_MS = 60 * 1000,
};

/* The alternate screen keeps what the person's terminal showed. */
static const char enter[] = "\x1b[?1049h\x1b[?25l", leave[] = "\x1b[0m\x1b[?25h\x1b[?1049l";

enum asking { ASKING_NOTHING, ASKING_LIST, ASKING_ONE, ASKING_DECISION, ASKING_RECORDING };

struct screen {
    struct channel *channel;
    struct board *board;
    struct canvas *shown; /* NULL: everything has to be drawn */
    unsigned columns, rows;
    int cursor_row, cursor_column;
    bool colour, leaving, playing, follow;
    uint32_t status;
    struct keys keys;
    struct intake *input;
    struct printer *out;
    struct timer *draw_timer, *key_timer;
    uint64_t drawn_ms;
    enum asking asking;
    struct feed feed;
    Ipc__Decide *decision;   /* that waits to be sent, or NULL */
    Ipc__AskReplay *opening; /* the same */
};

static void go_on(struct screen *s);

static void screen_free(void *owner)
{
    struct screen *s = owner;
    intake_free(s->input);
    printer_free(s->out);
    timer_free(s->draw_timer);
    timer_free(s->key_timer);
    board_free(s->board);
    canvas_free(s->shown);
    feed_free(&s->feed);
    if (s->decision)
        ipc__decide__free_unpacked(s->decision, NULL);
    if (s->opening)
        ipc__ask_replay__free_unpacked(s->opening, NULL);
    free(s);
}

/* ---- drawing ---- */

static int put_cursor(const struct screen *s, struct buffer *out)
{
    return s->cursor_row < 0
               ? buffer_printf(out, "\x1b[?25l")
               : buffer_printf(out, "\x1b[%d;%dH\x1b[?25h", s->cursor_row + 1, s->cursor_column + 1);
}

static int draw(struct screen *s)
{
    CLEANUP(canvas_free) struct canvas *next = NULL;
    struct buffer out;
    int row = s->cursor_row, column = s->cursor_column;
    buffer_init(&out, FRAME_MAX);
    int r = canvas_new(s->columns, s->rows, &next);
    if (r == 0)
        r = board_draw(s->board, clock_unix_ms(), next, &s->cursor_row, &s->cursor_column);
    if (r == 0)
        r = canvas_paint(s->shown, next, s->colour, &out);
    bool moved = row != s->cursor_row || column != s->cursor_column || buffer_size(&out) > 0;
    if (r == 0 && moved)
        r = put_cursor(s, &out);
    if (r == 0 && buffer_size(&out) > 0)
        printer_put(s->out, buffer_head(&out), buffer_size(&out));
    buffer_free(&out);
    if (r == 0) {
        canvas_free(s->shown);
        s->shown = STEAL(next);
        s->drawn_ms = clock_ms();
    }
    return r;
}

static void wait_for_time(struct screen *s)
{
    uint64_t due = board_due(s->board, clock_unix_ms());
    timer_set(s->draw_timer, due == 0 || due > IDLE_MS ? IDLE_MS : due < FRAME_MS ? FRAME_MS : due);
}

static void draw_soon(struct screen *s)
{
    uint64_t now = clock_ms();
    if (s->playing || s->leaving || !printer_empty(s->out))
        return; /* when that is over it is drawn */
    if (now < s->drawn_ms + FRAME_MS) {
        timer_set(s->draw_timer, s->drawn_ms + FRAME_MS - now);
        return;
    }
    wait_for_time(s);
    if (draw(s)) {
        canvas_free(STEAL(s->shown));
        board_note(s->board, "there is too much to show", true);
    }
}

static void time_is_over(void *owner)
{
    struct screen *s = owner;
    s->drawn_ms = 0;
    if (s->leaving)
        channel_exit(s->channel, s->status);
    else
        draw_soon(s);
}

static void print(struct screen *s, const char *text)
{
    printer_put(s->out, text, strlen(text));
}

static void quit(struct screen *s, uint32_t status)
{
    if (s->leaving)
        return;
    s->leaving = true;
    s->status = status;
    intake_on(s->input, false);
    timer_stop(s->draw_timer);
    if (s->playing)
        return;
    print(s, leave);
    if (printer_empty(s->out)) /* nobody reads */
        timer_set(s->draw_timer, 0);
}

static void on_out_empty(void *owner)
{
    struct screen *s = owner;
    if (s->leaving && !s->playing)
        channel_exit(s->channel, s->status);
    else if (!s->leaving)
        draw_soon(s);
}

/* ---- what the person wants ---- */

static void want_decision(struct screen *s, const struct board_step *step)
{
    if (s->decision) {
        board_note(s->board, "the decision before is still on its way", true);
        return;
    }
    Ipc__Decide decide = IPC__DECIDE__INIT;
    decide.id = step->about->id;
    decide.approve = step->approve;
    decide.reason = (char *)(uintptr_t)step->reason;
    decide.for_ms = step->for_ms;
    decide.digest = step->about->digest;
    size_t n = ipc__decide__get_packed_size(&decide);
    CLEANUP(free) uint8_t *bytes = malloc(n ? n : 1);
    if (bytes)
        s->decision = ipc__decide__unpack(NULL, ipc__decide__pack(&decide, bytes), bytes);
    if (!s->decision)
        board_note(s->board, "out of memory: nothing was sent", true);
}

static void want_recording(struct screen *s, const struct board_step *step)
{
    Ipc__AskReplay ask = IPC__ASK_REPLAY__INIT;
    ask.id = step->about->recording;
    ask.approval = step->about->id;
    size_t n = ipc__ask_replay__get_packed_size(&ask);
    CLEANUP(free) uint8_t *bytes = malloc(n ? n : 1);
    if (s->opening || !bytes)
        return;
    s->opening = ipc__ask_replay__unpack(NULL, ipc__ask_replay__pack(&ask, bytes), bytes);
    s->follow = step->wish == BOARD_FOLLOW;
}

static void take_key(struct screen *s, uint32_t key)
{
    struct board_step step = board_key(s->board, key);
    if (step.wish == BOARD_QUIT)
        quit(s, 0);
    else if (step.wish == BOARD_DECIDE)
        want_decision(s, &step);
    else if (step.wish == BOARD_REPLAY || step.wish == BOARD_FOLLOW)
        want_recording(s, &step);
    else if (step.wish == BOARD_REDRAW)
        canvas_free(STEAL(s->shown));
}

static void nothing_followed(void *owner)
{
    struct screen *s = owner;
    take_key(s, keys_flush(&s->keys));
    go_on(s);
}

static void on_input(void *owner, enum intake_event event, const uint8_t *bytes, size_t n)
{
    struct screen *s = owner;
    if (event == INTAKE_GONE) {
        channel_exit(s->channel, 0);
        return;
    }
    for (size_t i = 0; i < n && !s->leaving; i++)
        take_key(s, keys_take(&s->keys, bytes[i]));
    timer_set(s->key_timer, ESCAPE_MS);
    if (event == INTAKE_END)
        quit(s, 0);
    go_on(s);
}

/* ---- the ledger ---- */

static void ask_list(struct screen *s, enum asking asking, const char *id)
{
    Ipc__AskApprovals ask = IPC__ASK_APPROVALS__INIT;
    ask.form = (char *)(uintptr_t) "packed";
    ask.id = (char *)(uintptr_t)id;
    ask.content = asking == ASKING_ONE;
    s->asking = asking;
    if (!desk_ask(s->channel, &ask))
        return;
}

static void send_decision(struct screen *s)
{
    Ipc__Decide *decide = STEAL(s->decision);
    s->asking = ASKING_DECISION;
    if (!desk_decide(s->channel, decide))
        s->asking = ASKING_NOTHING;
    ipc__decide__free_unpacked(decide, NULL);
}

static void send_opening(struct screen *s)
{
    Ipc__AskReplay *ask = STEAL(s->opening);
    s->asking = ASKING_RECORDING;
    if (!desk_ask_replay(s->channel, ask))
        s->asking = ASKING_NOTHING;
    ipc__ask_replay__free_unpacked(ask, NULL);
}

static void go_on(struct screen *s)
{
    if (s->leaving || s->channel->closing)
        return;
    if (s->asking == ASKING_NOTHING && s->decision)
        send_decision(s);
    else if (s->asking == ASKING_NOTHING && s->opening && !s->playing)
        send_opening(s);
    while (s->asking == ASKING_NOTHING && s->feed.first) {
        CLEANUP(feed_item_free) struct feed_item *item = feed_take(&s->feed);
        if (!item->grant)
            ask_list(s, ASKING_ONE, item->id);
    }
    draw_soon(s);
}

/* The list comes without contents, which may be large: those that are shown are asked for one by one. */
static int want_content(struct screen *s, Ipc__Approval *approval)
{
    Ipc__ApprovalNews news = IPC__APPROVAL_NEWS__INIT;
    news.id = approval->id;
    news.approval = approval;
    return s->feed.n < BOARD_ITEMS_MAX ? feed_add(&s->feed, &news) : 0;
}

static void on_listed(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct screen *s = owner;
    CLEANUP(approval_list_free) Ipc__ApprovalList *list = NULL;
    enum asking asking = s->asking;
    s->asking = ASKING_NOTHING;
    if (refusal || approval_list_read(fd, &list)) {
        board_note(s->board, refusal ? refusal->message : "approvals can't be read", true);
        go_on(s);
        return;
    }
    int r = 0;
    for (size_t i = 0; i < list->n_approvals && r == 0; i++) {
        if (asking == ASKING_LIST)
            r = want_content(s, list->approvals[i]);
        if (r == 0)
            r = board_put(s->board, STEAL(list->approvals[i]), clock_unix_ms());
    }
    if (r)
        board_note(s->board, "out of memory", true);
    go_on(s);
}

static void on_decided(void *owner, const Ipc__AnswerDecide *answer)
{
    struct screen *s = owner;
    char text[512];
    s->asking = ASKING_NOTHING;
    if (answer->refusal)
        (void)snprintf(text, sizeof text, "%s: %s", answer->id, answer->refusal->message);
    else
        (void)snprintf(text, sizeof text, "%s", answer->done);
    board_note(s->board, text, answer->refusal != NULL);
    go_on(s);
}

static void on_news(void *owner, const Ipc__ApprovalNews *news)
{
    struct screen *s = owner;
    int r = feed_add(&s->feed, news);
    if (r == -ENOBUFS)
        board_note(s->board, "more happens than can be shown: leave, and come again", true);
    else if (r)
        board_note(s->board, "out of memory", true);
    go_on(s);
}

/* ---- recordings ---- */

static void come_back(struct screen *s)
{
    s->playing = false;
    if (s->leaving) {
        channel_exit(s->channel, s->status);
        return;
    }
    canvas_free(STEAL(s->shown));
    print(s, enter);
    intake_on(s->input, true);
    go_on(s);
}

static void on_opened(void *owner, const Ipc__Refusal *refusal, int fd)
{
    struct screen *s = owner;
    static char follow[] = "--follow", at_once[] = "--at-once", wait[] = "--wait";
    char *arguments[] = { s->follow ? follow : at_once, wait, NULL };
    s->asking = ASKING_NOTHING;
    if (refusal || fd < 0 || s->leaving) {
        board_note(s->board, refusal ? refusal->message : "the recording can't be opened now", true);
        fd_close(fd);
        go_on(s);
        return;
    }
    s->playing = true;
    intake_on(s->input, false);
    timer_stop(s->draw_timer);
    print(s, leave);
    tool_start(s->channel, IPC__TOOL__TOOL_PLAYER, arguments, 2, &fd, 1);
    fd_close(fd);
}

static void on_tool_over(void *owner, const struct refusal *refusal)
{
    struct screen *s = owner;
    if (refusal)
        board_note(s->board, refusal->reason, true);
    come_back(s);
}

/* ---- the terminal ---- */

static void take_size(struct screen *s, unsigned columns, unsigned rows)
{
    s->columns = columns ? columns : 80;
    s->rows = rows ? rows : 24;
    if (s->columns > CANVAS_COLUMNS_MAX)
        s->columns = CANVAS_COLUMNS_MAX;
    if (s->rows > CANVAS_ROWS_MAX / 4)
        s->rows = CANVAS_ROWS_MAX / 4;
    canvas_free(STEAL(s->shown));
}

static void on_window(void *owner, const Ipc__Window *window)
{
    struct screen *s = owner;
    take_size(s, window->columns, window->rows);
    go_on(s);
}

/* What is said to the person comes behind the screen, not on it. */
static void on_stop(void *owner, const struct refusal *why)
{
    struct screen *s = owner;
    char text[2 * DETAIL_MAX], *rest = text, *line;
    if (s->playing)
        tool_stop(s->channel->tool, why);
    quit(s, refusal_status(why));
    if (s->playing)
        return;
    (void)refusal_lines(why, text, sizeof text);
    while ((line = strsep(&rest, "\n")) && (rest || *line)) {
        print(s, line);
        print(s, "\r\n");
    }
}

static const struct desk_kind screening = { .listed = on_listed,
                                            .decided = on_decided,
                                            .news = on_news,
                                            .opened = on_opened,
                                            .tool_over = on_tool_over,
                                            .window = on_window,
                                            .stop = on_stop,
                                            .free = screen_free };

static const char *variable(const struct channel *channel, const char *name)
{
    for (size_t i = 0; i < channel->open->n_environment; i++)
        if (strcmp(channel->open->environment[i]->name, name) == 0)
            return channel->open->environment[i]->value;
    return "";
}

bool approvals_screen_fits(const struct channel *channel)
{
    static const char *const none[] = { "", "dumb", "unknown", "vt52", "network" };
    for (size_t i = 0; channel->pty && i < sizeof none / sizeof *none; i++)
        if (strcmp(channel->pty->term, none[i]) == 0)
            return false;
    return channel->pty != NULL;
}

/* NO_COLOR, whatever its value; terminals whose names say that they have none. */
static bool has_colour(const struct channel *channel)
{
    const char *term = channel->pty->term;
    bool old = strncmp(term, "vt1", 3) == 0 || strncmp(term, "vt2", 3) == 0 || strncmp(term, "vt3", 3) == 0;
    return !variable(channel, "NO_COLOR")[0] && !old && !strstr(term, "mono") && !strstr(term, "-m");
}

static int open_all(struct screen *s)
{
    struct loop *loop = s->channel->gate->loop;
    int r = board_new(&s->board);
    if (r == 0)
        r = timer_new(loop, time_is_over, s, &s->draw_timer);
    if (r == 0)
        r = timer_new(loop, nothing_followed, s, &s->key_timer);
    if (r == 0)
        r = intake_new(s->channel, on_input, s, &s->input);
    int fd = r ? r : fd_dup(s->channel->data_fd);
    if (fd < 0)
        return fd;
    return printer_new(loop, fd, false, on_out_empty, s, &s->out);
}

void approvals_screen_begin(struct channel *channel)
{
    struct screen *s = calloc(1, sizeof *s);
    if (s)
        *s = (struct screen){ .channel = channel, .cursor_row = -1, .colour = has_colour(channel) };
    if (desk_new(channel, &screening, s))
        return;
    if (open_all(s)) {
        channel_refuse(channel,
                       &(struct refusal){ .code = "limit", .reason = "out of memory or descriptors" });
        return;
    }
    take_size(s, channel->pty->columns, channel->pty->rows);
    if (!desk_follow(channel))
        return;
    print(s, enter);
    ask_list(s, ASKING_LIST, "");
}
