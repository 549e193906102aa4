/* A shell that goes on from line to line (docs/guarded-shells.md): what a line does when earlier ones have
 * defined functions, or changed what commands mean. */
#pragma once
#include "policy/shell.h"

enum {
    SHELL_FUNCTIONS_MAX = 256,         /* definitions that are kept, the same name's again included */
    SHELL_FUNCTIONS_SIZE = 256 * 1024, /* bytes of all of them; beyond either no command is known any more */
};

struct shell_session;

MUST_USE int shell_session_new(struct shell_session **ret);
void shell_session_free(struct shell_session *session);
DEFINE_CLEANUP(struct shell_session *, shell_session_free)

/* shell_effects() of a line that this shell would read next: with the effects of the functions that it calls,
 * and EFFECT_UNKNOWN once an earlier line may have changed what commands mean. */
MUST_USE int shell_session_effects(struct shell_session *session, const char *line, size_t n,
                                   struct effects *ret);
/* The line runs: what it defines counts from now on. -ENOMEM. */
MUST_USE int shell_session_ran(struct shell_session *session, const char *line, size_t n);

/* Whether a shell would read another line before it runs this: a quote, a here-document, a loop … is open.
 * Negative errno, or 0 and 1. */
MUST_USE int shell_is_unfinished(const char *line, size_t n);
