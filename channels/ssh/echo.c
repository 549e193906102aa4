/* A password is what is typed and does not show. So what is typed waits, line by line, until the screen has
 * shown it: only a line of which every character came back is passed on, whole, and all others only as their
 * number: one.
 *
 * A character has come back when it is the next that the target prints after it was typed, but for what moves
 * the cursor or colours text. Anything else that is printed meanwhile hides the line: rather a line too few
 * than one character of a password, which a background job happened to print. Keys that have no character
 * (arrows, Tab, Backspace …) are never looked for; what they make the target print is passed over until the
 * next typed character shows. Enter, and ^C, ^D, ^Z,
 * ^\ end a line: they need not show, but the newline after a line shows that nothing more of it will come
 * back. */
#include "channels/ssh/echo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOSE_MAX = 4096,      /* bytes that a key without a character may make the target print */
    STRING_LONGEST = 4096, /* bytes of a control string: then it was none */
    BACK_MAX = 1024, /* columns that the cursor is followed back: a shell prints them again (zsh, fish) */
    OWED_MAX = 16,
    KEY_LONGEST = 16, /* bytes of an escape sequence that a key sends */
    ESCAPE = 0x1b,
    DELETE = 0x7f,
    BACKSPACE = 0x08,
};

/* Where in an escape sequence of the output we are (ECMA-48). */
enum escape { PLAIN, AFTER_ESCAPE, CHARSET, CONTROL, STRING, STRING_ESCAPE };

struct echo {
    const struct echo_calls *calls;
    void *owner;
    uint8_t typed[ECHO_TYPED_MAX];
    size_t n, at;   /* bytes that wait; those that have shown, or need not */
    bool hides;     /* the line is not passed on */
    size_t partial; /* bytes before `at` of a key that may not be all there */
    size_t owed;    /* newlines of lines that were forgotten before */
    size_t loose;   /* bytes that may be passed over */
    size_t back;
    enum escape escape;
    size_t string; /* bytes of a control string so far */
};

int echo_new(const struct echo_calls *calls, void *owner, struct echo **ret)
{
    struct echo *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->calls = calls;
    e->owner = owner;
    *ret = e;
    return 0;
}

void echo_free(struct echo *e)
{
    if (!e)
        return;
    explicit_bzero(e, sizeof *e);
    free(e);
}

/* ---- lines ---- */

static bool ends_line(uint8_t byte)
{
    static const uint8_t ends[] = { '\r', '\n', 0x03, 0x04, 0x1a, 0x1c };
    return memchr(ends, byte, sizeof ends) != NULL;
}

static void drop(struct echo *e, size_t n)
{
    memmove(e->typed, e->typed + n, e->n - n);
    explicit_bzero(e->typed + e->n - n, n);
    e->n -= n;
    e->at = e->partial = 0;
    e->loose = e->back = 0;
}

/* How many bytes the line has that waits, with what ends it; 0: it goes on. */
static size_t line_size(const struct echo *e)
{
    for (size_t i = 0; i < e->n; i++) {
        if (ends_line(e->typed[i]))
            return i + 1;
    }
    return 0;
}

/* ---- keys ---- */

/* Bytes of the key at the front that has no character; 0: it has one. */
static size_t key_size(const uint8_t *p, size_t n, bool *ret_whole)
{
    *ret_whole = true;
    if (p[0] != ESCAPE)
        return p[0] < ' ' || p[0] == DELETE ? 1 : 0;
    if (n > 1 && p[1] == ESCAPE)
        return 1;
    if (n > 1 && p[1] != '[' && p[1] != 'O')
        return 2; /* Alt with a key */
    for (size_t i = 2; i < n && i < KEY_LONGEST; i++) {
        if (p[i] >= '@' && p[i] <= '~')
            return i + 1;
    }
    *ret_whole = n >= KEY_LONGEST;
    return n < KEY_LONGEST ? n : KEY_LONGEST;
}

/* Over keys that need not show. One that is not all there is looked at again when more comes. */
static void skip_keys(struct echo *e)
{
    bool whole = true;
    e->at -= e->partial;
    e->partial = 0;
    while (e->at < e->n && !ends_line(e->typed[e->at])) {
        size_t size = key_size(e->typed + e->at, e->n - e->at, &whole);
        if (size == 0)
            return;
        e->at += size;
        e->partial = whole ? 0 : size;
        e->loose = LOOSE_MAX;
    }
}

/* ---- lines that are over ---- */

static int pass_on(struct echo *e, size_t n)
{
    int r = n > 0 ? e->calls->shown(e->owner, e->typed, n) : 0;
    drop(e, n);
    skip_keys(e);
    return r;
}

