/* Sequences are those of xterm and what is like it (ECMA-48 §5.4, DEC's cursor keys), a paste is in brackets
 * ("\e[200~" … "\e[201~"). */
#include "channels/ssh/line_keys.h"

#include <string.h>
#include "channels/screen/width.h"

enum { ESCAPE = 0x1b };

static const struct {
    const char *sequence; /* behind the escape */
    enum line_key key;
} SEQUENCES[] = {
    { "[A", LINE_KEY_UP },
    { "OA", LINE_KEY_UP },
    { "[B", LINE_KEY_DOWN },
    { "OB", LINE_KEY_DOWN },
    { "[C", LINE_KEY_RIGHT },
    { "OC", LINE_KEY_RIGHT },
    { "[D", LINE_KEY_LEFT },
    { "OD", LINE_KEY_LEFT },
    { "[H", LINE_KEY_HOME },
    { "OH", LINE_KEY_HOME },
    { "[1~", LINE_KEY_HOME },
    { "[7~", LINE_KEY_HOME },
    { "[F", LINE_KEY_LAST },
    { "OF", LINE_KEY_LAST },
    { "[4~", LINE_KEY_LAST },
    { "[8~", LINE_KEY_LAST },
    { "[3~", LINE_KEY_DELETE },
    { "[1;5C", LINE_KEY_WORD_RIGHT },
    { "[1;3C", LINE_KEY_WORD_RIGHT },
    { "[5C", LINE_KEY_WORD_RIGHT },
    { "[1;5D", LINE_KEY_WORD_LEFT },
    { "[1;3D", LINE_KEY_WORD_LEFT },
    { "[5D", LINE_KEY_WORD_LEFT },
    { "[3;5~", LINE_KEY_KILL_WORD_RIGHT },
    { "[3;3~", LINE_KEY_KILL_WORD_RIGHT },
    { "f", LINE_KEY_WORD_RIGHT },
    { "F", LINE_KEY_WORD_RIGHT },
    { "b", LINE_KEY_WORD_LEFT },
    { "B", LINE_KEY_WORD_LEFT },
    { "d", LINE_KEY_KILL_WORD_RIGHT },
    { "D", LINE_KEY_KILL_WORD_RIGHT },
    { "\x7f", LINE_KEY_KILL_WORD_LEFT },
    { "\x08", LINE_KEY_KILL_WORD_LEFT },
    { ".", LINE_KEY_LAST_WORD },
    { "_", LINE_KEY_LAST_WORD },
    { "<", LINE_KEY_FIRST_LINE },
    { ">", LINE_KEY_LAST_LINE },
};

static const enum line_key CONTROLS[32] = {
    [0x01] = LINE_KEY_HOME,
    [0x02] = LINE_KEY_LEFT,
    [0x03] = LINE_KEY_CANCEL,
    [0x04] = LINE_KEY_END,
    [0x05] = LINE_KEY_LAST,
    [0x06] = LINE_KEY_RIGHT,
    [0x07] = LINE_KEY_STOP,
    [0x08] = LINE_KEY_BACKSPACE,
    [0x09] = LINE_KEY_BAD,
    [0x0a] = LINE_KEY_ENTER,
    [0x0b] = LINE_KEY_KILL_END,
    [0x0c] = LINE_KEY_CLEAR,
    [0x0d] = LINE_KEY_ENTER,
    [0x0e] = LINE_KEY_DOWN,
    [0x10] = LINE_KEY_UP,
    [0x12] = LINE_KEY_SEARCH,
    [0x14] = LINE_KEY_SWAP,
    [0x15] = LINE_KEY_KILL_START,
    [0x17] = LINE_KEY_KILL_BLANK_LEFT,
    [0x19] = LINE_KEY_YANK,
};

static enum line_key control(uint8_t byte)
{
    enum line_key key = byte == 0x7f ? LINE_KEY_BACKSPACE : CONTROLS[byte & 0x1f];
    return key == LINE_KEY_NONE ? LINE_KEY_BAD : key;
}

