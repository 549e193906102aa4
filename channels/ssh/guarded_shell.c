/* Marks are \001NONCE;KIND;…;NONCE\002. A program that prints one which it can't know is a program that
 * prints something; one that found the nonce out (it is in the memory of a shell of the same user) can end
 * its own command early, in the recording and on the screen: then the next command is typed into it. It can't
 * make anything run.
 *
 * Each command has a number, which its marks have too: one of another number is old. */
#include "channels/ssh/guarded_shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BEGIN = 0x01,
    END = 0x02,
    STAMP = 0xff,
    PATH_SIZE = 4096,
    ESCAPE = 4, /* bytes that stand for one of a command */
};
_Static_assert(GUARDED_WAITING_MAX < 1 << GUARDED_LENGTH_DIGITS, "every length can be said");

enum state {
    SAYS_HELLO,
    STARTS, /* hello came, and the setup was sent */
    IDLE,
    SENT, /* a command */
    RUNS,
    SYNCS, /* it is over; what was typed ahead comes back */
};

/* One of the two streams of output. */
struct stream_reader {
    struct buffer held; /* a mark, as far as it came */
    bool ended;         /* the end of the current command was seen in it */
};

struct guarded_shell {
    const struct guarded_calls *calls;
    void *owner;
    enum state state;
    bool terminal, typed; /* typed: keys went to the command that runs */
    bool unsure;          /* whether the command that was sent is still there */
    bool partial;         /* something of what was typed ahead came back already */
    unsigned long number;
    unsigned status;
    char nonce[GUARDED_NONCE + 1], directory[PATH_SIZE], home[PATH_SIZE];
    struct stream_reader readers[2];
    struct buffer waiting;
};

int guarded_shell_new(bool terminal, const char *nonce, const struct guarded_calls *calls, void *owner,
                      struct guarded_shell **ret)
{
    struct guarded_shell *shell = strlen(nonce) == GUARDED_NONCE ? calloc(1, sizeof *shell) : NULL;
    if (!shell)
        return strlen(nonce) == GUARDED_NONCE ? -ENOMEM : -EINVAL;
    shell->calls = calls;
    shell->owner = owner;
    shell->terminal = terminal;
    memcpy(shell->nonce, nonce, GUARDED_NONCE);
    buffer_init(&shell->readers[0].held, GUARDED_MARK_MAX);
    buffer_init(&shell->readers[1].held, GUARDED_MARK_MAX);
    buffer_init(&shell->waiting, GUARDED_WAITING_MAX);
    *ret = shell;
    return 0;
}

void guarded_shell_free(struct guarded_shell *shell)
{
    if (!shell)
        return;
    buffer_free(&shell->readers[0].held);
    buffer_free(&shell->readers[1].held);
    buffer_free(&shell->waiting);
    free(shell);
}

struct buffer *guarded_shell_waiting(struct guarded_shell *shell)
{
    return &shell->waiting;
}

bool guarded_shell_is_idle(const struct guarded_shell *shell)
{
    return shell->state == IDLE;
}

bool guarded_shell_runs(const struct guarded_shell *shell)
{
    return shell->state == RUNS;
}

unsigned guarded_shell_status(const struct guarded_shell *shell)
{
    return shell->status;
}

const char *guarded_shell_directory(const struct guarded_shell *shell)
{
    return shell->directory;
}

const char *guarded_shell_home(const struct guarded_shell *shell)
{
    return shell->home;
}

/* ---- to the target ---- */

static int send_text(struct guarded_shell *shell, const char *text)
{
    return buffer_append(&shell->waiting, text, strlen(text));
}

/* One line, with the nonce. */
static int send_setup(struct guarded_shell *shell)
{
    size_t before = buffer_size(&shell->waiting);
    const char *at = guarded_script_setup(shell->terminal);
    int r = 0;
    while (r == 0 && *at) {
        size_t n = strcspn(at, "@");
        r = buffer_append(&shell->waiting, at, n);
        at += n;
        if (r == 0 && *at == '@') {
            r = send_text(shell, shell->nonce);
            at++;
        }
    }
    while (r == 0 && (buffer_size(&shell->waiting) - before + 1) % GUARDED_LINE != 0)
        r = send_text(shell, " ");
    return r ? r : send_text(shell, "\n");
}

static int send_sync(struct guarded_shell *shell)
{
    static const char sync[] = { '\n', (char)STAMP, 'S', ';', '\n', '\0' };
    return send_text(shell, sync);
}

/* How many bytes of escapes come, in letters: guarded_script.c, TAKE_COMMAND. */
static void say_length(char out[GUARDED_LENGTH_DIGITS + 1], size_t n)
{
    for (size_t i = GUARDED_LENGTH_DIGITS; i-- > 0; n /= 2)
        out[i] = n % 2 ? 'z' : 'y';
    out[GUARDED_LENGTH_DIGITS] = '\0';
}

