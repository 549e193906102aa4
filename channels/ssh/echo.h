/* What was typed at a terminal, as far as it showed: the terminal is at the target, so whether it echoes
 * can't be asked, only seen. docs/recording-format.md, "What is typed" */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

enum { ECHO_TYPED_MAX = 4096 }; /* bytes that wait to be seen */

struct echo;

/* Where it goes; anything but 0 is handed up at once. */
struct echo_calls {
    int (*shown)(void *owner, const uint8_t *bytes,
                 size_t n);     /* a line, or less, every character of which was echoed */
    int (*hidden)(void *owner); /* a line was typed of which some character was not; what, and how long it is,
                                   nobody learns */
};

MUST_USE int echo_new(const struct echo_calls *calls, void *owner, struct echo **ret);
/* Wipes what was not shown. */
void echo_free(struct echo *echo);
DEFINE_CLEANUP(struct echo *, echo_free)
/* Both in the order in which they pass the gate. Errors are those of the calls. */
MUST_USE int echo_typed(struct echo *echo, const uint8_t *bytes, size_t n);
MUST_USE int echo_output(struct echo *echo, const uint8_t *bytes, size_t n);
/* Nothing more will come. */
MUST_USE int echo_end(struct echo *echo);
