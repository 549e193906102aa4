/* Bytes of a terminal into keys. No I/O. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum key {
    KEY_NONE = 0, /* not complete yet, or one that is not known */
    /* Below 0x110000: a character. Above: */
    KEY_UP = 0x110000,
    KEY_DOWN,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_ENTER,
    KEY_ESCAPE,
    KEY_BACKSPACE,
    KEY_CTRL_C,
    KEY_CTRL_D,
    KEY_CTRL_L,
    KEY_CTRL_U,
};

enum { KEYS_HELD_MAX = 16 }; /* bytes of one key; a longer sequence is dropped */

/* Embedded; empty when zeroed. */
struct keys {
    unsigned char held[KEYS_HELD_MAX];
    size_t n;
};

/* The key that this byte completes. */
uint32_t keys_take(struct keys *keys, unsigned char byte);
/* Nothing followed for a moment: an escape that waits for more is the key itself. */
uint32_t keys_flush(struct keys *keys);
