/* Command line options of the `gatehouse` command. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { OPTION_VALUES_MAX = 64 };

/* The values of an option that may come again, in their order. Borrowed from argv. */
struct option_values {
    const char *items[OPTION_VALUES_MAX];
    size_t count;
};

/* One option: a flag, or one with a value, or one with a value that may come again. The others are NULL. */
struct option_spec {
    const char *name;             /* "--log", "-c" */
    const char **value;           /* set to the next word */
    bool *flag;                   /* set to true */
    struct option_values *values; /* the next word is appended */
};

/* Takes the options out of argv, which keeps argv[0] and the operands; *argc is what is left. "--" ends them.
 * Prints what is wrong and returns false for an unknown option, a missing value, or too many values. specs
 * end with an empty one. */
bool options_take(int *argc, char **argv, const struct option_spec *specs);
