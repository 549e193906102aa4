/* What a command line does, as effects: one for each simple command that it may run, and for each file that a
 * redirection reads or writes. docs/shell-effects.md */
#pragma once
#include "policy/effect.h"

enum {
    SHELL_LINE_MAX = 128 * 1024, /* bytes of a command line; longer ones are unparsable */
};

/* Adds the effects of an exec line (what the target's login shell is given after -c) to *ret. What cannot be
 * decided is EFFECT_UNKNOWN, what is not understood as a whole is EFFECT_UNPARSABLE; either way with a `why`
 * for people. An empty line has no effects. Negative errno only: out of memory. */
MUST_USE int shell_effects(const char *command, size_t n, struct effects *ret);
