/* Terminal output made safe to show again: what draws stays, what acts on the viewer's terminal or makes it
 * answer (OSC, DCS, device reports, printing, mouse and keyboard modes, window operations) is dropped. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"

enum {
    FILTER_SEQUENCE_MAX = 64, /* bytes of a control sequence; longer ones are dropped */
    FILTER_STRING_MAX = 8192, /* bytes of a control string that are swallowed while its end is awaited */
};

enum filter_state {
    FILTER_TEXT,
    FILTER_ESCAPE,
    FILTER_CHARSET,
    FILTER_CSI,
    FILTER_STRING,
    FILTER_STRING_ESCAPE
};

/* Embedded; carries what a sequence that is split over several outputs needs. */
struct filter {
    bool plain; /* drop every escape sequence: for text files */
    enum filter_state state;
    uint8_t sequence[FILTER_SEQUENCE_MAX];
    size_t n, swallowed;
    uint8_t utf8[4];
    size_t utf8_n, utf8_need;
    bool after_cr;
};

void filter_init(struct filter *filter, bool plain);
/* Appends at most 3 * n + 8 bytes. Bytes that are not UTF-8 become U+FFFD. */
MUST_USE int filter_run(struct filter *filter, const uint8_t *bytes, size_t n, struct buffer *out);