/* Forgets what waits of a line that hides. */
static int forget(struct echo *e)
{
    size_t size = line_size(e);
    drop(e, size ? size : e->n);
    if (size == 0)
        return 0;
    e->hides = false;
    e->owed += e->owed < OWED_MAX ? 1 : 0;
    skip_keys(e);
    return e->calls->hidden(e->owner);
}

static int hide(struct echo *e)
{
    e->hides = true;
    return forget(e);
}

/* Something was printed after the whole line had shown: it is over. */
static int settle(struct echo *e)
{
    if (e->at == e->n || !ends_line(e->typed[e->at]))
        return 0;
    uint8_t end = e->typed[e->at];
    int r = pass_on(e, e->at + 1);
    if (end != '\r' && end != '\n')
        e->loose += sizeof "^C" - 1; /* by which terminals show such a key */
    return r;
}

static int take(struct echo *e, const uint8_t *bytes, size_t n)
{
    memcpy(e->typed + e->n, bytes, n);
    e->n += n;
    while (e->hides && e->n > 0) {
        int r = forget(e);
        if (r)
            return r;
    }
    skip_keys(e);
    return 0;
}

int echo_typed(struct echo *e, const uint8_t *bytes, size_t n)
{
    int r = 0;
    while (n > 0 && r == 0) {
        size_t room = ECHO_TYPED_MAX - e->n, piece = n < room ? n : room;
        if (room > 0)
            r = take(e, bytes, piece);
        else if (e->at == e->n)
            r = pass_on(e, e->n); /* a very long line; all of it has shown so far */
        else
            r = hide(e);
        bytes += piece;
        n -= piece;
    }
    return r;
}

/* ---- output ---- */

static int newline(struct echo *e)
{
    e->back = 0;
    if (e->owed > 0) {
        e->owed--;
        return 0;
    }
    if (e->at == e->n)
        return 0;
    if (ends_line(e->typed[e->at]))
        return settle(e);
    bool over = line_size(e) > 0;
    int r = over || e->loose == 0 ? hide(e) : 0;
    if (over)
        e->owed--; /* this one */
    return r;
}

static int printed(struct echo *e, uint8_t byte)
{
    int r = settle(e);
    if (e->at == e->n)
        e->back = e->back > 0 ? e->back - 1 : 0;
    if (r || e->at == e->n)
        return r;
    if (byte == e->typed[e->at]) {
        e->at++;
        e->loose = 0;
        e->back = e->back > 0 ? e->back - 1 : 0;
        skip_keys(e);
    } else if (e->loose > 0) {
        e->loose--;
    } else if (e->back > 0) {
        e->back--;
    } else if (byte != ' ') { /* shells wrap lines by one */
        return hide(e);
    }
    return 0;
}

/* True when the byte belongs to an escape sequence. */
static bool is_escape(struct echo *e, uint8_t byte)
{
    static const uint8_t strings[] = { ']', 'P', 'X', '^', '_' };
    static const uint8_t charsets[] = { '(', ')', '*', '+', '-', '.', '/', '#', '%', ' ' };
    switch (e->escape) {
    case PLAIN:
        if (byte == ESCAPE)
            e->escape = AFTER_ESCAPE;
        return byte == ESCAPE;
    case AFTER_ESCAPE:
        e->string = 0;
        e->escape = byte == '['                               ? CONTROL
                    : memchr(strings, byte, sizeof strings)   ? STRING
                    : memchr(charsets, byte, sizeof charsets) ? CHARSET
                                                              : PLAIN;
        return true;
    case CONTROL:
        if (byte >= '@' && byte <= '~')
            e->escape = PLAIN;
        return true;
    case STRING:
        e->escape = byte == 0x07 || ++e->string > STRING_LONGEST ? PLAIN
                    : byte == ESCAPE                             ? STRING_ESCAPE
                                                                 : STRING;
        return true;
    default:
        e->escape = PLAIN; /* of a charset or a string's end */
        return true;
    }
}

int echo_output(struct echo *e, const uint8_t *bytes, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        if (is_escape(e, bytes[i]))
            continue;
        if (bytes[i] == '\n')
            r = newline(e);
        else if (bytes[i] == BACKSPACE)
            e->back += e->back < BACK_MAX ? 1 : 0;
        else if (bytes[i] >= ' ' && bytes[i] != DELETE)
            r = printed(e, bytes[i]);
    }
    return r;
}

int echo_end(struct echo *e)
{
    int r = 0;
    while (r == 0 && e->n > 0 && !e->hides && (e->at == e->n || ends_line(e->typed[e->at])))
        r = e->at == e->n ? pass_on(e, e->n) : settle(e);
    if (r == 0 && (e->n > 0 || e->hides))
        r = e->calls->hidden(e->owner);
    explicit_bzero(e->typed, sizeof e->typed);
    e->n = e->at = 0;
    e->hides = false;
    return r;
}