static int send_escaped(struct guarded_shell *shell, const char *line, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        uint8_t byte = (uint8_t)line[i];
        char escape[ESCAPE] = { '\\', (char)('0' + (byte >> 6)), (char)('0' + (byte >> 3 & 7)),
                                (char)('0' + (byte & 7)) };
        r = buffer_append(&shell->waiting, escape, sizeof escape);
    }
    return r ? r : send_text(shell, "\n");
}

int guarded_shell_run(struct guarded_shell *shell, const char *line, size_t n, unsigned status)
{
    char head[96], length[GUARDED_LENGTH_DIGITS + 1];
    if (shell->state != IDLE)
        return -EBUSY;
    if (n > GUARDED_WAITING_MAX / ESCAPE)
        return -ENOBUFS;
    say_length(length, ESCAPE * n);
    int size = snprintf(head, sizeof head, "%s%cR;%s;%lu;%u\n", shell->terminal ? "\n" : "", STAMP, length,
                        shell->number + 1, status & 0xff);
    if (ESCAPE * n + (size_t)size + 1 > GUARDED_WAITING_MAX - buffer_size(&shell->waiting))
        return -ENOBUFS;
    int r = buffer_append(&shell->waiting, head, (size_t)size);
    r = r ? r : send_escaped(shell, line, n);
    if (r)
        return r;
    shell->number++;
    shell->typed = shell->unsure = false;
    shell->readers[0].ended = shell->readers[1].ended = false;
    shell->state = SENT;
    return 0;
}

static bool is_in_utf8(uint8_t byte)
{
    return byte < 0xf8 && byte != 0xc0 && byte != 0xc1;
}

int guarded_shell_type(struct guarded_shell *shell, const uint8_t *bytes, size_t n)
{
    int r = shell->state == RUNS ? 0 : -EBUSY;
    for (size_t i = 0; i < n && r == 0;) {
        size_t from = i;
        while (i < n && is_in_utf8(bytes[i]))
            i++;
        r = buffer_append(&shell->waiting, bytes + from, i - from);
        i += i < n;
    }
    shell->typed = shell->typed || n > 0;
    return r;
}

/* ---- marks ---- */

/* The field in front of the next ';' is a number. */
static bool take_number(const char **at, const char *end, unsigned long *ret)
{
    const char *from = *at;
    unsigned long value = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && *at - from < 10; (*at)++)
        value = value * 10 + (unsigned long)(**at - '0');
    if (*at == from || *at == end || **at != ';')
        return false;
    (*at)++;
    *ret = value;
    return true;
}

static void keep_name(char *out, const char *text, size_t n)
{
    n = n < PATH_SIZE ? n : PATH_SIZE - 1;
    memcpy(out, text, n);
    out[n] = '\0';
}

static int tell(struct guarded_shell *shell, enum guarded_news news)
{
    return shell->calls->news(shell->owner, news, "", 0);
}

static int become_idle(struct guarded_shell *shell, enum guarded_news news)
{
    shell->state = IDLE;
    return tell(shell, news);
}

/* The end of a command, in all of its streams. */
static int ended(struct guarded_shell *shell)
{
    if (shell->state == STARTS)
        return become_idle(shell, GUARDED_READY);
    if (!shell->terminal || !shell->typed)
        return become_idle(shell, GUARDED_ENDED);
    shell->state = SYNCS;
    shell->partial = false;
    return send_sync(shell);
}

/* E;number;status;directory; of the errors just E;number;; */
static int take_end(struct guarded_shell *shell, bool is_error, const char *at, const char *end)
{
    unsigned long number = 0, status = 0;
    if (!take_number(&at, end, &number))
        return 0;
    bool current =
        number == shell->number && (shell->state == STARTS || shell->state == SENT || shell->state == RUNS);
    if (!is_error && take_number(&at, end, &status) && (current || shell->state == IDLE)) {
        shell->status = (unsigned)status & 0xff;
        keep_name(shell->directory, at, (size_t)(end - at));
    }
    if (shell->state == SYNCS)
        return number == shell->number ? send_sync(shell) : 0; /* a signal made it forget what was sent */
    if (shell->state == SENT && number + 1 == shell->number && shell->terminal) {
        shell->unsure = true; /* it began anew: before it had read the command, or while it did */
        return send_sync(shell);
    }
    if (!current)
        return 0;
    shell->readers[is_error].ended = true;
    return shell->readers[0].ended && (shell->terminal || shell->readers[1].ended) ? ended(shell) : 0;
}

/* T;a line that nobody has read. Its end is between two of them: the last one is what the bastion has ended.
 */
static int take_typed(struct guarded_shell *shell, const char *at, size_t n)
{
    if (shell->state != SYNCS)
        return 0;
    int r = shell->partial ? shell->calls->news(shell->owner, GUARDED_TYPED, "\n", 1) : 0;
    shell->partial = true;
    return r || n == 0 ? r : shell->calls->news(shell->owner, GUARDED_TYPED, at, n);
}