/* In a paste line ends are text, and so are tabs; other controls are no part of a command. */
static enum line_key pasted(struct line_keys *keys, uint8_t byte, uint32_t *ret)
{
    bool second = byte == '\n' && keys->last_was_return;
    keys->last_was_return = byte == '\r';
    *ret = byte == '\r' ? '\n' : byte;
    return second                                         ? LINE_KEY_NONE
           : byte == '\r' || byte == '\n' || byte == '\t' ? LINE_KEY_TEXT
                                                          : LINE_KEY_BAD;
}

/* Behind "ESC [" parameters and a final byte; behind "ESC O" one byte. */
static bool is_complete(const struct line_keys *keys)
{
    uint8_t first = keys->held[1], last = keys->held[keys->n - 1];
    if (first == '[')
        return keys->n > 2 && last >= 0x40 && last <= 0x7e;
    return first != 'O' || keys->n > 2;
}

static enum line_key sequence(struct line_keys *keys)
{
    const char *text = (const char *)keys->held + 1;
    size_t n = keys->n - 1;
    enum line_key key = LINE_KEY_NONE;
    if (n == 5 && memcmp(text, "[200~", 5) == 0)
        keys->pastes = true;
    if (n == 5 && memcmp(text, "[201~", 5) == 0)
        keys->pastes = false;
    for (size_t i = 0; i < sizeof SEQUENCES / sizeof SEQUENCES[0] && !keys->pastes; i++)
        if (strlen(SEQUENCES[i].sequence) == n && memcmp(SEQUENCES[i].sequence, text, n) == 0)
            key = SEQUENCES[i].key;
    keys->last_was_return = false;
    return key;
}

static enum line_key in_escape(struct line_keys *keys, uint8_t byte)
{
    if (byte == ESCAPE) { /* the one before was a key of its own */
        keys->n = 1;
        return LINE_KEY_NONE;
    }
    if (keys->n == LINE_KEY_BYTES) {
        keys->n = 0;
        return LINE_KEY_BAD;
    }
    keys->held[keys->n++] = byte;
    if (!is_complete(keys))
        return LINE_KEY_NONE;
    enum line_key key = sequence(keys);
    keys->n = 0;
    return key;
}

static size_t size_of(uint8_t first)
{
    return first >= 0xf0 && first < 0xf5   ? 4
           : first >= 0xe0 && first < 0xf0 ? 3
           : first >= 0xc2 && first < 0xe0 ? 2
                                           : 0;
}

/* A byte of a character beyond ASCII. */
static enum line_key in_character(struct line_keys *keys, uint8_t byte, uint32_t *ret)
{
    bool first = keys->n == 0;
    if (first ? size_of(byte) == 0 : (byte & 0xc0) != 0x80) {
        keys->n = 0;
        return LINE_KEY_BAD;
    }
    keys->held[keys->n++] = byte;
    if (keys->n < size_of(keys->held[0]))
        return LINE_KEY_NONE;
    const char *at = (const char *)keys->held, *end = at + keys->n;
    *ret = utf8_next(&at, end);
    keys->n = 0;
    return at == end && *ret >= 0xa0 && *ret != 0xfffd ? LINE_KEY_TEXT : LINE_KEY_BAD; /* not C1 either */
}

enum line_key line_keys_take(struct line_keys *keys, uint8_t byte, uint32_t *ret)
{
    if (keys->n > 0 && keys->held[0] == ESCAPE)
        return in_escape(keys, byte);
    if (keys->n > 0 && byte < 0x80)
        keys->n = 0; /* a character that was cut */
    if (keys->n > 0 || byte >= 0x80)
        return in_character(keys, byte, ret);
    if (byte == ESCAPE) {
        keys->held[keys->n++] = byte;
        return LINE_KEY_NONE;
    }
    if (byte >= ' ' && byte != 0x7f) {
        keys->last_was_return = false;
        *ret = byte;
        return LINE_KEY_TEXT;
    }
    return keys->pastes ? pasted(keys, byte, ret) : control(byte);
}
