/* See keys.h. CSI and SS3 sequences as xterm, the Linux console, tmux and PuTTY send them. */
#include "channels/screen/keys.h"

#include <stdbool.h>
#include <string.h>

#include "channels/screen/width.h"

static const struct {
    const char *bytes;
    uint32_t key;
} sequences[] = {
    { "\x1b[A", KEY_UP },       { "\x1bOA", KEY_UP },         { "\x1b[B", KEY_DOWN },  { "\x1bOB", KEY_DOWN },
    { "\x1b[5~", KEY_PAGE_UP }, { "\x1b[6~", KEY_PAGE_DOWN }, { "\x1b[H", KEY_HOME },  { "\x1bOH", KEY_HOME },
    { "\x1b[1~", KEY_HOME },    { "\x1b[7~", KEY_HOME },      { "\x1b[F", KEY_END },   { "\x1bOF", KEY_END },
    { "\x1b[4~", KEY_END },     { "\x1b[8~", KEY_END },       { "\x1bOM", KEY_ENTER },
};

static uint32_t single(unsigned char byte)
{
    switch (byte) {
    case '\r':
    case '\n':
        return KEY_ENTER;
    case 0x7f:
    case 0x08:
        return KEY_BACKSPACE;
    case 0x03:
        return KEY_CTRL_C;
    case 0x04:
        return KEY_CTRL_D;
    case 0x0c:
        return KEY_CTRL_L;
    case 0x15:
        return KEY_CTRL_U;
    case 0x10: /* Ctrl-P, Ctrl-N */
        return KEY_UP;
    case 0x0e:
        return KEY_DOWN;
    default:
        return byte >= 0x20 ? byte : KEY_NONE;
    }
}

static uint32_t forget(struct keys *keys, uint32_t key)
{
    keys->n = 0;
    return key;
}

/* Behind an escape: SS3 has one byte more, CSI goes on to a byte from @ to ~ (ECMA-48 §5.4). */
static bool is_complete(const struct keys *keys)
{
    unsigned char last = keys->held[keys->n - 1];
    if (keys->n == 2)
        return last != '[' && last != 'O';
    return keys->held[1] == 'O' || (last >= 0x40 && last <= 0x7e);
}

static uint32_t take_sequence(struct keys *keys)
{
    if (!is_complete(keys))
        return KEY_NONE;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
        if (keys->n == strlen(sequences[i].bytes) && memcmp(keys->held, sequences[i].bytes, keys->n) == 0)
            return forget(keys, sequences[i].key);
    return forget(keys, KEY_NONE);
}

static uint32_t take_utf8(struct keys *keys)
{
    unsigned char first = keys->held[0];
    size_t need = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (keys->n < need)
        return KEY_NONE;
    const char *at = (const char *)keys->held;
    uint32_t code = utf8_next(&at, at + keys->n);
    /* C1 controls are no text. */
    return forget(keys, code == 0xfffd || (code >= 0x80 && code < 0xa0) ? KEY_NONE : code);
}

uint32_t keys_take(struct keys *keys, unsigned char byte)
{
    if (keys->n == KEYS_HELD_MAX)
        keys->n = 0;
    /* Two escapes: the first was the key. */
    if (keys->n == 1 && keys->held[0] == 0x1b && byte == 0x1b)
        return KEY_ESCAPE;
    if (keys->n == 0 && byte != 0x1b && byte < 0xc0)
        return byte < 0x80 ? single(byte) : KEY_NONE;
    keys->held[keys->n++] = byte;
    if (keys->held[0] != 0x1b)
        return take_utf8(keys);
    return keys->n == 1 ? KEY_NONE : take_sequence(keys);
}

uint32_t keys_flush(struct keys *keys)
{
    bool escape = keys->n == 1 && keys->held[0] == 0x1b;
    return forget(keys, escape ? KEY_ESCAPE : KEY_NONE);
}
