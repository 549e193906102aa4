/* What the parts of the shell's reader share. Private to policy/shell*.
 *
 * Failing is sticky: after shell_refuse() or running out of memory every function returns at once, and what
 * they return is worthless. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "policy/shell.h"
#include "policy/ssh_effects.h"

enum {
    SHELL_DEPTH_MAX = 32,                /* of anything inside of anything, strings for `sh -c` included */
    SHELL_COMMANDS_MAX = 2048,           /* simple commands of a line, with those inside of others */
    SHELL_MEMORY_MAX = 16 * 1024 * 1024, /* bytes, for one line */
    SHELL_HEREDOCS_MAX = 16,             /* that begin in one line of the text */
    SHELL_HEREDOCS_ALL_MAX = 128,        /* in the whole line: tree-sitter's time grows with their square */
    SHELL_TEXTS_MAX = 64,                /* of strings that are command lines themselves */
};

/* A word after quotes are removed. */
struct shell_word {
    const char *text;      /* with an EFFECT_HOLE for each thing that is known only when it runs */
    const char *from, *to; /* as it was written */
    bool known;            /* no holes */
    bool plain;            /* nothing quoted, nothing expanded: may be a reserved word */
    bool splits;           /* may become several words, or none, whatever their text */
    bool many;             /* may become several words, each of which begins like the text */
};

struct chunk;

/* What a line would leave behind in a shell that goes on (shell_session.c). */
struct shell_marks_left {
    void (*defines)(void *owner, const char *name, const char *body, size_t n); /* NULL: it can't be told */
    void *owner;
    bool changes; /* what other commands mean */
};

/* The judgement of one line. */
struct shell {
    struct effects *effects;
    struct shell_marks_left *left; /* or NULL: the shell ends with the line */
    unsigned elsewhere;            /* what is read now runs in another process, whatever it changes */
    unsigned level;                /* of texts inside of texts */
    bool inner;                    /* it was refused for something in one of those */
    bool at_end;                   /* of the line: there it was that it was refused */
    struct chunk *chunks;
    size_t used; /* bytes of memory */
    unsigned depth, commands, texts, heredocs;
    int error;       /* negative errno */
    const char *why; /* static; why it is not understood */
};

/* shell_effects(); left: or NULL. *ret_open (which may be NULL): why it is refused, when that was at its end.
 */
MUST_USE int shell_effects_left(const char *command, size_t n, struct shell_marks_left *left,
                                struct effects *ret, const char **ret_open);

static inline bool shell_failed(const struct shell *shell)
{
    return shell->error != 0 || shell->why != NULL;
}

/* The line, or the string in it, is not understood. why: static. The first one stays. */
void shell_refuse(struct shell *shell, const char *why);
/* Something that it does cannot be decided; why: "what sudo runs", copied. */
void shell_unknown(struct shell *shell, const char *format, ...) PRINTF_LIKE(2, 3);
/* Zeroed, until the line is judged; NULL after a failure. */
void *shell_alloc(struct shell *shell, size_t n);
char *shell_copy(struct shell *shell, const char *text, size_t n);
/* One level deeper; false, after a refusal, when that is too deep. Each true is followed by shell_leave(). */
bool shell_enter(struct shell *shell);
void shell_leave(struct shell *shell);

/* All effects of a text that a shell reads (shell_text.c). What is refused in it is refused of the line. */
void shell_text(struct shell *shell, const char *text, size_t n);

/* ---- what is done with what was read (shell_command.c) ---- */

/* A simple command: words[0] is its name. */
void shell_run(struct shell *shell, const struct shell_word *words, size_t n);
/* NAME=value, of its own, or before a command. name has n bytes. */
void shell_assign(struct shell *shell, const struct shell_word *word, size_t n);
/* A variable that gets some value otherwise: by read, for, … */
void shell_set_variable(struct shell *shell, const char *name, size_t n);
/* A redirection to or from the file that the word names. */
void shell_redirect(struct shell *shell, enum file_operation operation, const struct shell_word *word);

/* A function, of a shell that goes on; body: NULL when it is not all of it. */
void shell_define(struct shell *shell, const struct shell_word *name, const char *body, size_t n);

/* Whether what is between both is a name, that is letters, digits and _. */
bool shell_is_name(const char *from, const char *to);
bool shell_is_listed(const char *const *list, const char *name); /* list ends with NULL */
bool shell_is(const struct shell_word *word, const char *text);  /* known, and this */

/* ---- commands that run others (shell_wrappers.c, shell_programs.c, shell_filters.c, shell_builtins.c) ----
 */

/* One of them: false when no such command is known there. words[0] is its name, `name` without directory. */
bool shell_wrapper(struct shell *shell, const char *name, const struct shell_word *words, size_t n);
bool shell_program(struct shell *shell, const char *name, const struct shell_word *words, size_t n);
bool shell_filter(struct shell *shell, const char *name, const struct shell_word *words, size_t n);
bool shell_builtin(struct shell *shell, const char *name, const struct shell_word *words, size_t n);

/* Options as getopt has them: letters, with ":" behind those with a value; long ones separated by blanks,
 * likewise. Long names may be cut short only where that is no other's. */
struct shell_options {
    const char *letters, *longs;
};
/* The index of the first word that is no option and no option's value, behind "--"; 0 when that cannot be
 * told: an option that is not in the list, or a word with holes in the place of one. */
size_t shell_skip_options(const struct shell_options *options, const struct shell_word *words, size_t n);
/* All words from the first on, joined by blanks, are a text for a shell: its effects. Unknown with holes. */
void shell_joined(struct shell *shell, const char *who, const struct shell_word *words, size_t n);

/* ---- the second vote (shell_tree.c) ---- */

/* Where a simple command's name stands in the text. */
struct shell_mark {
    size_t from, to;
};
/* Whether tree-sitter's grammar finds the same simple commands at the same places, and no error. marks are
 * sorted by it. -ENOMEM; 1: it does not. */
MUST_USE int shell_tree_agrees(const char *text, size_t n, struct shell_mark *marks, size_t n_marks);
