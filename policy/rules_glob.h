/* Globs over the words of a command, and over paths: what `commands:` and `paths:` hold. Private to the
 * rules.
 *
 * `*` stands for any text and `?` for one character, nothing else is special. In a pattern of commands a `*`
 * that is a word of its own stands for any number of words, also none. docs/shell-effects.md has the reasons.
 */
#pragma once
#include <stdbool.h>
#include "policy/effect.h"
#include "policy/rules_match.h"

/* effect: of kind EFFECT_RUN. Surely: word for word, a `*` inside of a word stays in it and does not stand
 * for anything with "..", and what cannot be known is covered by a `*` of its own alone. A name with a
 * directory is the bare name only where that is one of the system's (/bin, /usr/bin, /sbin, /usr/sbin).
 * Perhaps: blanks are blanks, a `*` stands for anything, the directory of the name does not matter, nor does
 * letter case. */
bool glob_command(const char *pattern, const struct effect *effect, enum certainty certainty);
/* effect: with a path. `*` also stands for "/". Perhaps: "/etc/ *" without the blank is about /etc, too, and
 * what renames a directory is about everything below. */
bool glob_path(const char *pattern, const struct effect *effect, enum certainty certainty);
