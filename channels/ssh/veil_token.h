/* A terminal's output, cut into what belongs together: characters, controls, sequences (ECMA-48 §5). No I/O.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VEIL_SEQUENCE_MAX = 256,  /* bytes of a control sequence */
    VEIL_PARAMETERS_MAX = 16, /* of a control sequence */
    VEIL_STRING_MAX = 4096,   /* bytes of a control string (a title, a link) */
};

enum veil_token_kind {
    VEIL_PART,      /* more bytes are wanted */
    VEIL_CHARACTER, /* UTF-8, whole */
    VEIL_CONTROL,   /* C0, DEL, or a short escape sequence */
    VEIL_SEQUENCE,  /* CSI … */
    VEIL_OSC,       /* OSC … ST or BEL */
    VEIL_DROPPED, /* not to be followed: broken, too long, a string of another kind (DCS, SOS, PM, APC) … */
};

struct veil_token {
    enum veil_token_kind kind;
    size_t n; /* bytes */
};

/* What bytes[0, n) begin with. With VEIL_PART n is 0: there are less than VEIL_STRING_MAX + 2 bytes. */
struct veil_token veil_token_of(const uint8_t *bytes, size_t n);
