/* The words of a command: arguments and environment, built one by one within bounds. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    COMMAND_WORDS_MAX = 512,        /* arguments and variables, each */
    COMMAND_BYTES_MAX = 100 * 1024, /* of all of them; the kernel takes 128 KiB in one word */
};

enum command_fault {
    COMMAND_REFUSED = 1, /* the tool has it, Gatehouse does not offer it */
    COMMAND_USAGE,       /* the tool would not take it either */
};

struct words {
    char **items; /* NULL-terminated once there is one */
    size_t count, bytes;
};

struct command {
    struct words arguments, environment;
    bool forwards; /* it listens, and what it accepts is the user's standard input and output */
};

void command_free(struct command *command); /* empties it */
static inline void command_free_ptr(struct command *command)
{
    command_free(command);
}

/* Copies; -E2BIG beyond the bounds. */
MUST_USE int command_argument(struct command *command, const char *word);
MUST_USE int command_variable(struct command *command, const char *name, const char *value);