/* What was sent before the question has been read. */
static int take_sync(struct guarded_shell *shell)
{
    if (shell->state == SYNCS)
        return become_idle(shell, GUARDED_ENDED);
    return shell->state == SENT && shell->unsure ? become_idle(shell, GUARDED_LOST) : 0;
}

/* What is between the nonces: KIND;…  */
static int take_mark(struct guarded_shell *shell, bool is_error, const char *at, const char *end)
{
    char kind = *at;
    bool bare = end - at == 1;
    at += bare ? 1 : 2;
    switch (kind) {
    case 'E':
        return take_end(shell, is_error, at, end);
    case 'B':
        if (shell->state != SENT || strtoul(at, NULL, 10) != shell->number)
            return 0;
        shell->state = RUNS;
        shell->typed = shell->unsure; /* then the question is still there */
        return tell(shell, GUARDED_BEGUN);
    case 'T':
        return take_typed(shell, at, (size_t)(end - at));
    case 'Y':
        return take_sync(shell);
    default:
        return 0;
    }
}

/* ---- from the target ---- */

static int pass(struct guarded_shell *shell, bool is_error, const uint8_t *bytes, size_t n)
{
    if (n == 0 || shell->state == STARTS) /* prompts of shells that begin */
        return 0;
    return shell->calls->output(shell->owner, is_error, bytes, n);
}

static int take_hello(struct guarded_shell *shell, const char *home, size_t n)
{
    keep_name(shell->home, home, n);
    shell->state = STARTS;
    return send_setup(shell);
}

/* What the held bytes, which begin with BEGIN, are: 1: a mark, of *ret_n bytes; 0: perhaps, once there is
 * more; -1: none. */
static int find_mark(const struct guarded_shell *shell, const uint8_t *bytes, size_t n, size_t *ret_n)
{
    static const char hello[] = "gatehouse;";
    bool greets = shell->state == SAYS_HELLO;
    const char *opens = greets ? hello : shell->nonce;
    size_t length = strlen(opens), there = n - 1 < length ? n - 1 : length;
    if (memcmp(bytes + 1, opens, there) != 0)
        return -1;
    if (there < length)
        return 0;
    for (const uint8_t *at = bytes + 1 + length; (at = memchr(at, END, n - (size_t)(at - bytes))) != NULL;
         at++) {
        size_t size = (size_t)(at - bytes);
        bool closes = greets || (size >= 2 * length + 4 && at[-1 - (ptrdiff_t)length] == ';' &&
                                 memcmp(at - length, opens, length) == 0);
        if (closes) {
            *ret_n = size + 1;
            return 1;
        }
    }
    return n < GUARDED_MARK_MAX ? 0 : -1;
}

static int take_whole(struct guarded_shell *shell, bool is_error, size_t n)
{
    const char *bytes = (const char *)buffer_head(&shell->readers[is_error].held);
    if (shell->state == SAYS_HELLO)
        return take_hello(shell, bytes + 1 + strlen("gatehouse;"), n - 2 - strlen("gatehouse;"));
    return take_mark(shell, is_error, bytes + 1 + GUARDED_NONCE + 1, bytes + n - 2 - GUARDED_NONCE);
}

/* What is held is a mark, or none, or waits. */
static int settle(struct guarded_shell *shell, bool is_error)
{
    struct buffer *held = &shell->readers[is_error].held;
    int r = 0;
    while (r == 0 && buffer_size(held) > 0) {
        const uint8_t *bytes = buffer_head(held);
        size_t n = buffer_size(held), size = 0;
        const uint8_t *begin = memchr(bytes, BEGIN, n);
        if (begin != bytes) {
            size = begin ? (size_t)(begin - bytes) : n;
            r = pass(shell, is_error, bytes, size);
        } else {
            int found = find_mark(shell, bytes, n, &size);
            if (found == 0)
                return 0;
            size = found > 0 ? size : 1;
            r = found > 0 ? take_whole(shell, is_error, size) : pass(shell, is_error, bytes, 1);
        }
        buffer_consume(held, size);
    }
    buffer_shrink(held, 0);
    return r;
}

int guarded_shell_output(struct guarded_shell *shell, bool is_error, const uint8_t *bytes, size_t n)
{
    struct buffer *held = &shell->readers[is_error].held;
    int r = 0;
    while (r == 0 && n > 0) {
        size_t plain = 0;
        if (buffer_size(held) == 0) {
            const uint8_t *begin = memchr(bytes, BEGIN, n);
            plain = begin ? (size_t)(begin - bytes) : n;
            r = pass(shell, is_error, bytes, plain);
            bytes += plain;
            n -= plain;
        }
        size_t room = GUARDED_MARK_MAX - buffer_size(held), piece = n < room ? n : room;
        if (r == 0 && piece > 0) {
            r = buffer_append(held, bytes, piece);
            r = r ? r : settle(shell, is_error);
        }
        bytes += piece;
        n -= piece;
    }
    return r;
}
