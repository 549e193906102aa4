/* A terminal's bytes as what a person does to a line. No I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_KEY_BYTES = 24 }; /* of an escape sequence; a longer one is dropped */

enum line_key {
    LINE_KEY_NONE, /* not complete yet, or not known */
    LINE_KEY_TEXT, /* a character */
    LINE_KEY_ENTER,
    LINE_KEY_CANCEL, /* ^C */
    LINE_KEY_END,    /* ^D */
    LINE_KEY_LEFT,
    LINE_KEY_RIGHT,
    LINE_KEY_WORD_LEFT,
    LINE_KEY_WORD_RIGHT,
    LINE_KEY_HOME,
    LINE_KEY_LAST,
    LINE_KEY_UP,
    LINE_KEY_DOWN,
    LINE_KEY_BACKSPACE,
    LINE_KEY_DELETE,
    LINE_KEY_KILL_END,
    LINE_KEY_KILL_START,
    LINE_KEY_KILL_BLANK_LEFT, /* ^W: back to a blank */
    LINE_KEY_KILL_WORD_LEFT,
    LINE_KEY_KILL_WORD_RIGHT,
    LINE_KEY_YANK,
    LINE_KEY_SWAP,
    LINE_KEY_LAST_WORD, /* of the line before */
    LINE_KEY_SEARCH,
    LINE_KEY_STOP, /* ^G */
    LINE_KEY_CLEAR,
    LINE_KEY_FIRST_LINE, /* of the history */
    LINE_KEY_LAST_LINE,
    LINE_KEY_BAD, /* nothing that can be typed into a line */
};

/* Embedded; empty when zeroed. */
struct line_keys {
    uint8_t held[LINE_KEY_BYTES];
    size_t n;
    bool pastes; /* between the brackets of a paste, where keys are text */
    bool last_was_return;
};

/* The key that the byte completes; with LINE_KEY_TEXT, *ret is the character (also a line end or a tab of a
 * paste). */
enum line_key line_keys_take(struct line_keys *keys, uint8_t byte, uint32_t *ret);
