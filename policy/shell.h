/* What a command line does, as effects: one for each simple command that it may run, and for each file that a
 * redirection reads or writes. docs/shell-effects.md */
#pragma once
#include "policy/effect.h"

enum {
    /* Bytes of a command line; longer ones are unparsable. libtree-sitter 0.20 corrupts its memory when a
     * node has more than 65535 children (tokens, of which some have no bytes): this stays well below. */
    SHELL_LINE_MAX = 24 * 1024,
};

/* Adds the effects of an exec line (what the target's login shell is given after -c) to *ret. What cannot be
 * decided is EFFECT_UNKNOWN, what is not understood as a whole is EFFECT_UNPARSABLE; either way with a `why`
 * for people. An empty line has no effects. Negative errno only: out of memory. */
MUST_USE int shell_effects(const char *command, size_t n, struct effects *ret);
