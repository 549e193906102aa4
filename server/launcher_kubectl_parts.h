/* kubectl's command line: what its files share. */
#pragma once
#include <stdbool.h>
#include <string.h>
#include "server/launcher_command.h"

#define NO_FILES "kubectl has no files here"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct line {
    char *const *words;
    size_t n;
    size_t end;  /* where "--" is, or n */
    size_t verb; /* where the command is, or end */
    struct detail *detail;
};

static inline bool is(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}

/* Whether this option's value is the next word, as far as that can be told without knowing the option. */
bool kubectl_takes_next(const char *word);
/* COMMAND_REFUSED, with the reason in the line's detail. */
MUST_USE int kubectl_refuse(const struct line *line, const char *what, const char *why);
/* The next word at or after `at` that is no option or value of one; line->end when there is none. */
size_t kubectl_next_plain(const struct line *line, size_t at);
/* Appends `port-forward` for one connection, program excluded. */
MUST_USE int kubectl_forward(const struct line *line, struct command *command);
/* Appends what `cp` becomes, program excluded. */
MUST_USE int kubectl_copy(const struct line *line, struct command *command);
